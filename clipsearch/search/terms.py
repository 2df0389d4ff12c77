"""Embed the terms of a query, and explain hits by them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from clipsearch.errors import QueryError, UnknownPictureError
from clipsearch.parts import locate
from clipsearch.query import Query, Term, check_query
from clipsearch.query.syntax import content_id_of
from clipsearch.search.expansion import resolve_query
from clipsearch.search.hits import SearchHit, TermScore, embeddings_of
from clipsearch.session.session import Session
from clipsearch.text import check_text, is_url
from clipsearch.vectors import as_score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.encoders.embed_image import Picture, PictureSource
    from clipsearch.scoring.feedback import Unwanted
    from clipsearch.scoring.relevance import Background, Direction, Level

AnyQuery: TypeAlias = "PictureSource | Query | SearchHit"
"""Query of a search: a str in the query language, a parsed query, a picture, or a hit."""

Pictures: TypeAlias = "Mapping[str, Picture]"
"""Already loaded pictures, by their name in the query."""


@dataclass(frozen=True, slots=True)
class EmbeddedGroup:
    """Terms of a group and their embeddings, (dim,) unit-norm each.

    Attributes:
        levels: of terms that have a level of their own, see `Background.direction`.
        marked: the last terms, which are pictures marked as wanted.
    """

    terms: tuple[Term, ...]
    embeddings: "tuple[NDArray[np.float32], ...]"
    levels: "tuple[Level | None, ...]"
    marked: int = 0

    def direction(self, background: "Background") -> "Direction":
        """Sum the terms into one calibrated direction.

        Raises:
            QueryError: the terms cancel each other out.
        """
        return background.direction(
            self.embeddings,
            [term.weight for term in self.terms],
            are_words=[term.kind == "words" for term in self.terms],
            levels=self.levels,
            marked=self.marked,
        )


@dataclass(frozen=True, slots=True)
class EmbeddedQuery:
    """Groups of a query, embedded with the model of a session; a hit matches all of them."""

    groups: tuple[EmbeddedGroup, ...]
    session: Session

    def directions(self, background: "Background") -> "list[Direction]":
        """Sum the terms of each group into one calibrated direction.

        Raises:
            QueryError: the terms of a group cancel each other out.
        """
        return [group.direction(background) for group in self.groups]

    def explain(
        self, hits: Sequence[SearchHit], directions: "Sequence[Direction]", unwanted: "Unwanted | None" = None
    ) -> list[SearchHit]:
        """Return the hits with the score of each term, and of the nearest unwanted picture where that costs anything.

        Args:
            directions: result of `directions`.
        """
        return [
            replace(hit, terms=tuple(self._term_scores(picture, directions, unwanted)) if picture is not None else ())
            for hit, picture in zip(hits, embeddings_of(hits, self.session), strict=True)
        ]

    def _term_scores(
        self, picture: "NDArray[np.float32]", directions: "Sequence[Direction]", unwanted: "Unwanted | None"
    ) -> Iterator[TermScore]:
        for group, direction in zip(self.groups, directions, strict=True):
            absences = direction.absences
            costs: dict[int, float] = {}
            if absences is not None:
                found = absences.costs((absences.embeddings @ picture)[:, None])[:, 0] / direction.steepness
                costs = dict(zip(absences.terms, found.tolist(), strict=True))
            for place, (term, embedding, share) in enumerate(
                zip(group.terms, group.embeddings, direction.shares, strict=True)
            ):
                score = float(embedding @ picture)
                yield TermScore(str(term), term.weight, as_score(score), share * score - costs.get(place, 0.0))
            if unwanted is not None:
                cosines = unwanted.embeddings @ picture[:, None]
                ((nearest,), (loss,)) = unwanted.nearest(cosines)
                if loss > 0:
                    term = Term("id", str(unwanted.ids[nearest]), -1.0)
                    yield TermScore(str(term), -1.0, as_score(cosines[nearest, 0]), -float(loss) / direction.steepness)


def as_query(query: AnyQuery, pictures: Pictures, session: Session) -> tuple[Query, Pictures]:
    """Convert what `Catalog.search` accepts to a query and its already loaded pictures, by their name in the query.

    Raises:
        QueryError: the query is invalid, as far as that is known without a model.
    """
    if isinstance(query, str | Query):
        query = resolve_query(query, session)
    elif isinstance(query, SearchHit):
        query = Query(((Term("id", locate(str(query.content_id), query.part)),),))
    else:
        return Query(((Term("picture", ""),),)), {"": query}
    check_query(query)
    for group in query.groups:
        for term in group:
            if term.kind == "words":
                check_text(term.value, "query")
    return query, pictures


def embed_query(query: Query, session: Session, *, pictures: Pictures, marked: int = 0) -> EmbeddedQuery:
    """Embed the terms of a query that `as_query` has validated.

    Args:
        pictures: already loaded ones, or their embeddings (dim,), by their name in the query.
        marked: the last terms of each group, which are pictures marked as wanted.

    Raises:
        QueryError: a picture's id or a concept is unknown, or a URL was not fetched.
        ImageReadError: a picture can't be read.
    """
    groups = []
    for group in query.groups:
        found = [_embed_term(term, session, pictures) for term in group]
        embeddings, levels = tuple(each for each, _ in found), tuple(level for _, level in found)
        groups.append(EmbeddedGroup(group, embeddings, levels, marked))
    return EmbeddedQuery(tuple(groups), session)


def _embed_term(term: Term, session: Session, pictures: Pictures) -> "tuple[NDArray[np.float32], Level | None]":
    if term.kind == "concept":
        concept = session.concept(term.value)
        return concept.embedding, concept.level
    return _embed(term, session, pictures), None


def _embed(term: Term, session: Session, pictures: Pictures) -> "NDArray[np.float32]":
    if term.kind == "words":
        return session.model.encode_text(term.value)
    if term.kind == "id":
        content_id, fragment = content_id_of(term.value), term.value.partition("#")[2]
        found = _find_embedding(content_id, session)
        if found is None:
            raise UnknownPictureError(content_id)
        return _find_part(content_id, fragment, session) if fragment else found
    if term.value not in pictures and is_url(term.value):
        raise QueryError(f"{term.value} was not fetched: pass the result of fetch_picture in 'pictures'")
    from clipsearch.encoders.embed_image import embed_picture

    return embed_picture(pictures.get(term.value, term.value), encoder=session.model.encoder)


def _find_part(content_id: int, fragment: str, session: Session) -> "NDArray[np.float32]":
    parts = session.store.reader.parts.of_contents([content_id]).get(content_id, ())
    part_id = next((each for each, part in parts if part is not None and part.fragment == fragment), None)
    found = None if part_id is None else _find_embedding(part_id, session)
    if found is None:
        known = [part.fragment for _, part in parts if part is not None]
        examples = f"it has {', '.join(known[:3])}{' …' if len(known) > 3 else ''}" if known else "it has no parts"
        raise QueryError(f"picture {content_id} has no part {fragment}: {examples}")
    return found


def _find_embedding(content_id: int, session: Session) -> "NDArray[np.float32] | None":
    row = session.model.row
    return session.store.reader.find_embedding(content_id, model_id=row.model_id, dim=row.dim)
