"""Read textures of games: TGA and DDS.

Their fourth channel is often no transparency: one that is zero everywhere, or that the header does not name, is
ignored.
"""

import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.DdsImagePlugin import DdsImageFile
from PIL.TgaImagePlugin import TgaImageFile

from clipsearch.images.readers.base import not_supported, read_exactly

# Source: Truevision TGA 2.0, image descriptor, bits 0 to 3: number of bits of transparency.
_DESCRIPTOR, _ALPHA_BITS = 17, 0x0F

# Source: Microsoft, DDS file layout: pixel format at 76, header of DX10 at 128 with its number first, then the pixels.
_CODE, _NUMBER, _PIXELS = slice(84, 88), slice(128, 132), 128
# The number in DXGI_FORMAT of compressed pixels in sRGB, and of the same ones without: Pillow knows these only.
_WITHOUT_SRGB = {72: 71, 75: 74, 78: 77}

_STRIP_PIXELS = 2_000_000


class TargaFile(TgaImageFile):
    """TGA, with transparency only where the header says so."""

    def _open(self) -> None:
        header = self.fp.read(18)  # type: ignore[union-attr]
        self._has_alpha = bool(header[_DESCRIPTOR] & _ALPHA_BITS)
        self.fp.seek(0)  # type: ignore[union-attr]
        super()._open()

    def load_end(self) -> None:
        super().load_end()
        if self.mode == "RGBA" and not (self._has_alpha and self.im.getband(3).getextrema() != (0, 0)):
            self.im.fillband(3, 255)


class TextureFile(DdsImageFile):
    """DDS; its first surface. Colours that are not compressed are unpacked here: Pillow does it pixel by pixel."""

    def load(self) -> Any:
        if self._im is None and self.tile and self.tile[0].codec_name == "dds_rgb":
            bits, masks = self.tile[0].args  # type: ignore[misc,str-unpack]
            image = Image.fromarray(_unpack(self.fp, self.width, self.height, bits, masks))  # type: ignore[arg-type]
            self.im, self._mode, self.tile = image.im, image.mode, []
            self._drop_empty_alpha()
        return super().load()

    def load_end(self) -> None:
        super().load_end()
        self._drop_empty_alpha()

    def _drop_empty_alpha(self) -> None:
        if self.mode == "RGBA" and self.im.getband(3).getextrema() == (0, 0):
            self.im.fillband(3, 255)


def open_texture(file: BinaryIO) -> Image.Image:
    """Open a DDS file without decoding it."""
    header = file.read(_NUMBER.stop)
    number = int.from_bytes(header[_NUMBER], "little")
    if header[_CODE] == b"DX10" and number in _WITHOUT_SRGB:
        content = header[: _NUMBER.start] + _WITHOUT_SRGB[number].to_bytes(4, "little") + file.read()
        file = io.BytesIO(content)
    file.seek(0)
    try:
        return TextureFile(file)
    except NotImplementedError as error:
        raise not_supported("DDS", str(error)) from error


def _unpack(file: BinaryIO, width: int, height: int, bits: int, masks: tuple[int, ...]) -> NDArray[np.uint8]:
    """Unpack pixels of some bits each, little endian, to uint8 (height, width, 3 or 4)."""
    if bits not in (8, 16, 24, 32):
        raise not_supported("DDS", f"{bits} bits a pixel")
    size = bits // 8
    result = np.empty((height, width, len(masks)), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    file.seek(_PIXELS)
    for top in range(0, height, rows):
        number = min(rows, height - top)
        content = np.frombuffer(read_exactly(file, number * width * size), np.uint8).reshape(-1, size)
        pixels = np.zeros(len(content), np.uint32)
        for place in range(size):
            pixels |= content[:, place].astype(np.uint32) << (8 * place)
        for channel, mask in enumerate(masks):
            result[top : top + number, :, channel] = _channel(pixels, mask).reshape(number, width)
    return result


def _channel(pixels: NDArray[np.uint32], mask: int) -> NDArray[np.uint8]:
    """Return the bits under a mask as levels, 0 to 255; under an empty mask 0."""
    if not mask:
        return np.zeros(len(pixels), np.uint8)
    offset = (mask & -mask).bit_length() - 1
    highest = mask >> offset
    surplus = max(0, highest.bit_length() - 8)
    levels = np.rint(np.arange(256) * 255 / (highest >> surplus)).clip(0, 255).astype(np.uint8)
    return levels[((pixels & np.uint32(mask)) >> np.uint32(offset + surplus)).astype(np.uint8)]
