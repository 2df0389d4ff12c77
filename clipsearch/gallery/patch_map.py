"""Score the patches of a picture with words in one pass, for models whose patches are aligned with texts."""

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import PatchEncoder

# Patches on a side of the mean: a single patch is noisy.
_WINDOW = 3


def patch_scores(crop: NDArray[np.uint8], text: NDArray[np.float32], *, encoder: PatchEncoder) -> NDArray[np.float32]:
    """Score all patches: the mean cosine with the words of the 3 × 3 patches around each, as far as there are.

    Args:
        crop: (height, width, 3) uint8, the whole picture as the model takes it.
        text: (dim,) unit-norm, the embedding of the words.

    Returns:
        float32 (rows, columns), the upper left patch first.
    """
    cosines = encoder.encode_patches(crop[None])[0] @ text
    padded = np.pad(cosines, _WINDOW // 2, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (_WINDOW, _WINDOW))
    return np.asarray(np.nanmean(windows, axis=(2, 3)), dtype=np.float32)
