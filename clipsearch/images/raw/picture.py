"""Put together the picture of a camera raw file: its pixels, metadata, size and orientation."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import BinaryIO, TypeVar

from PIL import Image
from PIL.ExifTags import Base

from clipsearch.errors import ImageReadError
from clipsearch.images.raw.containers import adopt_exif, find_canon_preview, read_exif
from clipsearch.images.raw.kinds import find_kind
from clipsearch.images.raw.libraw import LibRawFile
from clipsearch.images.turns import Turn
from clipsearch.types import ImageMetadata

Result = TypeVar("Result")

# Models take pictures of 224 to 512 pixels: a preview whose shorter side is smaller is the last resort.
_GOOD_SIDE = 400
# Still smaller, it is a thumbnail, and the reason why the raw data can't be developed says more.
_MIN_SIDE = 200

# A preview with about as many pixels has the full size, exactly that of the camera's own JPEGs.
_MOST_UNLIKE = 1.25

# Development takes half the memory per pixel that decoding does: this is twice what `decode` calls large.
_BIG_MEGAPIXELS = 64.0

_SWAPS_SIDES = (5, 6, 7, 8)


class RawPicture:
    """An opened raw file; see `open_raw`.

    Attributes:
        kind: name of its kind, "CR2".
        size: width and height of the full picture in pixels, upright.
    """

    def __init__(self, raw: LibRawFile, kind: str, exif: Image.Exif, preview: Image.Image | None) -> None:
        self.kind = kind
        self._raw = raw
        self._exif = exif
        self._preview = preview
        self._preview_orientation = raw.orientation
        swaps_sides = raw.orientation in _SWAPS_SIDES
        stored = raw.size
        if preview is not None:
            size = preview.size
            if swaps_sides and (preview.width > preview.height) != (stored[0] > stored[1]):
                self._preview_orientation = 1  # rotated by the camera
                size = size[::-1]
            if 1 / _MOST_UNLIKE <= preview.width * preview.height / (stored[0] * stored[1]) <= _MOST_UNLIKE:
                stored = size
        self.size = stored[::-1] if swaps_sides else stored

    def decode(self, decode: Callable[[Image.Image], Result], *, turn: Turn) -> Result:
        """Decode the preview, or the development where the preview is small or damaged.

        Args:
            decode: called with an opened Pillow image that has the EXIF of the raw file and its own orientation.
            turn: entered while a large file is developed.

        Returns:
            What `decode` returns for the first image that it can decode.

        Raises:
            Exception: the reason why the raw data can't be developed, where the preview can't be decoded either.
        """
        shorter_side = 0 if self._preview is None else min(self._preview.size)
        if self._preview is not None and shorter_side >= _GOOD_SIDE:
            with suppress(Exception):  # decoders raise anything
                return decode(self._with_exif(self._preview, self._preview_orientation))
        try:
            return decode(self._with_exif(self._develop(turn), self._raw.orientation))
        except ImageReadError:
            if self._preview is None or not _MIN_SIDE <= shorter_side < _GOOD_SIDE:
                raise
            return decode(self._with_exif(self._preview, self._preview_orientation))

    def header(self) -> Image.Image:
        """Return an image with the EXIF of the raw file; its pixels are not those of the picture."""
        return self._with_exif(self._preview or Image.new("RGB", (1, 1)), 1)

    def describe(self, metadata: ImageMetadata) -> ImageMetadata:
        """Return the metadata of one of the images as that of the raw file."""
        width, height = self.size
        return replace(metadata, format=self.kind, width=width, height=height)

    def _develop(self, turn: Turn) -> Image.Image:
        width, height = self._raw.size
        with turn() if width * height / 1e6 > _BIG_MEGAPIXELS else nullcontext():
            return self._raw.develop(is_half_size=min(self._raw.size) >= 2 * _GOOD_SIDE)

    def _with_exif(self, image: Image.Image, orientation: int) -> Image.Image:
        adopt_exif(image, self._exif)
        image.getexif()[Base.Orientation] = orientation
        return image


@contextmanager
def open_raw(file: BinaryIO, *, max_megapixels: float) -> Iterator[RawPicture | None]:
    """Open a file if it is a camera raw file by its content, else yield None; its position changes.

    Raises:
        ImageReadError: it is a raw file that can't be read, or is too large.
    """
    kind = find_kind(file)
    if kind is None:
        yield None
        return
    file.seek(0)
    raw = LibRawFile(file.read(), kind, max_megapixels=max_megapixels)
    try:
        yield RawPicture(raw, kind, read_exif(file, kind), _open_preview(raw, file, kind, max_megapixels))
    finally:
        raw.close()


def _open_preview(raw: LibRawFile, file: BinaryIO, kind: str, max_megapixels: float) -> Image.Image | None:
    content = raw.find_preview()
    if content is None and kind == "CR3":
        content = find_canon_preview(file)
    if content is None:
        return None
    try:
        image = Image.open(io.BytesIO(content), formats=("JPEG",))
    except Exception:  # readers raise anything  # noqa: BLE001
        return None
    return image if image.width * image.height <= max_megapixels * 1e6 else None
