"""What OpenVINO makes of a model for this processor, kept in the cache: blobs, and a hash beside each.

OpenVINO loads what lies there as it is: with one bit flipped, a model gives other embeddings and nobody is told. So
each blob is hashed when it was written and again before it is loaded, 0.03 s for CLIP's text model of 127 MB. One that
is not as it was is deleted and made anew.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from clipsearch.files import scratch_folder
from clipsearch.paths import cache_dir

HASHES = "hashes.json"

# A blob that nobody loaded for so long is deleted when another one is made.
_FORGET_AFTER_S = 60 * 86_400


class BlobFolder:
    """The folder for what OpenVINO makes of one model file with one set of options.

    OpenVINO tells models apart by path, size and time of the .xml alone, not by the weights beside it: in a folder for
    all, one model would be taken for another.
    """

    def __init__(self, *parts: str) -> None:
        """`parts`: what the blob depends on; other parts are another folder."""
        self._path = cache_dir() / "openvino" / blake3(json.dumps(parts).encode()).hexdigest()[:32]

    def find(self) -> Path | None:
        """The folder, when its blob is as it was written; else there is none afterwards.

        Raises:
            OSError: a damaged blob can't be deleted.
        """
        if not self._path.exists():
            return None
        hashes, blobs = self._read_hashes(), list(self._path.glob("*.blob"))
        with contextlib.suppress(FileNotFoundError):  # another process has found it damaged
            if blobs and all(hashes.get(blob.name) == _hash(blob) for blob in blobs):
                with contextlib.suppress(OSError):  # somebody else's, to be read only
                    os.utime(self._path)
                return self._path
            shutil.rmtree(self._path)
        return None

    @contextlib.contextmanager
    def making(self) -> Iterator[Path]:
        """A folder of its own to make the blob in; kept, with its hash, unless another process was faster.

        OpenVINO writes where the file will lie. A process that has the file mapped meanwhile would die of it.

        Raises:
            OSError: it can't be made or kept.
        """
        with scratch_folder(self._path.parent) as scratch:
            _sweep(self._path.parent)
            yield scratch
            blobs = list(scratch.glob("*.blob"))
            if blobs:
                hashes = {blob.name: _hash(blob) for blob in blobs}
                (scratch / HASHES).write_text(json.dumps(hashes), encoding="utf-8")
                with contextlib.suppress(OSError):  # there is one by now
                    scratch.rename(self._path)

    def _read_hashes(self) -> dict[str, object]:
        try:
            content = json.loads((self._path / HASHES).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}


def _hash(blob: Path) -> str:
    return blake3(max_threads=blake3.AUTO).update_mmap(blob).hexdigest()


def _sweep(folder: Path) -> None:
    """Deletes what was long unused, and blobs that lie in no folder, as they once did; all but what can't be."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # such as what another process has deleted
            if not path.is_dir():
                path.unlink()
            elif time.time() - path.stat().st_mtime > _FORGET_AFTER_S:
                shutil.rmtree(path, ignore_errors=True)
