"""Understand the plain words of a query with what a catalog knows."""

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, TypeVar

from clipsearch.errors import CatalogNotFoundError
from clipsearch.query.filters import FAVOURITES, parse_filter
from clipsearch.query.phrases import Context, Understanding, understand
from clipsearch.search.parsing import is_local_file
from clipsearch.session.session import Session

if TYPE_CHECKING:
    from clipsearch.columns.table import Columns

Answer = TypeVar("Answer")


def understand_query(text: str, session: Session, *, may_name_files: bool = False) -> Understanding:
    """Parse a query, with the meaning of phrases among its plain words: "a rocket in July 2023", "food, no meat".

    `Catalog.search` takes the same words as they are; it accepts `Understanding.query`.

    Args:
        may_name_files: names of this machine's files are pictures, even with blanks in them; not for queries of a
            server's visitors.

    Raises:
        QuerySyntaxError: it can't be understood.
    """
    session.require_open()

    def ask(question: "Callable[[Columns], Answer]", without_pictures: Answer) -> Answer:
        try:
            session.require_pictures()
        except CatalogNotFoundError:
            return without_pictures
        return session.columns.ask(question)

    def has_any(what: str) -> bool:
        return ask(lambda columns: columns.count([parse_filter("has", what)]) > 0, False)

    context = Context(
        date.today(),
        find_cameras=lambda: ask(lambda columns: columns.cameras(), ()),
        find_whether_dated=lambda: ask(lambda columns: columns.count([parse_filter("has", "date")]) > 0, True),
        find_people=lambda: ask(lambda columns: columns.people, ()),
        find_whether_placed=lambda: has_any("gps"),
        find_whether_rated=lambda: has_any("rating"),
        find_whether_favoured=lambda: bool(session.store.album_rows.members(FAVOURITES)),
    )
    return understand(text, context, is_file=is_local_file if may_name_files else None)
