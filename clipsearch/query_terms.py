"""What a query means to a model: an embedding for each of its terms."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from clipsearch.catalog_model import CatalogModel
from clipsearch.errors import QueryError
from clipsearch.grammar import Query, Term
from clipsearch.store import Store
from clipsearch.texts import check_text, is_url
from clipsearch.types import SearchHit, TermScore

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


def embed_terms(
    query: Query, *, model: CatalogModel, store: Store, pictures: "Mapping[str, PictureSource]"
) -> "list[NDArray[np.float32]]":
    """→ (dim,) unit-norm for each term of a query that `check_query` has let pass.

    Args:
        pictures: those that are here already, by what the query calls them.

    Raises:
        QueryError: a picture's number is unknown, or a URL was not fetched.
        ImageReadError: a picture can't be read.
    """
    (group,) = query.groups
    return [_embed_term(term, model=model, store=store, pictures=pictures) for term in group]


def explain(
    hits: Sequence[SearchHit],
    query: Query,
    embeddings: "Sequence[NDArray[np.float32]]",
    *,
    model: CatalogModel,
    store: Store,
) -> list[SearchHit]:
    """The hits of a query, with what each of its terms has to do with them.

    Args:
        embeddings: of the terms, from `embed_terms`.
    """
    import numpy as np

    (group,) = query.groups
    weights = np.array([term.weight for term in group], dtype=np.float32)
    # What the sum was divided by to make it unit-norm.
    length = float(np.linalg.norm(weights @ np.stack(embeddings)))
    row = model.row
    explained = []
    for hit in hits:
        picture = store.reader.find_embedding(hit.content_id, model_id=row.model_id, dim=row.dim)
        scores = [] if picture is None else [float(embedding @ picture) for embedding in embeddings]
        terms = [
            TermScore(str(term), term.weight, score, term.weight * score / length)
            for term, score in zip(group, scores, strict=False)
        ]
        explained.append(replace(hit, terms=tuple(terms)))
    return explained


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
