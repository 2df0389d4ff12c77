"""Read the composite picture of PSD and PSB files, with 1, 8, 16 or 32 bits a channel.

Pillow's reader knows 8 bits only, no PSB and no metadata, and takes any fourth channel for transparency.
Source of the format: Adobe Photoshop File Formats Specification, November 2019, as are all numbers here.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from clipsearch.errors import ImageReadError
from clipsearch.images.readers.base import DecodedOnLoad, bytes_left, not_supported, read_exactly
from clipsearch.images.reasons import truncated

_HEADER = struct.Struct(">4sH6xHIIHH")
_BIG = 2  # version of PSB, with longer lengths

# Colour mode → Pillow's mode and its number of channels.
_MODES = {0: ("1", 1), 1: ("L", 1), 2: ("P", 1), 3: ("RGB", 3), 4: ("CMYK", 4), 7: ("L", 1), 8: ("L", 1)}
_LAB = 9
_DEPTHS = (1, 8, 16, 32)
_PALETTE_BYTES = 768
_RAW, _PACKED = 0, 1

# Image resources.
_IPTC, _PROFILE, _VERSION_INFO, _EXIF, _XMP = 1028, 1039, 1057, 1058, 1060
_MAX_RESOURCES = 10_000
_MAX_RESOURCE_BYTES = 16 << 20

# 16-bit rows are converted in strips of about this many values.
_STRIP_VALUES = 4_000_000


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where and how the composite is stored.

    Attributes:
        depth: bits of a value.
        compression: `_RAW` or `_PACKED`.
        start: offset of the first channel's values.
        packed_bytes: for each channel, where packed.
    """

    depth: int
    compression: int
    start: int
    packed_bytes: tuple[int, ...] = ()


