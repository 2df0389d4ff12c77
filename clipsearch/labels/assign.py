"""Build the label space of a set: calibrated on a catalog's pictures, or without a catalog."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clipsearch.encoders.embed_image import PictureSource, embed_pictures
from clipsearch.labels.sets import find_labels
from clipsearch.scoring.labels import LabelSpace, learn_labels
from clipsearch.session.session import Session
from clipsearch.types import LabelHit

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder


def label_without_catalog(
    picture: PictureSource, labels: str | Sequence[str], encoder: "Encoder", *, top_k: int
) -> list[LabelHit]:
    """Assign built-in labels to one picture; without a catalog, their scores are not calibrated on other pictures."""
    from clipsearch.encoders.bank import load_bank
    from clipsearch.encoders.prompts import label_embeddings

    texts, fingerprint, dim = find_labels(labels, None), encoder.fingerprint, encoder.dim
    space = learn_labels(
        texts,
        label_embeddings(texts, fingerprint=fingerprint, dim=dim, load_encoder=lambda: encoder),
        bank=load_bank(fingerprint=fingerprint, dim=dim, load_encoder=lambda: encoder),
        pictures=np.empty((0, dim), dtype=np.float32),
    )
    return space.name(embed_pictures([picture], encoder=encoder), top_k=top_k)[0]


def label_space(labels: str | Sequence[str], session: Session) -> LabelSpace:
    """Return the label space of a set, calibrated on the catalog's pictures when it has any.

    Raises:
        QueryError: the set is unknown.
    """
    return session.label_space(find_labels(labels, session.store))
