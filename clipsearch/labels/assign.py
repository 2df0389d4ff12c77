"""Build the label space of a set: calibrated on a catalog's pictures, or without a catalog."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.embed_image import PictureSource, embed_pictures
from clipsearch.labels.sets import find_labels
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.labels import LabelSpace, learn_labels
from clipsearch.session.model import CatalogModel
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
    embeddings = label_embeddings(texts, fingerprint=fingerprint, dim=dim, load_encoder=lambda: encoder)
    space = _space(texts, embeddings, load_bank(fingerprint=fingerprint, dim=dim, load_encoder=lambda: encoder))
    return space.name(embed_pictures([picture], encoder=encoder), top_k=top_k)[0]


def label_space_of_model(labels: Sequence[str], model: CatalogModel) -> LabelSpace:
    """Return the label space of a catalog's model for some labels, the same whatever pictures the catalog has.

    Raises:
        ModelError: their embeddings are not cached, and the model can't be loaded.
    """
    return _space(labels, model.encode_labels(labels), model.load_bank())


def _space(labels: Sequence[str], embeddings: NDArray[np.float32], bank: Bank) -> LabelSpace:
    return learn_labels(labels, embeddings, bank=bank, pictures=np.empty((0, embeddings.shape[1]), dtype=np.float32))


def label_space(labels: str | Sequence[str], session: Session) -> LabelSpace:
    """Return the label space of a set, calibrated on the catalog's pictures when it has any.

    Raises:
        QueryError: the set is unknown.
    """
    return session.label_space(find_labels(labels, session.store))
