"""Read JPEG XL with imagecodecs; size and orientation are read here, before anything is decoded.

Source of the format: ISO/IEC 18181-1:2024, annex D (headers), and 18181-2:2024 (boxes).
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from clipsearch.errors import ImageReadError
from clipsearch.images.readers.base import DecodedOnLoad, bytes_left, not_supported
from clipsearch.images.reasons import truncated

_CODESTREAM = b"\xff\x0a"

_HEADER_BYTES = 32
_MAX_BOXES = 1_000
_MAX_METADATA_BYTES = 16 << 20

# Width of a picture in heights, by its code.
_RATIOS = {1: Fraction(1), 2: Fraction(6, 5), 3: Fraction(4, 3), 4: Fraction(3, 2), 5: Fraction(16, 9)}
_RATIOS |= {6: Fraction(5, 4), 7: Fraction(2)}
_SIZE_BITS = (9, 13, 18, 30)
_SWAPS_SIDES = (5, 6, 7, 8)


class JpegXlFile(DecodedOnLoad):
    """JPEG XL, upright as decoded: its own orientation is the valid one, that in EXIF is not applied again."""

    format = "JXL"
    format_description = "JPEG XL"

    def _open(self) -> None:
        file: BinaryIO = self.fp  # type: ignore[assignment]
        header = b""
        if file.read(len(_CODESTREAM)) == _CODESTREAM:
            header = file.read(_HEADER_BYTES)
        else:
            for kind, start, length in _boxes(file):
                file.seek(start)
                if kind in (b"jxlc", b"jxlp") and not header:
                    skipped = len(_CODESTREAM) + (4 if kind == b"jxlp" else 0)
                    header = file.read(min(length, _HEADER_BYTES))[skipped:]
                elif kind == b"Exif" and 4 < length <= _MAX_METADATA_BYTES:
                    content = file.read(length)
                    self.info["exif"] = b"Exif\0\0" + content[4 + int.from_bytes(content[:4], "big") :]
                elif kind == b"xml " and length <= _MAX_METADATA_BYTES:
                    self.info["xmp"] = file.read(length)
        self._size = _read_size(header)
        self._mode = "RGB"

    def getexif(self) -> Image.Exif:
        exif = super().getexif()
        exif.pop(ExifTags.Base.Orientation, None)
        return exif

    def _decode(self) -> Image.Image:
        try:
            import imagecodecs
        except ImportError as error:
            raise ImageReadError("not supported without an extra: pip install 'clipsearch[jxl]'") from error
        file: BinaryIO = self.fp  # type: ignore[assignment]
        file.seek(0)
        pixels = np.asarray(imagecodecs.jpegxl_decode(file.read(), numthreads=1))
        if pixels.ndim == 4:  # frames
            pixels = pixels[0]
        if pixels.ndim == 2:
            pixels = pixels[..., np.newaxis]
        if pixels.shape[:2] != self.size[::-1] or pixels.shape[2] > 4:
            raise not_supported("JPEG XL", f"{pixels.shape[2]} channels")
        levels = _to_bytes(pixels)
        return Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, offset and length of the content of each box."""
    file.seek(0)
    for _ in range(_MAX_BOXES):
        header = file.read(8)
        if len(header) < 8:
            return
        length, skipped = int.from_bytes(header[:4], "big"), 8
        if length == 1:
            length, skipped = int.from_bytes(file.read(8), "big"), 16
        left = bytes_left(file)
        content = left if length == 0 else length - skipped
        if content < 0:
            return
        start = file.tell()
        yield header[4:], start, min(content, left)
        file.seek(start + min(content, left))


def _read_size(header: bytes) -> tuple[int, int]:
    """Return width and height as displayed."""
    if len(header) < 12:
        raise truncated()
    bits = _Bits(header)
    is_small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if is_small else 1 + bits.take(_SIZE_BITS[bits.take(2)])

    height = side()
    ratio = bits.take(3)
    width = int(height * _RATIOS[ratio]) if ratio else side()
    is_default = bits.take(1)
    orientation = 1 + bits.take(3) if not is_default and bits.take(1) else 1
    return (height, width) if orientation in _SWAPS_SIDES else (width, height)


class _Bits:
    """Bits of a header, from the lowest of each byte on."""

    def __init__(self, content: bytes) -> None:
        self._number = int.from_bytes(content, "little")

    def take(self, count: int) -> int:
        value = self._number & ((1 << count) - 1)
        self._number >>= count
        return value


def _to_bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Reduce levels of up to 16 bits, or floats from 0 to 1, to 8 bits."""
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    if pixels.dtype == np.uint16:
        return np.asarray(pixels >> 8, np.uint8)
    floats = pixels.astype(np.float32)
    return np.asarray(np.rint(255 * np.nan_to_num(floats).clip(0, 1)), np.uint8)