class PhotoshopFile(DecodedOnLoad):
    """Composite of a PSD or PSB file: what its layers show together."""

    format = "PSD"
    format_description = "Adobe Photoshop"

    def _open(self) -> None:
        file = self._file
        _, version, channels, height, width, depth, colours = _HEADER.unpack(file.read(_HEADER.size))
        if colours not in _MODES or depth not in _DEPTHS or version not in (1, _BIG):
            raise not_supported("PSD", "Lab colours" if colours == _LAB else f"version {version}, {depth} bits")
        self._is_big = version == _BIG
        self._mode, needed = _MODES[colours]
        self._size = width, height
        if channels < needed:
            raise not_supported("PSD", f"{channels} channels")
        self._colours = read_exactly(file, _length(file))
        self._read_resources(_length(file))
        layers_bytes = _length(file, is_long=self._is_big)
        layers_start = file.tell()
        if self._mode == "RGB" and channels > needed and self._has_transparency(layers_bytes):
            self._mode, needed = "RGBA", 4
        file.seek(layers_start + layers_bytes)
        self._layout = self._read_layout(channels, needed, depth)

    @property
    def _file(self) -> BinaryIO:
        if self.fp is None:
            raise ValueError("the file is closed")
        return self.fp  # type: ignore[return-value]

    def _read_resources(self, size_bytes: int) -> None:
        """Read the profile and metadata; raise ImageReadError where the composite is missing."""
        file = self._file
        end = file.tell() + size_bytes
        for _ in range(_MAX_RESOURCES):
            if file.tell() + 12 > end:
                break
            _, kind, name_bytes = struct.unpack(">4sHB", read_exactly(file, 7))
            file.seek(name_bytes + (1 - name_bytes % 2), 1)
            length = _length(file)
            start = file.tell()
            if kind in (_IPTC, _PROFILE, _VERSION_INFO, _EXIF, _XMP) and length <= _MAX_RESOURCE_BYTES:
                self._take_resource(kind, file.read(length))
            file.seek(start + length + length % 2)
        file.seek(end)

    def _take_resource(self, kind: int, content: bytes) -> None:
        if kind == _PROFILE:
            self.info["icc_profile"] = content
        elif kind == _IPTC:
            self.info["photoshop"] = {_IPTC: content}  # as Pillow does for JPEG
        elif kind == _EXIF:
            self.info["exif"] = b"Exif\0\0" + content
        elif kind == _XMP:
            self.info["xmp"] = content
        elif content[4:5] == b"\0":
            raise ImageReadError('not supported: a PSD without a composite, saved with "Maximize Compatibility" off')

    def _has_transparency(self, size_bytes: int) -> bool:
        """Return whether the first channel after the colours is the composite's transparency, not a saved selection."""
        length_bytes = 8 if self._is_big else 4
        if size_bytes < length_bytes + 2:
            return False
        start = read_exactly(self._file, length_bytes + 2)
        return int.from_bytes(start[-2:], "big", signed=True) < 0  # the number of layers

    def _read_layout(self, channels: int, needed: int, depth: int) -> _Layout:
        file = self._file
        compression = int.from_bytes(read_exactly(file, 2), "big")
        if compression == _RAW:
            return _Layout(depth, compression, file.tell())
        if compression != _PACKED:
            raise not_supported("PSD", f"compression {compression}")
        counts = np.frombuffer(
            read_exactly(file, channels * self.height * (4 if self._is_big else 2)), ">u4" if self._is_big else ">u2"
        )
        packed = counts.reshape(channels, self.height)[:needed].sum(axis=1, dtype=np.int64)
        return _Layout(depth, compression, file.tell(), tuple(packed.tolist()))

    def _decode(self) -> Image.Image:
        bands = [self._read_channel(number) for number in range(Image.getmodebands(self._mode))]
        if self._mode == "1":
            return bands[0]
        if self._mode == "P":
            image = bands[0]
            image.putpalette(_palette(self._colours))
            return image
        if self._mode == "CMYK":  # stored as what is not inked
            bands = [ImageOps.invert(band) for band in bands]
        return Image.merge(self._mode, bands)

    def _read_channel(self, number: int) -> Image.Image:
        layout, file = self._layout, self._file
        row_bytes = (self.width * layout.depth + 7) // 8
        if layout.compression == _RAW:
            file.seek(layout.start + number * row_bytes * self.height)
            content = read_exactly(file, row_bytes * self.height)
        else:
            file.seek(layout.start + sum(layout.packed_bytes[:number]))
            content = _unpack(read_exactly(file, layout.packed_bytes[number]), row_bytes, self.height)
        if layout.depth == 1:
            return Image.frombytes("1", self.size, content, "raw", "1;I")
        if layout.depth == 8:
            return Image.frombytes("L", self.size, content)
        return Image.fromarray(_to_bytes(content, layout.depth, self.height, self.width))


def _length(file: BinaryIO, *, is_long: bool = False) -> int:
    """Read the length of a section, which must be in the file."""
    length = int.from_bytes(read_exactly(file, 8 if is_long else 4), "big")
    if length > bytes_left(file):
        raise truncated()
    return length


def _unpack(packed: bytes, row_bytes: int, height: int) -> bytes:
    """Decode PackBits rows."""
    try:
        return Image.frombytes("L", (row_bytes, height), packed, "packbits", "L").tobytes()
    except ValueError as error:  # too little of it, or a run beyond the end of a row
        raise truncated() from error


def _to_bytes(content: bytes, depth: int, height: int, width: int) -> NDArray[np.uint8]:
    """Reduce values of 16 bits, or linear floats of 32, to 8 bits of sRGB."""
    values = np.frombuffer(content, ">u2" if depth == 16 else ">f4").reshape(height, width)
    result = np.empty((height, width), np.uint8)
    rows = max(1, _STRIP_VALUES // width)
    for top in range(0, height, rows):
        strip = values[top : top + rows]
        if depth == 16:
            result[top : top + rows] = strip >> 8
        else:
            linear = np.nan_to_num(strip.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
            # Source: IEC 61966-2-1, the transfer function of sRGB.
            encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
            result[top : top + rows] = np.rint(255 * encoded)
    return result


def _palette(colours: bytes) -> bytes:
    """Interleave the reds, greens and blues of an indexed picture."""
    if len(colours) < _PALETTE_BYTES:
        raise not_supported("PSD", "a short palette")
    return np.frombuffer(colours[:_PALETTE_BYTES], np.uint8).reshape(3, 256).T.tobytes()
