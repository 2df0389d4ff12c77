"""Measure what a picture with text looks like, by which its kind is told: a screenshot, a page, a board."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.ocr.lines import TextLine

# Rows of a picture that are looked at, and side of the small picture that brightness and colours are measured on.
_ROWS, _SMALL = 500, 64

# Luma that bright and dark begin at, and the difference between the channels of a grey; shares of 255.
_BRIGHT, _DARK, _GREY = 0.55, 0.3, 0.15

# Bits of a channel in the colours that are counted: 4096 of them.
_BITS = 4
_COMMONEST = 8

# ITU-R BT.601.
_LUMA = np.array((0.299, 0.587, 0.114), dtype=np.float32)


class Look(NamedTuple):
    """Measures of a picture; shares from 0 to 1 where nothing else is said.

    Attributes:
        lines: number of those that were found, also of those that could not be read.
        area: of their boxes.
        height: of a line, at the median, of the longer side.
        confidence: mean of the lines; 0 for what was not read.
        flat: neighbours with the same colour, as drawn by programs.
        even: with nearly the same colour.
        commonest: of the most frequent eight of 4,096 colours.
        luma, contrast: mean and standard deviation.
        saturation: mean difference of the channels.
        bright, dark: bright and grey; dark.
    """

    lines: int
    area: float
    height: float
    confidence: float
    flat: float
    even: float
    commonest: float
    luma: float
    contrast: float
    saturation: float
    bright: float
    dark: float


class ReadImage(NamedTuple):
    """What was read in a picture.

    Attributes:
        lines: from top to bottom.
        look: of a picture in which lines were found, whether they could be read or not; None without any.
    """

    lines: tuple[TextLine, ...]
    look: Look | None


def look_of(image: Image.Image, lines: Sequence[TextLine]) -> Look:
    """Measure a picture, mode "RGB", with the lines that were found in it, at least one."""
    boxes = np.array([line.box for line in lines], dtype=np.float64)
    sizes = boxes[:, 2:] - boxes[:, :2]
    heights = (sizes * image.size).min(axis=1) / max(image.size)
    pixels = np.asarray(image)
    pixels = pixels[:: max(1, len(pixels) // _ROWS)]
    steps = np.abs(np.diff(pixels.astype(np.int16), axis=1)).max(axis=2)
    small = np.asarray(image.resize((_SMALL, _SMALL)), dtype=np.float32) / 255
    luma, spread = small @ _LUMA, small.max(axis=2) - small.min(axis=2)
    return Look(
        lines=len(lines),
        area=float(sizes.prod(axis=1).sum()),
        height=float(np.median(heights)),
        confidence=float(np.mean([line.confidence for line in lines])),
        flat=float((steps == 0).mean()) if steps.size else 0.0,
        even=float((steps <= 3).mean()) if steps.size else 0.0,
        commonest=float(np.sort(_count_colours(pixels))[-_COMMONEST:].sum() / pixels[..., 0].size),
        luma=float(luma.mean()),
        contrast=float(luma.std()),
        saturation=float(spread.mean()),
        bright=float(((luma > _BRIGHT) & (spread < _GREY)).mean()),
        dark=float((luma < _DARK).mean()),
    )


def _count_colours(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    red, green, blue = np.moveaxis(pixels >> (8 - _BITS), 2, 0).astype(np.int64)
    return np.bincount(((red << _BITS | green) << _BITS | blue).ravel(), minlength=1 << 3 * _BITS)
