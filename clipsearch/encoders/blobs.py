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
from pathlib import Path

from blake3 import blake3

from clipsearch.encoders.fingerprint import cache_dir, make_cache_dir

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

    def open(self) -> Path:
        """The folder, with no blob in it that is not as it was written.

        Raises:
            OSError: it can't be made, or a damaged blob can't be deleted.
        """
        if not self._path.exists():
            make_cache_dir()
            self._path.parent.mkdir(exist_ok=True, mode=0o700)
            self._path.mkdir(exist_ok=True, mode=0o700)
            _sweep(self._path.parent)
        hashes = self._read_hashes()
        for blob in self._path.glob("*.blob"):
            if hashes.get(blob.name) != _hash(blob):
                blob.unlink()
        with contextlib.suppress(OSError):  # somebody else's, to be read only
            os.utime(self._path)
        return self._path

    def has_blob(self) -> bool:
        return any(self._path.glob("*.blob"))

    def close(self) -> None:
        """Remembers the hash of what OpenVINO has written, if anything.

        Raises:
            OSError: it can't be written: the blob is made anew the next time.
        """
        before = self._read_hashes()
        made = [blob for blob in self._path.glob("*.blob") if blob.name not in before]
        if not made:
            return
        fresh = self._path / f"{HASHES}.{os.getpid()}"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps({blob.name: _hash(blob) for blob in made}), encoding="utf-8")
        fresh.replace(self._path / HASHES)

    def _read_hashes(self) -> dict[str, object]:
        try:
            content = json.loads((self._path / HASHES).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}


def _hash(blob: Path) -> str:
    return blake3(max_threads=blake3.AUTO).update_mmap(blob).hexdigest()


def _sweep(folder: Path) -> None:
    """Deletes what was long unused, and blobs that lie in no folder, as they once did."""
    for path in folder.iterdir():
        if not path.is_dir():
            path.unlink()
        elif time.time() - path.stat().st_mtime > _FORGET_AFTER_S:
            shutil.rmtree(path, ignore_errors=True)
