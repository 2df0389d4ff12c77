"""What a query means to a model: one embedding for each group of its terms."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from clipsearch.catalog_model import CatalogModel
from clipsearch.errors import QueryError
from clipsearch.grammar import Query, Term
from clipsearch.search import weighted_sum
from clipsearch.store import Store
from clipsearch.texts import check_text, is_url

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.query_pictures import PictureSource


def check_query(query: Query) -> None:
    """What can be seen of a query without a model.

    Raises:
        QueryError: it can't be answered.
    """
    if not query.groups:
        raise QueryError("only filters: say what to look for among those pictures")
    if len(query.groups) > 1:
        raise QueryError("'&' can't be answered yet: use '+', or quotes for words with an & in them")
    for group in query.groups:
        for term in group:
            if term.kind == "words":
                check_text(term.value, "query")


def embed_query(
    query: Query, *, model: CatalogModel, store: Store, pictures: "Mapping[str, PictureSource]"
) -> "NDArray[np.float32]":
    """→ (dim,) unit-norm.

    Args:
        pictures: those that are here already, by what the query calls them.

    Raises:
        QueryError: a picture's number is unknown, or a URL was not fetched.
        ImageReadError: a picture can't be read.
    """
    (group,) = query.groups
    embeddings = [_embed_term(term, model=model, store=store, pictures=pictures) for term in group]
    return weighted_sum(embeddings, [term.weight for term in group])


def _embed_term(
    term: Term, *, model: CatalogModel, store: Store, pictures: "Mapping[str, PictureSource]"
) -> "NDArray[np.float32]":
    if term.kind == "words":
        return model.encode_text(term.value)
    if term.kind == "id":
        row = model.row
        found = store.reader.find_embedding(int(term.value), model_id=row.model_id, dim=row.dim)
        if found is None:
            raise QueryError(f"the catalog has no picture with the number {term.value}")
        return found
    if term.value not in pictures and is_url(term.value):
        raise QueryError(f"{term.value} was not fetched: see fetch_picture")
    from clipsearch.query_pictures import embed_pictures

    embedding: NDArray[np.float32] = embed_pictures([pictures.get(term.value, term.value)], encoder=model.encoder)[0]
    return embedding
