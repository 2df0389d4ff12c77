"""From an upright RGB picture to the numbers a vision tower takes.

Two steps, so that the first can run in decoding threads and what waits in between stays small:
`resize_and_crop` gives uint8 (height, width, 3); `to_pixel_values` makes the normalised float32 batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How one model wants its pictures.

    Attributes:
        height: pixels of the model's input.
        width: pixels of the model's input.
        shortest_edge: the shorter side is resized to this many pixels and the centre is cropped;
            None resizes straight to (height, width), whatever the picture's shape.
        resample: Pillow's filter number (2 bilinear, 3 bicubic).
        rescale_factor: applied to the 0–255 values before mean and std.
        mean: per channel, RGB.
        std: per channel, RGB.
    """

    height: int
    width: int
    shortest_edge: int | None
    resample: int
    rescale_factor: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
