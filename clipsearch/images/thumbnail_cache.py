"""Cache thumbnails in the user's cache folder, keyed by the content of their pictures."""

import contextlib
import os
import re
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from blake3 import blake3

from clipsearch.files import SCRATCH_NAMES, atomic_write
from clipsearch.parts import Part

RENDERING = 2
"""Number of the way in which thumbnails are rendered; those cached with another one are stale."""

MAX_BYTES = 2 * 10**9
"""About 60,000 pictures with a small one each."""

# Eviction shrinks the cache to this share of the limit, so that the next few fit in.
_EVICT_TO_SHARE = 0.9

# A blake3.
_CONTENT_BYTES = 32
# Files that are counted and evicted: thumbnails, and temporary files left by a crash.
_CACHE_FILES = re.compile(rf"[0-9a-f]{{64}}\.jpg|{SCRATCH_NAMES.pattern}", re.ASCII)

# The time of last use is updated once a day at most.
_TOUCH_INTERVAL_S = 86_400


class ThumbnailCache:
    """Files `SIDE-RENDERING/ab/abcd….jpg`, evicted by least recent use. Atomic writes; thread-safe and process-safe.

    A folder that can't be made or written makes every lookup a miss, nothing else.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._size_bytes: int | None = None  # measured when the first file is added
        self._counting = threading.Lock()

    def get(self, content: bytes, side: int, make: Callable[[], bytes], *, part: Part | None = None) -> bytes:
        """Return the JPEG of a content (its blake3), at most `side` pixels wide and high; `make` runs on a miss.

        Args:
            part: of the content; None: the whole picture.
        """
        if len(content) != _CONTENT_BYTES:
            return make()  # not the hash of any content
        name = (content if part is None else blake3(content + part.fragment.encode()).digest()).hex()
        path = self._folder / f"{side}-{RENDERING}" / name[:2] / f"{name}.jpg"
        try:
            cached = path.read_bytes()
            if cached.startswith(b"\xff\xd8") and cached.endswith(b"\xff\xd9"):  # else it is truncated, as by a crash
                self._touch(path)
                return cached
        except OSError:
            pass
        made = make()
        self._add(path, made)
        return made

    def _touch(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _TOUCH_INTERVAL_S:
                os.utime(path)

    def _add(self, path: Path, jpeg: bytes) -> None:
        try:
            for folder in (self._folder, path.parent.parent, path.parent):  # with `parents` only the last gets the mode
                folder.mkdir(exist_ok=True, mode=0o700)
            atomic_write(path, jpeg)
        except OSError:
            return
        with self._counting:
            self._size_bytes = self._measure() if self._size_bytes is None else self._size_bytes + len(jpeg)
            if self._size_bytes > self._max_bytes:
                self._size_bytes = self._evict()

    def _measure(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _evict(self) -> int:
        """Delete the least recently used files and temporary files of a crash; return the remaining bytes."""
        files = sorted(self._files())
        remaining = sum(size for _, size, _ in files)
        for _, size, path in files:
            if remaining <= _EVICT_TO_SHARE * self._max_bytes:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 (there are many)
                remaining -= size
        return remaining

    def _files(self) -> list[tuple[float, int, str]]:
        """List (time of last use, bytes, path) of each file."""
        found = []
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = os.path.join(folder, name)  # noqa: PTH118
                with contextlib.suppress(OSError):
                    status = os.lstat(path)
                    if _CACHE_FILES.fullmatch(name) and stat.S_ISREG(status.st_mode):
                        found.append((status.st_mtime, status.st_size, path))
        return found
