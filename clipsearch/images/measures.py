"""Measure how sharp and how bright a decoded picture is, on scales from 0 to 100 that filters compare with.

Both are measured at one size, so that they do not depend on the picture's resolution: as it looks on a screen, not at
full size. `python -m tests.benchmarks.quality` measures which blurred, moved and dark copies they find.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Pixels of the longer side that is measured. At 256, 16 % of 250 copies blurred by 0.3 % were not found, at 384 5 %.
_SIDE = 384

# Side of a block in pixels: wider than the edges of a blurred picture, smaller than most things in one.
_BLOCK = 12

# Range of grey levels that makes a block one with an edge: grain and compression stay below. Of a picture without such
# contrast, this share of its highest range, down to what compression leaves.
_MIN_RANGE, _RANGE_SHARE, _LEAST_RANGE = 48, 0.4, 12

# The sharpest tenth of the blocks with an edge counts: what lies out of focus on purpose is no blur.
_SHARPEST = 0.9

# Pixels sampled per side for the brightness.
_SAMPLED = 128

# What counts as the bright part of a picture, which a black background does not make dark.
_BRIGHT_SHARE = 0.95


class Measures(NamedTuple):
    """Whole numbers from 0 to 100.

    Attributes:
        sharpness: 100 divided by the width in pixels of the sharpest edges, when the longer side has 384 pixels; across
            the direction with wider ones, as motion blurs one only. 0 without edges.
        brightness: mean of the mean grey level and of the one that 5 % of the pixels exceed; 0 is black, 100 white.
    """

    sharpness: int
    brightness: int


def measure(image: Image.Image, box: tuple[float, float, float, float] | None = None) -> Measures:
    """Measure a picture; a small one is not enlarged.

    Args:
        image: mode "RGB".
        box: of the picture in it, see `decode.DecodedImage`; None: all of it.
    """
    left, top, right, bottom = box or (0, 0, *image.size)
    width, height = right - left, bottom - top
    scale = min(1.0, _SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # Green has most of the luminance, and takes a third of the time of a conversion to grey.
    green = image.getchannel("G")
    if (left, top, *size) != (0, 0, *green.size):
        green = green.resize(size, Image.Resampling.BOX, box=(left, top, right, bottom), reducing_gap=1.0)
    sampled = image.resize((_SAMPLED, _SAMPLED), Image.Resampling.NEAREST, box=(left, top, right, bottom))
    return Measures(_sharpness(np.asarray(green)), _brightness(sampled.convert("L")))


def _sharpness(grey: NDArray[np.uint8]) -> int:
    """Return 100 / the edge width of one channel of a picture (height, width).

    A block's edge is as wide as its range of levels divided by the largest step between two neighbours. The share of
    the two does not depend on contrast.

    Source: P. Marziliano et al., "A no-reference perceptual blur metric", ICIP 2002: blur is the width of the edges.
    """
    # A narrow picture is one row or column of blocks.
    rows, columns = (min(_BLOCK, side) for side in grey.shape)
    grey = grey[: grey.shape[0] // rows * rows, : grey.shape[1] // columns * columns]
    # Steps inside of blocks only: between those of JPEG there may be one that the picture does not have.
    across, down, scratch = np.empty((3, *grey.shape), dtype=np.uint8)
    _steps(grey, across, scratch)
    across[:, ::columns] = 0
    _steps(grey.T, down.T, scratch.T)
    down[::rows] = 0
    highest, lowest, across, down = (
        _in_blocks(levels, rows, columns, reduce)
        for levels, reduce in ((grey, np.maximum), (grey, np.minimum), (across, np.maximum), (down, np.maximum))
    )
    ranges = highest - lowest
    has_edge = ranges >= max(_LEAST_RANGE, min(_MIN_RANGE, round(_RANGE_SHARE * int(ranges.max()))))
    if not has_edge.any():
        return 0
    shares = np.stack([across[has_edge], down[has_edge]]) / ranges[has_edge]
    place = round(_SHARPEST * (shares.shape[1] - 1))
    return math.floor(100 * float(np.partition(shares, place, axis=1)[:, place].min()) + 0.5)


def _steps(levels: NDArray[np.uint8], steps: NDArray[np.uint8], scratch: NDArray[np.uint8]) -> None:
    """Write the difference of each column of levels from the one before it to `steps`, from the second column on."""
    before, here, steps, scratch = levels[:, :-1], levels[:, 1:], steps[:, 1:], scratch[:, 1:]
    np.maximum(before, here, out=steps)
    np.minimum(before, here, out=scratch)
    np.subtract(steps, scratch, out=steps)


def _in_blocks(levels: NDArray[np.uint8], rows: int, columns: int, reduce: np.ufunc) -> NDArray[np.uint8]:
    """Reduce each block of (rows, columns) levels to one, rows first: that leaves little for the other axis."""
    height, width = levels.shape
    strips = reduce.reduce(levels.reshape(height // rows, rows, width), axis=1)
    return np.asarray(reduce.reduce(strips.reshape(-1, width // columns, columns), axis=2))


def _brightness(grey: Image.Image) -> int:
    counts = np.array(grey.histogram())
    mean = float(counts @ np.arange(256)) / int(counts.sum())
    bright = int(np.searchsorted(counts.cumsum(), _BRIGHT_SHARE * int(counts.sum())))
    return math.floor(100 * (mean + bright) / 2 / 255 + 0.5)
