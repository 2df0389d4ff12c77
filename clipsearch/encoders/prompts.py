"""What a model makes of labels: single words are put into sentences, as those it has learnt from are."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.text_cache import encode_set
from clipsearch.vectors import normalise

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder

TEMPLATES = ("{}", "a photo of a {}")
"""Averaged. `python -m tests.benchmarks.labels` measures them: these two are as good as five, and better than either
alone or than the seven of CLIP's notebook for prompt engineering."""

# Longer labels are sentences, which templates make worse.
_MOST_WORDS = 3


def label_embeddings(
    labels: Sequence[str], *, fingerprint: str, dim: int, load_encoder: "Callable[[], Encoder]"
) -> NDArray[np.float32]:
    """(n, dim) unit-norm; cached for each model and set."""
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
    """(n, dim) unit-norm: of each label the mean over the templates."""
    forms = [[each.format(label) for each in templates] if _is_word(label) else [label] for label in labels]
    rows = encoder.encode_texts([text for texts in forms for text in texts])
    starts = np.cumsum([0] + [len(texts) for texts in forms[:-1]])
    return normalise(np.add.reduceat(rows, starts, axis=0)) if labels else rows


def _is_word(label: str) -> bool:
    return len(label.split()) <= _MOST_WORDS
