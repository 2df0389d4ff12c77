"""Read files once: hash each, and decode the crop for the model when the content is new."""

import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol, TypeAlias

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.errors import ImageReadError, TransientReadError
from clipsearch.files import open_regular_file
from clipsearch.images.copies.views import PictureView, make_view
from clipsearch.images.decode import DEFAULT_MAX_MEGAPIXELS, Turn, decode_image, read_header
from clipsearch.images.file_stamp import NO_STAMP, FileStamp, stamp_of
from clipsearch.images.measures import measure
from clipsearch.images.perceptual_hash import perceptual_hash
from clipsearch.images.preprocess import Preprocess, resize_and_crop
from clipsearch.images.reasons import too_many_bytes
from clipsearch.types import ImageMetadata

if TYPE_CHECKING:
    from clipsearch.images.find import FoundImage
    from clipsearch.images.thumbnails import Thumbnail

# Files up to this size are read into memory once, for the hash and the decoder; larger ones are read twice.
_MAX_BUFFERED_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20

Outcome = Literal["decoded", "stored", "duplicate", "failed"]


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read.

    Attributes:
        path: absolute, or a URL.
        listed: the listing's entry of a file behind a URL, which can't be queried when it is read.
        blake3: previous hash of a file that is reread although only its ctime changed, or because all files are
            reread.
    """

    root_id: int
    relative_path: str
    path: str
    listed: "FoundImage | None" = None
    blake3: bytes | None = None


@dataclass(frozen=True, slots=True)
class ReadPicture:
    """Result of reading a file.

    Attributes:
        outcome: decoded: `crop` and `metadata` are set. stored: this content already has an embedding.
            duplicate: another file of this run with the same content is in flight and is processed first.
            failed: see `reason`.
        stamp: of the file when it was opened; all 0 when it could not be opened.
        blake3: of the whole content, None when it could not be read.
        crop: uint8 (height, width, 3).
        metadata: of a decoded picture, and of a stored one that was decoded for its measures.
        reason: short reason of a failure.
        is_lasting: the failure is due to the file itself or a limit: no retry until the file changes or the limit is
            raised.
        limit: as in `ImageReadError`.
    """

    task: Task
    outcome: Outcome
    stamp: FileStamp = NO_STAMP
    blake3: bytes | None = None
    crop: NDArray[np.uint8] | None = None
    metadata: ImageMetadata | None = None
    reason: str = ""
    is_lasting: bool = False
    limit: tuple[str, float] | None = None

    @property
    def size_bytes(self) -> int:
        return self.stamp.size_bytes

    @property
    def is_unchanged(self) -> bool:
        """Whether the content is the file's previous one."""
        return self.blake3 is not None and self.blake3 == self.task.blake3


class OpenPicture(Protocol):
    """A file that was read and hashed; it is decoded if its content turns out to be new."""

    @property
    def stamp(self) -> FileStamp: ...

    @property
    def blake3(self) -> bytes: ...

    def decode(self) -> tuple[NDArray[np.uint8], ImageMetadata]:
        """Decode the crop (height, width, 3) for the model, and read the metadata.

        Raises:
            ImageReadError: it can't be decoded, as in `decode_image`.
        """
        ...

    def describe(self) -> ImageMetadata:
        """Read the metadata, instead of `decode`, without decoding the pixels; errors as there."""
        ...

    def shrink(self, side: int) -> "Thumbnail":
        """Make a thumbnail, instead of `decode`; arguments and errors as in `thumbnails.make_thumbnail`."""
        ...

    def view(self, side: int) -> PictureView:
        """Make the view that pictures are compared by, instead of `decode`; arguments and errors as in `make_view`."""
        ...


OpenPath: TypeAlias = Callable[[str], AbstractContextManager[OpenPicture]]
"""Opens and hashes a file; raises OSError."""


@dataclass(frozen=True, slots=True)
class LocalPicture:
    """`OpenPicture` in this process.

    Attributes:
        source: content or file to decode.
        spec: preprocessing of the model.
        max_megapixels: see `decode_image`, like `turn`.
    """

    stamp: FileStamp
    blake3: bytes
    source: bytes | BinaryIO
    spec: Preprocess
    max_megapixels: float
    turn: Turn | None

    def decode(self) -> tuple[NDArray[np.uint8], ImageMetadata]:
        decoded = decode_image(
            self.source, needed_side=self.spec.resized_side, max_megapixels=self.max_megapixels, turn=self.turn
        )
        image, box = decoded.image, decoded.box
        metadata = replace(decoded.metadata, phash=perceptual_hash(image, box), **measure(image, box)._asdict())
        return resize_and_crop(image, self.spec, box=box), metadata

    def describe(self) -> ImageMetadata:
        return read_header(self.source, max_megapixels=self.max_megapixels)

    def shrink(self, side: int) -> "Thumbnail":
        from clipsearch.images.thumbnails import shrink

        return shrink(self.source, side=side, max_megapixels=self.max_megapixels, turn=self.turn)

    def view(self, side: int) -> PictureView:
        return make_view(self.source, side=side, max_megapixels=self.max_megapixels, turn=self.turn)


@contextmanager
def open_picture(
    path: str, *, spec: Preprocess, max_megapixels: float = DEFAULT_MAX_MEGAPIXELS, turn: Turn | None = None
) -> Iterator[LocalPicture]:
    """Open and hash a file, for decoding in this process.

    Raises:
        OSError: it can't be opened or read, or is not a regular file.
    """
    with open_regular_file(path) as file:
        status = os.fstat(file.fileno())
        digest, source = _hash(file, status.st_size)
        yield LocalPicture(stamp_of(status), digest, source, spec, max_megapixels, turn)


