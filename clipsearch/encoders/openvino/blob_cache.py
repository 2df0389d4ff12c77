"""Cache OpenVINO's blobs, models compiled for this processor, with a checksum for each.

OpenVINO loads a cached blob unverified: with one bit flipped, a model silently gives other embeddings. So each blob is
hashed after it is written and again before it is loaded, 0.03 s for CLIP's text model of 127 MB. A damaged blob is
deleted and rebuilt.
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

# Blobs not loaded for this long are evicted when another one is made.
_EVICT_AFTER_S = 60 * 86_400


class BlobFolder:
    """Cache folder for the blob of one model file with one set of options.

    OpenVINO's cache key is the path, size and time of the .xml file alone, without its weights: in a shared folder, one
    model could be mistaken for another.
    """

    def __init__(self, *parts: str) -> None:
        """Derive the folder's name from everything that the blob depends on."""
        self._path = cache_dir() / "openvino" / blake3(json.dumps(parts).encode()).hexdigest()[:32]

    def find(self) -> Path | None:
        """Return the folder when its blob is intact; None on a miss, after deleting a damaged one.

        Raises:
            OSError: a damaged blob can't be deleted.
        """
        if not self._path.exists():
            return None
        hashes, blobs = self._read_hashes(), list(self._path.glob("*.blob"))
        with contextlib.suppress(FileNotFoundError):  # another process deleted it concurrently
            if blobs and all(hashes.get(blob.name) == _hash(blob) for blob in blobs):
                with contextlib.suppress(OSError):  # a read-only folder of another user
                    os.utime(self._path)
                return self._path
            shutil.rmtree(self._path)
        return None

    @contextlib.contextmanager
    def open_scratch(self) -> Iterator[Path]:
        """Open a scratch folder for making the blob, which is renamed into place with its checksum (atomic).

        OpenVINO itself would write to the final path, and crash processes that have the file memory-mapped. When
        another process was faster, its blob stays.

        Raises:
            OSError: the folder can't be created or written.
        """
        with scratch_folder(self._path.parent) as scratch:
            _sweep(self._path.parent)
            yield scratch
            blobs = list(scratch.glob("*.blob"))
            if blobs:
                hashes = {blob.name: _hash(blob) for blob in blobs}
                (scratch / HASHES).write_text(json.dumps(hashes), encoding="utf-8")
                with contextlib.suppress(OSError):  # another process was faster
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
    """Evict unused blobs, and files of the former layout without folders; errors are ignored."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # such as a file that another process has deleted
            if not path.is_dir():
                path.unlink()
            elif time.time() - path.stat().st_mtime > _EVICT_AFTER_S:
                shutil.rmtree(path, ignore_errors=True)
