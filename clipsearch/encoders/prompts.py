"""Embed labels with prompt templates: single words are put into sentences, like those the model was trained on."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.text_cache import encode_set
from clipsearch.vectors import normalise

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder

TEMPLATES = ("{}", "a photo of a {}")
"""Prompt templates, whose embeddings are averaged.

Measured with `python -m tests.benchmarks.labels`: these two are as good as five, and better than either alone or the
seven of CLIP's notebook for prompt engineering.
"""

# Labels with more words are sentences, which templates make worse.
_MOST_WORDS = 3


def label_embeddings(
    labels: Sequence[str], *, fingerprint: str, dim: int, load_encoder: "Callable[[], Encoder]"
) -> NDArray[np.float32]:
    """Return the embeddings (n, dim) unit-norm of labels, from the cache or the model; one batch per model and set."""
    return encode_set(
        labels,
        fingerprint=fingerprint + repr(TEMPLATES),
        dim=dim,
        load_encoder=load_encoder,
        encode=encode_labels,
    )


def encode_labels(
    labels: Sequence[str], encoder: "Encoder", *, templates: Sequence[str] = TEMPLATES
) -> NDArray[np.float32]:
    """Embed labels to (n, dim) unit-norm: the normalised mean over the templates."""
    forms = [[each.format(label) for each in templates] if _is_word(label) else [label] for label in labels]
    rows = encoder.encode_texts([text for texts in forms for text in texts])
    starts = np.cumsum([0] + [len(texts) for texts in forms[:-1]])
    return normalise(np.add.reduceat(rows, starts, axis=0)) if labels else rows


def _is_word(label: str) -> bool:
    return len(label.split()) <= _MOST_WORDS