class PictureReader:
    """Reads files from several threads. Thread-safe; each new content is decoded once, however many files have it."""

    def __init__(
        self,
        preprocess: Preprocess,
        *,
        is_stored: Callable[[bytes], bool],
        is_measured: Callable[[bytes], bool] | None = None,
        open_path: OpenPath | None = None,
        max_bytes: int | None = None,
    ) -> None:
        """Configure the reader.

        Args:
            preprocess: of the model that the pictures are for.
            is_stored: returns, from any thread, whether a content (its blake3) already has an embedding.
            is_measured: returns likewise whether a stored content has its measures, or it is decoded for them alone;
                None: all have.
            open_path: opens files; None: in this process.
            max_bytes: larger files are not read; None: no limit.
        """
        self._max_bytes = max_bytes
        self._open = open_path or partial(open_picture, spec=preprocess)
        self._is_stored = is_stored
        self._is_measured = is_measured
        self._lock = threading.Lock()
        # Contents seen in this run, and their outcome: None while in flight.
        self._outcomes: dict[bytes, ReadPicture | Literal["stored"] | None] = {}

    def read(self, task: Task) -> ReadPicture:
        """Read a file; errors of the file are returned, never raised."""
        try:
            if self._max_bytes is not None:
                status = os.stat(task.path)  # noqa: PTH116
                if status.st_size > self._max_bytes:
                    return too_large_to_read(task, stamp_of(status), max_bytes=self._max_bytes)
            with self._open(task.path) as picture:
                return self._decode(task, picture)
        except FileNotFoundError:
            return ReadPicture(task, "failed", reason="deleted before it could be read")
        except OSError as error:
            return ReadPicture(task, "failed", reason=error.strerror or str(error))
        except (ImageReadError, MemoryError) as error:  # while reading; errors of decoding are handled below
            return ReadPicture(task, "failed", reason=str(error) or "not enough memory to read it")

    def _decode(self, task: Task, picture: OpenPicture) -> ReadPicture:
        digest = picture.blake3
        read = partial(ReadPicture, task, stamp=picture.stamp, blake3=digest)
        with self._lock:
            is_first = digest not in self._outcomes
            if is_first:
                self._outcomes[digest] = None
        if not is_first:
            return read(outcome="duplicate")
        if self._is_stored(digest):
            self.mark_stored([digest])
            return read(outcome="stored", metadata=self._measure(picture))
        try:
            crop, metadata = picture.decode()
        except (ImageReadError, MemoryError) as error:
            is_lasting = not isinstance(error, TransientReadError | MemoryError)
            failed = read(
                outcome="failed",
                reason=str(error) or "not enough memory to decode it",
                is_lasting=is_lasting,
                limit=getattr(error, "limit", None),
            )
            with self._lock:
                self._outcomes[digest] = failed
            return failed
        return read(outcome="decoded", crop=crop, metadata=metadata)

    def _measure(self, picture: OpenPicture) -> ImageMetadata | None:
        """Return the metadata of a stored content without measures; None for others, and where it can't be decoded."""
        if self._is_measured is None or self._is_measured(picture.blake3):
            return None
        try:
            return picture.decode()[1]
        except (ImageReadError, MemoryError):
            return None

    def mark_stored(self, digests: Iterable[bytes]) -> None:
        with self._lock:
            self._outcomes.update(dict.fromkeys(digests, "stored"))

    def outcome(self, duplicate: ReadPicture) -> ReadPicture | None:
        """Return the outcome of a duplicate: "stored" or "failed" like its content; None while it is in flight."""
        with self._lock:
            found = self._outcomes[duplicate.blake3] if duplicate.blake3 is not None else None
        if found == "stored":
            return replace(duplicate, outcome="stored")
        if found is None:
            return None
        return replace(duplicate, outcome="failed", reason=found.reason, is_lasting=found.is_lasting, limit=found.limit)


def too_large_to_read(task: Task, stamp: FileStamp, *, max_bytes: int) -> ReadPicture:
    """Return the result for a file that exceeds `max_bytes`."""
    error = too_many_bytes(stamp.size_bytes, max_bytes)
    return ReadPicture(task, "failed", stamp, reason=str(error), is_lasting=True, limit=error.limit)


def hash_file(path: str) -> tuple[FileStamp, bytes]:
    """Return the stamp of a file when it was read, and the blake3 of its content as read from the disk.

    Raises:
        OSError: it can't be opened or read, or is not a regular file.
    """
    hasher = blake3()
    with open_regular_file(path) as file:
        _forget_pages(file)
        while chunk := file.read(_CHUNK_BYTES):
            hasher.update(chunk)
        _forget_pages(file)
        return stamp_of(os.fstat(file.fileno())), hasher.digest()


def _forget_pages(file: BinaryIO) -> None:
    """Evict the file from the page cache, which may be intact when the disk no longer is, and displaces other files."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _hash(file: BinaryIO, size_bytes: int) -> tuple[bytes, bytes | BinaryIO]:
    """Return the blake3 of the whole content, and what to decode it from."""
    if size_bytes <= _MAX_BUFFERED_BYTES:
        content = file.read()
        return blake3(content).digest(), content
    hasher = blake3()
    while chunk := file.read(_CHUNK_BYTES):
        hasher.update(chunk)
    file.seek(0, io.SEEK_SET)
    return hasher.digest(), file
