"""Understand the plain words of a query with what a catalog knows."""

from datetime import date

from clipsearch.errors import CatalogNotFoundError
from clipsearch.query.filters import parse_filter
from clipsearch.query.phrases import Context, Understanding, understand
from clipsearch.search.terms import is_local_file
from clipsearch.session.session import Session


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

    def find_cameras() -> tuple[str, ...]:
        try:
            session.require_pictures()
        except CatalogNotFoundError:
            return ()
        return session.columns.ask(lambda columns: columns.cameras())

    def find_whether_dated() -> bool:
        try:
            session.require_pictures()
        except CatalogNotFoundError:
            return True
        return session.columns.ask(lambda columns: columns.count([parse_filter("has", "date")])) > 0

    context = Context(date.today(), find_cameras, find_whether_dated)
    return understand(text, context, is_file=is_local_file if may_name_files else None)
