"""Read pictures of astronomy: FITS.

Pillow's reader ignores the scale and zero of the values and the colours of three planes, and it unpacks compressed
tables pixel by pixel. The values are linear and dark, so they are stretched as programs for FITS show them.
Source of the format: FITS standard 4.0.
"""

import math
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.images.readers.base import DecodedOnLoad, bytes_left, not_supported
from clipsearch.images.reasons import truncated

_BLOCK, _CARD = 2880, 80
_MAX_CARDS = 36_000
_MAX_UNITS = 100
_TYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_COLOURS = 3

# The values between these percentiles are shown; they are found on about `_SAMPLE` of them.
_PERCENTILES = (0.25, 99.75)
_SAMPLE = 1_000_000
# Source: Lupton et al. 2004, PASP 116:133 (asinh); this softening is the default of astropy.visualization.AsinhStretch.
_SOFTENING = 0.1

_STRIP_VALUES = 2_000_000


class FitsFile(DecodedOnLoad):
    """The first picture of a FITS file: its first plane, or three as red, green and blue."""

    format = "FITS"
    format_description = "FITS"

    def _open(self) -> None:
        file: BinaryIO = self.fp  # type: ignore[assignment]
        axes: list[int]
        for _ in range(_MAX_UNITS):
            header = dict(_read_cards(file))
            axes = [_whole(header, f"NAXIS{number + 1}") for number in range(min(_whole(header, "NAXIS"), 999))]
            bits = _whole(header, "BITPIX")
            if bits not in _TYPES or any(axis < 0 for axis in axes):
                raise not_supported("FITS", f"{bits} bits")
            is_picture = "SIMPLE" in header or header.get("XTENSION", "").startswith("IMAGE")
            if len(axes) >= 2 and math.prod(axes, start=1) and is_picture:
                break
            if header.get("ZIMAGE") == "T":
                raise not_supported("FITS", "compressed")
            skipped = abs(bits) // 8 * (math.prod(axes) if axes else 0) + _whole(header, "PCOUNT", 0)
            file.seek(min(skipped + -skipped % _BLOCK, bytes_left(file)), 1)
        else:
            raise not_supported("FITS", "no picture")
        self._size = axes[0], axes[1]
        self._mode = "RGB" if axes[2:] == [_COLOURS] else "L"
        self._values = _Values(file, _TYPES[bits], _real(header, "BSCALE", 1.0), _real(header, "BZERO", 0.0), axes)
        if self._values.plane_bytes * len(self.getbands()) > bytes_left(file):
            raise truncated()

    def _decode(self) -> Image.Image:
        values = self._values
        planes = range(len(self.getbands()))
        low, high = values.find_range(planes)
        shown = [Image.fromarray(_flipped(values, plane, low, high)) for plane in planes]
        return shown[0] if len(shown) == 1 else Image.merge("RGB", shown)


class _Values:
    """Values of a picture in an open file, which starts at its position."""

    def __init__(self, file: BinaryIO, kind: str, scale: float, zero: float, axes: list[int]) -> None:
        self._file = file
        self._start = file.tell()
        self._kind = np.dtype(kind)
        self._scale, self._zero = scale, zero
        self.width, self.height = axes[0], axes[1]
        self.is_plain = kind == "u1" and (scale, zero) == (1.0, 0.0)
        self.plane_bytes = self.width * self.height * self._kind.itemsize

    def rows(self, plane: int, *, step: int = 1) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield strips of a plane, float64 (rows, width), with the number of their first row; each `step`-th strip."""
        rows = max(1, _STRIP_VALUES // self.width) if step == 1 else 1
        row_bytes = self.width * self._kind.itemsize
        for top in range(0, self.height, rows * step):
            number = min(rows, self.height - top)
            self._file.seek(self._start + plane * self.plane_bytes + top * row_bytes)
            strip = np.frombuffer(self._file.read(number * row_bytes), self._kind).reshape(number, self.width)
            yield top, strip * np.float64(self._scale) + self._zero

    def find_range(self, planes: range) -> tuple[float, float]:
        """Return the lowest and highest value to be shown."""
        if self.is_plain:
            return 0.0, 255.0
        step = max(2, math.ceil(len(planes) * self.width * self.height / _SAMPLE))
        columns = max(1, math.ceil(self.width / _SAMPLE))
        sample = np.concatenate([row[0, ::columns] for plane in planes for _, row in self.rows(plane, step=step)])
        sample = sample[np.isfinite(sample)]
        if not sample.size:
            return 0.0, 1.0
        low, high = np.percentile(sample, _PERCENTILES)
        return (float(low), float(high)) if high > low else (float(sample.min()), float(sample.max()) or 1.0)


def _flipped(values: _Values, plane: int, low: float, high: float) -> NDArray[np.uint8]:
    """Return a plane as grey levels, its first row at the top: a FITS file begins with the lowest."""
    levels = np.empty((values.height, values.width), np.uint8)
    for top, strip in values.rows(plane):
        share = ((np.nan_to_num(strip, nan=low, posinf=high, neginf=low) - low) / ((high - low) or 1.0)).clip(0, 1)
        if not values.is_plain:
            share = np.arcsinh(share / _SOFTENING) / math.asinh(1 / _SOFTENING)
        levels[top : top + len(strip)] = np.rint(255 * share)
    return levels[::-1].copy()


def _read_cards(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """Yield keywords and values of a header, up to its end; the file is then at the values."""
    start = file.tell()
    for number in range(_MAX_CARDS):
        card = file.read(_CARD)
        if len(card) < _CARD:
            raise truncated()
        keyword = card[:8].decode("latin-1").strip()
        if keyword == "END":
            length = (number + 1) * _CARD
            file.seek(start + length + -length % _BLOCK)
            return
        if card[8:9] == b"=":
            yield keyword, card[9:].decode("latin-1").partition("/")[0].strip().strip("'").strip()
    raise not_supported("FITS", "a header without an end")


def _whole(header: dict[str, str], keyword: str, default: int | None = None) -> int:
    value = header.get(keyword)
    if value is None and default is not None:
        return default
    if value is None or len(value) > 18:
        raise not_supported("FITS", f"{keyword} is missing")
    return int(value)


def _real(header: dict[str, str], keyword: str, default: float) -> float:
    value = float(header.get(keyword, default))
    return value if math.isfinite(value) else default
