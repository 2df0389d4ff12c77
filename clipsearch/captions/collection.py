"""The captions that a catalog keeps: stored, embedded, and the nearest to a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.captions.embedding import embed_captions, nearest_captions
from clipsearch.encoders.embed_image import PictureSource, embed_picture
from clipsearch.errors import QueryError
from clipsearch.session.session import CatalogParts
from clipsearch.text import check_text, check_top_k
from clipsearch.types import CaptionHit


@dataclass(frozen=True, slots=True)
class CaptionsReport:
    """What adding captions did: how many are new, and how many were stored already."""

    added: int
    known: int


def add_captions(texts: Sequence[str], parts: CatalogParts) -> CaptionsReport:
    """Result and errors as in `Catalog.add_captions`."""
    wanted = [text.strip() for text in texts if text.strip()]
    for text in wanted:
        check_text(text, "caption")
    model_id = parts.model.row.model_id
    added = parts.store.captions.add(wanted)
    embed_captions(parts.store, parts.model.encoder, model_id=model_id)
    parts.refresh("captions")
    return CaptionsReport(added=added, known=len(wanted) - added)


def caption_picture(
    picture: PictureSource | NDArray[np.float32], parts: CatalogParts, *, top_k: int
) -> list[CaptionHit]:
    """Arguments, result and errors as in `Catalog.caption`."""
    check_top_k(top_k)
    store, model = parts.store, parts.model
    if store.captions.count() == 0:
        raise QueryError("no captions are stored: add some with 'clipsearch captions add FILE'")
    embedding = embed_picture(picture, encoder=model.encoder)
    # An interrupted 'captions add', or one with another model, has left some to do.
    embed_captions(store, model.encoder, model_id=model.row.model_id)
    return nearest_captions(
        embedding,
        index=parts.index("captions"),
        store=store,
        model_id=model.row.model_id,
        head=model.encoder.head,
        background=parts.background(parts.index("images")),
        top_k=top_k,
    )
