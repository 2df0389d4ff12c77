"""Pictures that look unlike each other."""

import numpy as np
from PIL import Image


def scene(number: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A sharp picture that looks unlike those of other numbers."""
    rng = np.random.default_rng(number)
    blocks = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST)
