"""Move a query towards pictures marked as wanted, and away from those marked as unwanted."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from clipsearch.errors import QueryError, UnknownPictureError
from clipsearch.query import Query, Term
from clipsearch.search.hits import SearchHit
from clipsearch.search.indexed_pictures import IndexedPicture, find_indexed
from clipsearch.search.parsing import parse_local
from clipsearch.session.session import Session
from clipsearch.store import Store

if TYPE_CHECKING:
    from clipsearch.scoring.feedback import Unwanted
    from clipsearch.scoring.relevance import Background

MOST_MARKS = 100
"""Upper limit of the pictures marked for one query, wanted and unwanted: each is compared with all candidates."""

Marks: TypeAlias = "Iterable[IndexedPicture]"
"""Pictures of the catalog: content ids, hits or files."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """Pictures marked for a query, by content id, in the order of marking and each once.

    Attributes:
        more: wanted: they are found like any other picture, and others near them rank higher.
        less: unwanted: they are left out, and others near them rank lower.
    """

    more: tuple[int, ...] = ()
    less: tuple[int, ...] = ()

    @classmethod
    def of(cls, more: Marks, less: Marks, session: Session) -> "Feedback":
        """Read marked pictures.

        Raises:
            QueryError: too many, one is marked as both, or something that is not a picture.
            UnknownPictureError, InputError, ImageReadError: as in `find_indexed`, for files.
        """
        feedback = cls(*(_ids_of(marks, session.store) for marks in (more, less)))
        both = sorted({*feedback.more} & {*feedback.less})
        if both:
            raise QueryError(f"picture {both[0]} is marked as more and as less: choose one")
        if len(feedback.more) + len(feedback.less) > MOST_MARKS:
            raise QueryError(f"up to {MOST_MARKS} pictures can be marked as more or less of this")
        return feedback

    def parse(self, text: str) -> Query:
        """Parse a query; next to wanted pictures it may be empty, which means these alone.

        Raises:
            QuerySyntaxError: the query is invalid.
        """
        return Query() if self.more and not text.strip() else parse_local(text)

    def add_wanted(self, query: Query) -> Query:
        """Add the wanted pictures to each group of terms of a query, or as its only group."""
        from clipsearch.scoring.feedback import weights_of_wanted

        if not self.more:
            return query
        groups = tuple(
            (
                *group,
                *(
                    Term("id", str(content_id), weight)
                    for content_id, weight in zip(
                        self.more, weights_of_wanted([term.weight for term in group], len(self.more)), strict=True
                    )
                ),
            )
            for group in query.groups or ((),)
        )
        return replace(query, groups=groups)

    def unwanted(self, session: Session, background: "Background") -> "Unwanted | None":
        """Load the unwanted pictures' embeddings; None when there are none.

        Raises:
            UnknownPictureError: the catalog has no such picture.
        """
        if not self.less:
            return None
        import numpy as np

        from clipsearch.scoring.feedback import Unwanted

        row, marked = session.model.row, [*self.less, *self.more]
        known = session.store.reader.embeddings(marked, model_id=row.model_id, dim=row.dim)
        for content_id in marked:
            if content_id not in known:
                raise UnknownPictureError(content_id)
        return Unwanted(self.less, np.stack([known[content_id] for content_id in marked]), background.pictures)


def _ids_of(marks: Marks, store: Store) -> tuple[int, ...]:
    """Return the content ids of marked pictures, each once; only files are looked up, ids by the search itself."""
    found: list[int] = []
    for mark in marks:
        if isinstance(mark, SearchHit):
            found.append(mark.content_id)
        elif isinstance(mark, int) and not isinstance(mark, bool) and 0 < mark < 1 << 62:
            found.append(mark)
        elif isinstance(mark, str | Path):
            found += find_indexed([mark], store)
        else:
            raise QueryError(f"{mark!r} is not a picture of the catalog: mark hits, their content_id, or files")
    return tuple(dict.fromkeys(found))
