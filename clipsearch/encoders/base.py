"""Protocol of all encoders, which embed pictures and texts to unit-norm rows, and their probability head."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from clipsearch.images.preprocess import Preprocess

Crops: TypeAlias = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]
"""n crops uint8 (height, width, 3) of one shape: an array of them, or crops that lie anywhere, which are not copied."""

# Threshold at which two runtimes or precisions of a model count as equal: the smallest cosine between their rows. bf16
# on ViT-B/32 gives 0.9999; 0.999 moves text-to-picture cosines by less than the models' own noise.
MIN_COSINE = 0.999


@dataclass(frozen=True, slots=True)
class ProbabilityHead:
    """Conversion of a model's cosines to probabilities.

    softmax (CLIP): softmax(logit_scale · cosine) over the candidates.
    sigmoid (SigLIP): sigmoid(logit_scale · cosine + logit_bias), independently for each candidate.
    """

    kind: Literal["softmax", "sigmoid"]
    logit_scale: float
    logit_bias: float = 0.0

    def probabilities(self, cosines: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Convert cosines (…, n) to probabilities (…, n); softmax runs over the last axis, the candidates."""
        logits = np.asarray(cosines, dtype=np.float64) * self.logit_scale
        if self.kind == "sigmoid":
            return np.asarray(1.0 / (1.0 + np.exp(-(logits + self.logit_bias))))
        if logits.shape[-1] == 0:
            return logits
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


class Encoder(Protocol):
    """Dual encoder. Rows are unit-norm float32 in the order of the input; an empty input gives (0, dim)."""

    name: str  # as a user would give it to --model: "starter", "org/name@revision", "/dir"
    fingerprint: str  # hex; equal exactly when weights, preprocessing and tokenizer are equal
    dim: int
    context_length: int  # tokens of text, start and end tokens included
    batch_size: int  # most efficient number of pictures for one call of `encode_images`
    preprocess: Preprocess
    head: ProbabilityHead

    def encode_images(self, crops: Crops) -> NDArray[np.float32]:
        """Embed n RGB crops, see `preprocess.resize_and_crop`, to rows (n, dim); none is used after the call."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed n texts to rows (n, dim).

        A text longer than the context becomes the normalised mean of its chunks; one notice per call says how many
        texts were split.
        """
        ...

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text, start and end tokens included; above `context_length` it would be split."""
        ...

    def close(self) -> None:
        """Release the models and their memory.

        Running calls of other threads may finish; later calls raise ModelError.
        """
        ...


class PatchEncoder(Encoder, Protocol):
    """Encoder whose patches are aligned with texts, so that one pass says what lies where in a picture."""

    patch_grid: tuple[int, int]  # rows and columns of patches, which cover the whole picture

    def encode_patches(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed the patches of n crops, as those of `encode_images`, to unit-norm rows (n, rows, columns, dim)."""
        ...


def with_patches(encoder: Encoder) -> PatchEncoder | None:
    """Return the encoder if its patches are aligned with texts, else None."""
    return cast(PatchEncoder, encoder) if getattr(encoder, "patch_grid", None) is not None else None
