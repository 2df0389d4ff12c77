"""What every encoder is: pictures and texts in, unit-norm rows out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from clipsearch.images.preprocess import Preprocess

# Two ways to run a model, in other arithmetic or another runtime, are the same to us when no row of the one is farther
# than this from the other's. bf16 on ViT-B/32 gives 0.9999; 0.999 moves a cosine between a text and a picture by less
# than the models' own noise.
MIN_COSINE = 0.999


@dataclass(frozen=True, slots=True)
class ProbabilityHead:
    """How a model turns cosines into probabilities.

    softmax (CLIP): softmax(logit_scale · cosine) over the candidates.
    sigmoid (SigLIP): sigmoid(logit_scale · cosine + logit_bias), each candidate for itself.
    """

    kind: Literal["softmax", "sigmoid"]
    logit_scale: float
    logit_bias: float = 0.0

    def probabilities(self, cosines: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Cosines (…, n) → probabilities (…, n); softmax runs over the last axis, the candidates."""
        logits = np.asarray(cosines, dtype=np.float64) * self.logit_scale
        if self.kind == "sigmoid":
            return np.asarray(1.0 / (1.0 + np.exp(-(logits + self.logit_bias))))
        if logits.shape[-1] == 0:
            return logits
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


class Encoder(Protocol):
    """A dual encoder. Rows are unit-norm float32 in the order of the input; an empty input gives (0, dim)."""

    name: str  # as a user would give it to --model: "starter", "org/name@revision", "/dir"
    fingerprint: str  # hex; equal exactly when weights, preprocessing and tokenizer are equal
    dim: int
    context_length: int  # tokens of text, start and end tokens included
    batch_size: int  # pictures that `encode_images` takes best in one call
    preprocess: Preprocess
    head: ProbabilityHead

    def encode_images(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, height, width, 3) uint8 RGB crops, see `preprocess.resize_and_crop` → (n, dim)."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """n texts → (n, dim). A text longer than the context becomes the normalised mean of its chunks, with one
        notice a call that says how many texts were split."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, start and end tokens included; more than `context_length` when it would be split."""
        ...

    def close(self) -> None:
        """Releases the models and what they hold of memory. Calls that other threads are in the middle of may end;
        later ones raise ModelError."""
        ...
