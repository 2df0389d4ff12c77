"""One file, read once: its hash, and, when its content is new, the crop that the model takes."""

import io
import os
import stat
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO, Literal

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.errors import ImageReadError, TransientReadError
from clipsearch.images.decode import decode_image
from clipsearch.images.metadata import ImageMetadata
from clipsearch.preprocess import Preprocess, resize_and_crop

# Files up to this size are read into memory once, for the hash and the decoder; larger ones are read twice.
_MAX_HELD_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20

Outcome = Literal["decoded", "stored", "twin", "failed"]


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read."""

    root_id: int
    relative_path: str
    path: str


@dataclass(frozen=True, slots=True)
class ReadPicture:
    """What reading a file gave.

    Attributes:
        outcome: decoded: `crop` and `metadata` are there. stored: this content has an embedding already.
            twin: another file of this run has the same content and is dealt with first. failed: see `reason`.
        size_bytes: of the file when it was opened, like mtime_ns; 0 when it could not be opened.
        blake3: of the whole content, None when it could not be read.
        crop: uint8 (height, width, 3).
        reason: of a failure, in a few words.
        is_lasting: the failure lies in the file itself: it need not be tried again until the file changes.
    """

    task: Task
    outcome: Outcome
    size_bytes: int = 0
    mtime_ns: int = 0
    blake3: bytes | None = None
    crop: NDArray[np.uint8] | None = None
    metadata: ImageMetadata | None = None
    reason: str = ""
    is_lasting: bool = False


class PictureReader:
    """Reads files from several threads; each new content is decoded once, however many files have it."""

    def __init__(self, preprocess: Preprocess, *, is_stored: Callable[[bytes], bool]) -> None:
        """`is_stored`: says, from any thread, whether a content (its blake3) needs no embedding any more."""
        self._preprocess = preprocess
        self._is_stored = is_stored
        self._lock = threading.Lock()
        # Contents met in this run, and what became of them: None while they are worked on.
        self._met: dict[bytes, ReadPicture | Literal["stored"] | None] = {}

    def read(self, task: Task) -> ReadPicture:
        """Never raises for what is wrong with a file."""
        try:
            with open_regular_file(task.path) as file:
                status = os.fstat(file.fileno())
                digest, source = _hash(file, status.st_size)
                return self._decode(task, status, digest, source)
        except FileNotFoundError:
            return ReadPicture(task, "failed", reason="gone before it could be read")
        except OSError as error:
            return ReadPicture(task, "failed", reason=error.strerror or str(error))

    def _decode(self, task: Task, status: os.stat_result, digest: bytes, source: bytes | BinaryIO) -> ReadPicture:
        read = partial(ReadPicture, task, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, blake3=digest)
        with self._lock:
            is_first = digest not in self._met
            if is_first:
                self._met[digest] = None
        if not is_first:
            return read(outcome="twin")
        if self._is_stored(digest):
            self.mark_stored([digest])
            return read(outcome="stored")
        try:
            decoded = decode_image(source, spec=self._preprocess)
            crop = resize_and_crop(decoded.image, self._preprocess, box=decoded.box)
        except (ImageReadError, MemoryError) as error:
            is_lasting = not isinstance(error, TransientReadError | MemoryError)
            failed = read(
                outcome="failed", reason=str(error) or "not enough memory to decode it", is_lasting=is_lasting
            )
            with self._lock:
                self._met[digest] = failed
            return failed
        return read(outcome="decoded", crop=crop, metadata=decoded.metadata)

    def mark_stored(self, digests: Iterable[bytes]) -> None:
        with self._lock:
            self._met.update(dict.fromkeys(digests, "stored"))

    def outcome(self, twin: ReadPicture) -> ReadPicture | None:
        """What became of a twin: "stored" or "failed" as its content was, None while that is not known."""
        with self._lock:
            met = self._met[twin.blake3] if twin.blake3 is not None else None
        if met == "stored":
            return replace(twin, outcome="stored")
        if met is None:
            return None
        return replace(twin, outcome="failed", reason=met.reason, is_lasting=met.is_lasting)


def open_regular_file(path: str) -> BinaryIO:
    """Opens a file for reading, never a named pipe or a device, where opening alone may wait for ever.

    Raises:
        OSError: it can't be opened, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return os.fdopen(descriptor, "rb")


def _hash(file: BinaryIO, size_bytes: int) -> tuple[bytes, bytes | BinaryIO]:
    """blake3 of the whole content, and what to decode it from."""
    if size_bytes <= _MAX_HELD_BYTES:
        content = file.read()
        return blake3(content).digest(), content
    hasher = blake3()
    while chunk := file.read(_CHUNK_BYTES):
        hasher.update(chunk)
    file.seek(0, io.SEEK_SET)
    return hasher.digest(), file
