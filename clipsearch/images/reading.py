"""Open files: hash each once, and decode it when it is needed, in this process."""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol, TypeAlias

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.description import NOTHING
from clipsearch.errors import ImageReadError
from clipsearch.files import open_regular_file
from clipsearch.images.copies.views import PictureView, make_view
from clipsearch.images.crops import box_within, crop_boxes, side_for_crops
from clipsearch.images.decode import DEFAULT_MAX_MEGAPIXELS, decode_image, read_header
from clipsearch.images.file_parts import SeveralParts, decode_part, read_parts
from clipsearch.images.file_stamp import FileStamp, stamp_of
from clipsearch.images.measures import measure
from clipsearch.images.opening import suffix_of
from clipsearch.images.perceptual_hash import perceptual_hash
from clipsearch.images.preprocess import Preprocess, resize_and_crop
from clipsearch.images.turns import Turn
from clipsearch.parts import Box, Part, Parts
from clipsearch.types import ImageMetadata

if TYPE_CHECKING:
    from PIL import Image

    from clipsearch.images.thumbnails import Thumbnail
    from clipsearch.ocr.look import ReadImage
    from clipsearch.ocr.models import OcrModels

MAX_BUFFERED_BYTES = 64 << 20
"""Files up to this size together are read into memory once, for the hash and the decoder; others are read twice."""
_CHUNK_BYTES = 1 << 20


class Decoded(NamedTuple):
    """A decoded file.

    Attributes:
        crop: uint8 (height, width, 3) for the model; of several parts, that of the cover.
        metadata: of the file.
        parts: of a file of several, the cover first; () for a picture of one part.
        part_crops: uint8 (len(parts) - 1, height, width, 3) of the other parts; None without any.
    """

    crop: NDArray[np.uint8]
    metadata: ImageMetadata
    parts: Parts = ()
    part_crops: NDArray[np.uint8] | None = None


class OpenPicture(Protocol):
    """A file that was read and hashed; it is decoded if its content turns out to be new."""

    @property
    def stamp(self) -> FileStamp: ...

    @property
    def blake3(self) -> bytes: ...

    def decode(self) -> Decoded:
        """Decode the crops for the model, and read the metadata.

        Raises:
            ImageReadError: it can't be decoded, as in `decode_image`.
        """
        ...

    def describe(self) -> ImageMetadata:
        """Read the metadata, instead of `decode`, without decoding the pixels; errors as there."""
        ...

    def shrink(self, side: int, part: Part | None = None) -> "Thumbnail":
        """Make a thumbnail, instead of `decode`; arguments and errors as in `thumbnails.make_thumbnail`."""
        ...

    def view(self, side: int) -> PictureView:
        """Make the view that pictures are compared by, instead of `decode`; arguments and errors as in `make_view`."""
        ...

    def read_text(self, models: "OcrModels", part: Part | None = None) -> "ReadImage":
        """Read the text in the picture, or in a part of the file, instead of `decode`.

        Raises:
            ImageReadError: it can't be decoded.
            MissingExtraError: what reads text is not installed.
            ModelError: its models can't be loaded.
        """
        ...


OpenPath: TypeAlias = Callable[[str], AbstractContextManager[OpenPicture]]
"""Opens and hashes a file; raises OSError."""


class OpenList(Protocol):
    """Files that were read and hashed together."""

    @property
    def files(self) -> Sequence[tuple[FileStamp, bytes] | Exception]:
        """Stamp and blake3 of each file, or the OSError, ImageReadError or MemoryError why it can't be read."""
        ...

    def decode(self, rows: Sequence[int]) -> Sequence[Decoded | Exception]:
        """Decode files of the list by position, as `OpenPicture.decode`; call it once.

        Returns:
            For each what was decoded, its crop valid until `release`, or the ImageReadError or MemoryError.
        """
        ...

    def release(self) -> None:
        """Release the crops, after the list was closed too."""
        ...


OpenLists: TypeAlias = Callable[[Sequence[str]], AbstractContextManager[OpenList]]
"""Opens and hashes files."""


