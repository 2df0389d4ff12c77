"""One read-only cache of compiled models for the session, which each test's cache folder starts from.

OpenVINO compiles the starter model in a second, its bank of texts takes five more, the two built-in sets of labels
three, and the files hold 90 MB: they are made once, also where several workers share the session, and hard-linked into
the cache folder of each test.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from blake3 import blake3
from filelock import FileLock

_WARM_UP = """
from clipsearch.encoders.bank import load_bank
from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.prompts import label_embeddings
from clipsearch.labels.sets import built_in_labels
from tests.support.fakes import ColourEncoder
for encoder in (load_encoder("starter"), ColourEncoder()):
    model = {"fingerprint": encoder.fingerprint, "dim": encoder.dim, "load_encoder": lambda: encoder}
    load_bank(**model)
    for name in ("coco", "lvis"):
        label_embeddings(built_in_labels(name), **model)
    encoder.close()
"""
_REPOSITORY = Path(__file__).resolve().parents[2]


class ModelCache:
    """`CLIPSEARCH_CACHE` as it is after the starter model and the one of colours were used."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the same one for all workers of a session."""
        self._folder = folder
        self._digests: dict[Path, str] = {}

    def link_into(self, cache: Path) -> None:
        """Fill a test's cache folder with links, which files that the test writes replace, and copies of databases."""
        self._make()
        shutil.copytree(self._folder / "cache", cache, copy_function=link_or_copy, dirs_exist_ok=True)

    def changed_files(self) -> list[str]:
        """Names of the shared files that are not as they were made."""
        return [path.name for path, digest in self._digests.items() if _digest(path) != digest]

    def _make(self) -> None:
        if self._digests:
            return
        self._folder.mkdir(exist_ok=True)
        cache = self._folder / "cache"
        with FileLock(self._folder / "lock"):
            if not cache.exists():
                fresh = self._folder / "fresh"
                environment = {**os.environ, "CLIPSEARCH_CACHE": str(fresh)}
                subprocess.run(
                    [sys.executable, "-c", _WARM_UP], cwd=_REPOSITORY, env=environment, check=True, capture_output=True
                )
                (fresh / "file-hashes.json").unlink(missing_ok=True)  # a memo that is rewritten in place
                fresh.rename(cache)
        self._digests = {path: _digest(path) for path in cache.rglob("*") if path.is_file()}


def link_or_copy(source: str, target: str) -> None:
    if source.endswith(".sqlite3"):  # SQLite writes in place, through a link too
        shutil.copy2(source, target)
        return
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _digest(path: Path) -> str:
    return blake3(max_threads=1).update_mmap(path).hexdigest()
