"""Assign labels of a set to one picture, or to all indexed pictures of folders."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.embed_image import PictureSource, embed_picture, embed_pictures
from clipsearch.errors import QueryError
from clipsearch.labels.sets import find_labels
from clipsearch.scoring.labels import LabelSpace, learn_labels
from clipsearch.session.session import CatalogParts
from clipsearch.text import check_top_k
from clipsearch.types import LabelHit, LabelledPicture

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder


def label_picture(
    picture: PictureSource | NDArray[np.float32],
    labels: str | Sequence[str],
    parts: CatalogParts,
    *,
    top_k: int,
    min_relevance: float,
) -> list[LabelHit]:
    """Assign labels to one picture; arguments, result and errors as in `Catalog.label`."""
    _check(top_k, min_relevance)
    space = label_space(labels, parts)
    images = embed_picture(picture, encoder=parts.model.encoder)[np.newaxis]
    return space.name(images, top_k=top_k, min_relevance=min_relevance)[0]


def label_without_catalog(
    picture: PictureSource, labels: str | Sequence[str], encoder: "Encoder", *, top_k: int
) -> list[LabelHit]:
    """Assign built-in labels to one picture without a catalog.

    As `label_picture`, but the scores of labels are not calibrated on the pictures of a catalog.
    """
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


def label_folders(
    folders: Sequence[str], labels: str | Sequence[str], parts: CatalogParts, *, top_k: int, min_relevance: float
) -> Iterator[LabelledPicture]:
    """Assign labels to the indexed pictures of folders; arguments, result and errors as in `Catalog.label_pictures`."""
    _check(top_k, min_relevance)
    parts.require_pictures()
    space = label_space(labels, parts)
    paths: dict[int, list[str]] = {}
    for file in parts.store.reader.files_below(folders):
        paths.setdefault(file.content_id, []).append(file.path)
    row = parts.model.row
    for rows in parts.store.reader.rows_after("images", model_id=row.model_id, dim=row.dim):
        is_wanted = np.fromiter((content_id in paths for content_id in rows.ids.tolist()), np.bool_, len(rows.ids))
        named = space.name(rows.embeddings[is_wanted], top_k=top_k, min_relevance=min_relevance)
        for content_id, hits in zip(rows.ids[is_wanted].tolist(), named, strict=True):
            for path in paths[content_id]:
                yield LabelledPicture(path, content_id, tuple(hits))


def label_space(labels: str | Sequence[str], parts: CatalogParts) -> LabelSpace:
    """Return the label space of a set, calibrated on the catalog's pictures when it has any.

    Raises:
        QueryError: the set is unknown.
    """
    return parts.label_space(find_labels(labels, parts.store))


def _check(top_k: int, min_relevance: float) -> None:
    check_top_k(top_k)
    if not 0 <= min_relevance <= 1:
        raise QueryError(f"min_relevance lies between 0 and 1, got {min_relevance}")
