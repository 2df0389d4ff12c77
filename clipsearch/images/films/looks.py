"""Compare frames by colour and layout, and grade how well one can stand for its scene."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.images.measures import measure
from clipsearch.images.perceptual_hash import perceptual_hash

# Pixels per side that are compared: colours, and grey levels.
_SIDE, _GREY_SIDE = 64, 8

# What of a difference comes from colours, and the mean difference of grey levels that counts as another layout. Pans by
# a tenth of the width and cuts between photographs lie furthest apart with these: a pan moves the layout more than the
# colours (`python -m tests.benchmarks.films --pairs`).
_COLOUR_SHARE, _OTHER_LAYOUT = 0.7, 0.5

_WEIGHTS = np.array([16, 4, 1], dtype=np.uint8)
_COLOURS = 64

# Grades: nothing to see, hard to see, well to see.
BLANK, POOR, GOOD = 0, 1, 2

# Brightness up to which a frame is black, and dark; standard deviation of grey levels up to which it is blank.
_BLACK, _DARK = 5, 15
_BLANK_DEVIATION = 4.0
# Sharpness below which a frame is blurred, as the smallest pictures measure it.
_BLURRED = 25


class Look(NamedTuple):
    """What frames are compared by.

    Attributes:
        colours: (64,) float32, shares of the pixels with two bits per channel.
        grey: (8, 8) float32, levels from 0 to 1.
    """

    colours: NDArray[np.floating[Any]]
    grey: NDArray[np.floating[Any]]


class Grade(NamedTuple):
    """How well a frame can stand for its scene; the higher, the better.

    Attributes:
        level: BLANK, POOR or GOOD.
        sharpness: 0 to 100, see `measures.measure`.
    """

    level: int
    sharpness: int


def look_at(image: Image.Image) -> Look:
    """Compute what a frame, mode "RGB", is compared by."""
    small = image.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    codes = (np.asarray(small) >> 6) @ _WEIGHTS
    colours = np.bincount(codes.ravel(), minlength=_COLOURS).astype(np.float32) / _SIDE**2
    grey = np.asarray(small.convert("L").reduce(_SIDE // _GREY_SIDE), dtype=np.float32) / 255
    return Look(colours, grey)


def difference(one: Look, other: Look) -> float:
    """Return how different the colours and the layout of two frames are, from 0 to 1."""
    colours = float(np.abs(one.colours - other.colours).sum()) / 2
    layout = min(1.0, float(np.abs(one.grey - other.grey).mean()) / _OTHER_LAYOUT)
    return _COLOUR_SHARE * colours + (1 - _COLOUR_SHARE) * layout


def grade(image: Image.Image) -> Grade:
    """Grade a frame, mode "RGB"."""
    sharpness, brightness = measure(image)
    deviation = float(np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)).std())
    if brightness <= _BLACK or deviation <= _BLANK_DEVIATION or perceptual_hash(image) == 0:
        return Grade(BLANK, sharpness)
    return Grade(POOR if brightness <= _DARK or sharpness < _BLURRED else GOOD, sharpness)
