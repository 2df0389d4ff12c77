"""Score the patches of a picture with words in one pass, for models whose patches are aligned with texts."""

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import PatchEncoder

# Patches on a side of a window, as the steps of `HeatMap`: a single patch is noisy.
_WINDOW = 3


def patch_scores(crop: NDArray[np.uint8], text: NDArray[np.float32], *, encoder: PatchEncoder) -> NDArray[np.float32]:
    """Score all windows of 3 × 3 patches: the mean cosine of their patches with the words.

    Args:
        crop: (height, width, 3) uint8, the whole picture as the model takes it.
        text: (dim,) unit-norm, the embedding of the words.
        encoder: with at least 3 × 3 patches.

    Returns:
        float32 (rows - 2, columns - 2), the upper left window first.
    """
    cosines = encoder.encode_patches(crop[None])[0] @ text
    windows = np.lib.stride_tricks.sliding_window_view(cosines, (_WINDOW, _WINDOW))
    return np.asarray(windows.mean(axis=(2, 3)), dtype=np.float32)
