"""Thumbnails that were made before, in the user's cache folder, named by the content they are of."""

import contextlib
import os
import re
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from clipsearch.files import SCRATCH_NAMES, atomic_write

MAX_BYTES = 2 * 10**9
"""About 60,000 pictures with a small one each."""

# When there are too many, so much of the limit is kept, so that the next few fit in.
_KEPT_SHARE = 0.9

# A blake3.
_CONTENT_BYTES = 32
# What is counted and deleted: thumbnails, and scratch files that a crash has left.
_OWN_NAMES = re.compile(rf"[0-9a-f]{{64}}\.jpg|{SCRATCH_NAMES.pattern}", re.ASCII)

# When one was last looked at is written down once a day at most.
_SEEN_EVERY_S = 86_400


class ThumbnailCache:
    """Files `SIDE/ab/abcd….jpg`; those that were looked at longest ago go first. For any number of threads and
    processes. A folder that can't be made or written costs time, nothing else."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._size_bytes: int | None = None  # counted when the first one is added
        self._counting = threading.Lock()

    def get(self, content: bytes, side: int, make: Callable[[], bytes]) -> bytes:
        """The JPEG for a content (its blake3) at most `side` pixels wide and high; `make` makes it, and is called when
        it is not there."""
        if len(content) != _CONTENT_BYTES:
            return make()  # no content has such a hash
        name = content.hex()
        path = self._folder / str(side) / name[:2] / f"{name}.jpg"
        try:
            kept = path.read_bytes()
            if kept.startswith(b"\xff\xd8") and kept.endswith(b"\xff\xd9"):  # else it was cut short, as by a crash
                self._note_seen(path)
                return kept
        except OSError:
            pass
        made = make()
        self._keep(path, made)
        return made

    def _note_seen(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _SEEN_EVERY_S:
                os.utime(path)

    def _keep(self, path: Path, jpeg: bytes) -> None:
        try:
            for folder in (self._folder, path.parent.parent, path.parent):  # with `parents` only the last has the mode
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
        """Deletes the oldest, also what a crash has left half written; returns the bytes that are left."""
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= _KEPT_SHARE * self._max_bytes:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 (there are many)
                left -= size
        return left

    def _files(self) -> list[tuple[float, int, str]]:
        """When it was last looked at, bytes, path of each."""
        found = []
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = os.path.join(folder, name)  # noqa: PTH118
                with contextlib.suppress(OSError):
                    status = os.lstat(path)
                    if _OWN_NAMES.fullmatch(name) and stat.S_ISREG(status.st_mode):
                        found.append((status.st_mtime, status.st_size, path))
        return found
