"""Lay pictures out as patches in a grid of variable shape, for models without a fixed size of picture.

The resized picture keeps its aspect ratio, and has at most a fixed number of patches. Its patches, row by row, and the
shape of the grid are packed into one uint8 array of fixed shape, so that all that stores, sends and stacks crops is the
same for every model.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Precision and range of the scale that `_round_up` searches. Source: transformers 5.24
# image_processing_pil_siglip2.py, get_image_size_for_max_num_patches.
_PRECISION, _MAX_SCALE = 1e-5, 100.0


@dataclass(frozen=True, slots=True)
class PatchGrid:
    """Grids of patches that a model takes.

    Attributes:
        size: side of a patch in pixels.
        max_patches: of a picture.
        multiple: rows and columns are multiples of this (Gemma pools squares of patches).
        rounds_up: sides are rounded up to whole patches at the largest scale that fits (SigLIP 2), else down (Gemma).
    """

    size: int
    max_patches: int
    multiple: int = 1
    rounds_up: bool = True

    @property
    def crop_shape(self) -> tuple[int, int]:
        """Height and width of the packed array: a row for the grid's shape, then a row for each patch."""
        return self.max_patches + 1, self.size**2

    @property
    def longest_short_side(self) -> int:
        """Largest number of pixels that the shorter side of a resized picture has."""
        return self.size * math.ceil(math.sqrt(self.max_patches))

    def shape_for(self, height: float, width: float) -> tuple[int, int]:
        """Return the rows and columns of patches for a picture of any size."""
        return self._round_up(height, width) if self.rounds_up else self._round_down(height, width)

    def _round_up(self, height: float, width: float) -> tuple[int, int]:
        def patches(scale: float, side: float) -> int:
            return max(1, math.ceil(side * scale / self.size))

        low, high = _PRECISION / 10, _MAX_SCALE
        while high - low >= _PRECISION:
            scale = (low + high) / 2
            if patches(scale, height) * patches(scale, width) <= self.max_patches:
                low = scale
            else:
                high = scale
        return patches(low, height), patches(low, width)

    def _round_down(self, height: float, width: float) -> tuple[int, int]:
        """Source: transformers 5.24 image_processing_pil_gemma4.py, get_aspect_ratio_preserving_size."""
        step = self.multiple * self.size
        factor = math.sqrt(self.max_patches * self.size**2 / (height * width))
        rows, columns = int(factor * height / step), int(factor * width / step)
        longest = self.max_patches // self.multiple**2
        if rows == 0:
            rows, columns = 1, min(int(width / height), longest)
        elif columns == 0:
            rows, columns = min(int(height / width), longest), 1
        return rows * self.multiple, columns * self.multiple

    def pack(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pack a resized picture (rows * size, columns * size, 3) into an array (*crop_shape, 3); padding is zero."""
        rows, columns = pixels.shape[0] // self.size, pixels.shape[1] // self.size
        packed = np.zeros((*self.crop_shape, 3), dtype=np.uint8)
        packed[0, 0, :2], packed[0, 1, :2] = divmod(rows, 256), divmod(columns, 256)
        patches = pixels.reshape(rows, self.size, columns, self.size, 3).swapaxes(1, 2)
        packed[1 : 1 + rows * columns] = patches.reshape(rows * columns, self.size**2, 3)
        return packed


def shapes_of(crops: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the rows and columns (n, 2) of packed pictures (n, *crop_shape, 3)."""
    header = crops[:, 0, :2, :2].astype(np.int64)
    return np.asarray(header[..., 0] * 256 + header[..., 1])
