"""Compute 64-bit perceptual hashes: near-duplicates have nearly equal ones, whatever their size or compression.

Source: C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), 3.2.1: the signs of the
lowest frequencies of the discrete cosine transform of a 32 × 32 grey picture. Here each is compared with 0 and not with
their median, so that the hash of a rotated picture can be computed from the picture's own (`turned`).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 32
_FREQUENCIES = 8

# Pixels sampled per side: on average 64 for each of the 32 × 32.
_SAMPLED = 256

_POSITIONS = (2 * np.arange(_SIDE) + 1) / (2 * _SIDE)
_COSINES = np.cos(np.pi * np.arange(_FREQUENCIES)[:, None] * _POSITIONS).astype(np.float32)

# A picture counts as one colour when no frequency reaches this coefficient: that of a wave one grey level high.
_MIN_COEFFICIENT = _SIDE**2 / 4

_BITS = np.uint64(1) << np.arange(64, dtype=np.uint64)


def perceptual_hash(image: Image.Image, box: tuple[float, float, float, float] | None = None) -> int:
    """Compute the hash of a picture as a signed 64-bit integer, for SQL.

    Bit 8 · row + column is the sign of that frequency, bit 0 is 0. A picture of one colour has the hash 0. It takes
    0.1 ms.

    Args:
        image: mode "RGB", upright.
        box: of the picture in it, see `decode.DecodedImage`; None: all of it.
    """
    sampled = image.resize((_SAMPLED, _SAMPLED), Image.Resampling.NEAREST, box=box).reduce(_SAMPLED // _SIDE)
    grey = np.asarray(sampled.convert("L"), dtype=np.float32)
    frequencies = (_COSINES @ grey @ _COSINES.T).ravel()
    frequencies[0] = 0  # brightness
    bits = int(_BITS[frequencies > 0].sum()) if np.abs(frequencies).max() > _MIN_COEFFICIENT else 0
    return bits - (1 << 64) if bits >> 63 else bits


def turned(hashes: NDArray[np.uint64], quarters: int) -> NDArray[np.uint64]:
    """Return the hashes (n,) of the same pictures rotated counter-clockwise by a number of quarter turns."""
    bits = (hashes[:, None] & _BITS) != 0
    grid = bits.reshape(-1, _FREQUENCIES, _FREQUENCIES)
    odd = np.arange(_FREQUENCIES) % 2 == 1
    for _ in range(quarters % 4):
        # Transposed, then upside down: the odd vertical frequencies change their sign.
        grid = grid.swapaxes(1, 2) ^ odd[None, :, None]
    bits = grid.reshape(-1, _FREQUENCIES**2).copy()
    bits[:, 0] = False
    turned_hashes: NDArray[np.uint64] = (bits * _BITS).sum(axis=1, dtype=np.uint64)
    return np.where(hashes == 0, np.uint64(0), turned_hashes)
