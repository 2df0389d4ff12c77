"""Embed pictures by the loop that one writes first with transformers, as a baseline to measure against."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.load import find_source
from clipsearch.vectors import normalise

# As in most examples of transformers.
_BATCH = 32


class PlainLoop:
    """Loop of Pillow, the model's own image processor, and the model in float32 with torch on the CPU."""

    def __init__(self, model: str) -> None:
        """Load the model.

        Args:
            model: its name; a hub model must be downloaded already.

        Raises:
            ModelError: it has no files for transformers, as the starter and compiled models, or can't be loaded.
        """
        from clipsearch.encoders.torch_encoder import TransformersEncoder
        from clipsearch.encoders.transformers_files import load_image_processor

        directory = find_source(model)
        self._encoder = TransformersEncoder.load(directory, name=model, device="cpu")
        self._processor = load_image_processor(directory, model)

    def embed(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed pictures: rows (n, dim), unit-norm.

        Raises:
            OSError: one can't be read or decoded.
        """
        import torch
        from PIL import Image

        parts = []
        for start in range(0, len(paths), _BATCH):
            images = [Image.open(path).convert("RGB") for path in paths[start : start + _BATCH]]
            with torch.inference_mode():
                found = self._encoder.model.get_image_features(**self._processor(images=images, return_tensors="pt"))
            features = found if isinstance(found, torch.Tensor) else found.pooler_output
            parts.append(normalise(features.numpy()))
        return np.concatenate(parts)