@dataclass(frozen=True, slots=True)
class LocalPicture:
    """`OpenPicture` in this process.

    Attributes:
        source: content or file to decode.
        spec: preprocessing of the model.
        max_megapixels: see `decode_image`, like `turn` and `suffix`.
        detail: also decode crops of the picture.
    """

    stamp: FileStamp
    blake3: bytes
    source: bytes | BinaryIO
    spec: Preprocess
    max_megapixels: float
    turn: Turn | None
    detail: bool = False
    suffix: str = ""

    def decode(self) -> Decoded:
        several = self._read_parts()
        if several is not None:
            return _decode_parts(several, self.spec)
        side = self.spec.resized_side
        decoded = decode_image(
            self.source,
            needed_side=side_for_crops(side) if self.detail else side,
            max_megapixels=self.max_megapixels,
            turn=self.turn,
            suffix=self.suffix,
        )
        image, box = decoded.image, decoded.box
        metadata = _measured(decoded.metadata, image, box)
        crop = resize_and_crop(image, self.spec, box=box)
        crops = crop_boxes(metadata.width, metadata.height, needed_side=side, detail=self.detail)
        if not crops:  # the row says that there are none
            return Decoded(crop, metadata, (None,) if self.detail else ())
        part_crops = np.stack([resize_and_crop(image, self.spec, box=box_within(box, each)) for each in crops])
        return Decoded(crop, metadata, (None, *(Part("crop", box=each) for each in crops)), part_crops)

    def _read_parts(self) -> SeveralParts | None:
        return read_parts(
            self.source, suffix=self.suffix, needed_side=self.spec.resized_side, max_megapixels=self.max_megapixels
        )

    def describe(self) -> ImageMetadata:
        several = self._read_parts()
        if several is not None:
            return several.metadata
        return read_header(self.source, max_megapixels=self.max_megapixels, suffix=self.suffix)

    def shrink(self, side: int, part: Part | None = None) -> "Thumbnail":
        from clipsearch.images.thumbnails import shrink

        return shrink(
            self.source,
            side=side,
            part=part,
            max_megapixels=self.max_megapixels,
            turn=self.turn,
            suffix=self.suffix,
        )

    def view(self, side: int) -> PictureView:
        return make_view(self.source, side=side, max_megapixels=self.max_megapixels, turn=self.turn, suffix=self.suffix)

    def read_text(self, models: "OcrModels", part: Part | None = None) -> "ReadImage":
        from clipsearch.ocr.pieces import SIDE, fit
        from clipsearch.ocr.reader import load_reader

        # A JPEG scaled down during decoding keeps twice that.
        decoded = decode_part(
            self.source,
            part,
            needed_side=SIDE // 2,
            max_megapixels=self.max_megapixels,
            turn=self.turn,
            suffix=self.suffix,
        )
        return load_reader(models).read(fit(decoded.image).convert("RGB"))


@contextmanager
def open_picture(
    path: str,
    *,
    spec: Preprocess,
    max_megapixels: float = DEFAULT_MAX_MEGAPIXELS,
    turn: Turn | None = None,
    detail: bool = False,
    max_buffered: int = MAX_BUFFERED_BYTES,
) -> Iterator[LocalPicture]:
    """Open and hash a file, for decoding in this process.

    Args:
        detail: as in `LocalPicture`.
        max_buffered: a larger file is not held in memory.

    Raises:
        OSError: it can't be opened or read, or is not a regular file.
    """
    with open_regular_file(path) as file:
        status = os.fstat(file.fileno())
        digest, source = _hash(file, status.st_size, max_buffered)
        yield LocalPicture(stamp_of(status), digest, source, spec, max_megapixels, turn, detail, suffix_of(path))


def _measured(metadata: ImageMetadata, image: "Image.Image", box: Box | None = None) -> ImageMetadata:
    """Return the metadata of a file with what is measured on its pixels; a file that says nothing was read, too."""
    described = metadata.description or NOTHING
    return replace(metadata, description=described, phash=perceptual_hash(image, box), **measure(image, box)._asdict())


def _decode_parts(several: SeveralParts, spec: Preprocess) -> Decoded:
    """Decode the parts of a file; what is measured on pixels is that of the cover."""
    parts: list[Part] = []
    crops: list[NDArray[np.uint8]] = []
    metadata = several.metadata
    for part, image in several.parts:
        if not parts:
            metadata = _measured(metadata, image)
        parts.append(part)
        crops.append(resize_and_crop(image, spec))
    if not parts:
        raise ImageReadError("damaged: none of its parts can be decoded")
    return Decoded(crops[0], metadata, tuple(parts), np.stack(crops[1:]) if len(crops) > 1 else None)


class LocalList:
    """`OpenList` in this process."""

    def __init__(self, pictures: Sequence[LocalPicture | Exception]) -> None:
        self._pictures = pictures
        self.files = [each if isinstance(each, Exception) else (each.stamp, each.blake3) for each in pictures]

    def picture(self, row: int) -> LocalPicture:
        """Return a file by position; raises the error why it can't be read."""
        picture = self._pictures[row]
        if isinstance(picture, Exception):
            raise picture
        return picture

    def decode(self, rows: Sequence[int]) -> list[Decoded | Exception]:
        found: list[Decoded | Exception] = []
        for row in rows:
            try:
                found.append(self.picture(row).decode())
            except (ImageReadError, MemoryError) as error:
                found.append(error)
        return found

    def release(self) -> None:
        pass


@contextmanager
def open_list(
    paths: Sequence[str],
    *,
    spec: Preprocess,
    max_megapixels: float = DEFAULT_MAX_MEGAPIXELS,
    turn: Turn | None = None,
    detail: bool = False,
) -> Iterator[LocalList]:
    """Open and hash files, for decoding in this process; arguments as in `open_picture`."""
    room = MAX_BUFFERED_BYTES
    found: list[LocalPicture | Exception] = []
    with ExitStack() as opened:
        for path in paths:
            try:
                picture = opened.enter_context(
                    open_picture(
                        path, spec=spec, max_megapixels=max_megapixels, turn=turn, detail=detail, max_buffered=room
                    )
                )
            except (ImageReadError, MemoryError, OSError) as error:
                found.append(error)
            else:
                found.append(picture)
                room -= len(picture.source) if isinstance(picture.source, bytes) else 0
        yield LocalList(found)


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


def _hash(file: BinaryIO, size_bytes: int, max_buffered: int) -> tuple[bytes, bytes | BinaryIO]:
    """Return the blake3 of the whole content, and what to decode it from."""
    if size_bytes <= max_buffered:
        content = file.read()
        return blake3(content).digest(), content
    hasher = blake3()
    while chunk := file.read(_CHUNK_BYTES):
        hasher.update(chunk)
    file.seek(0, io.SEEK_SET)
    return hasher.digest(), file
