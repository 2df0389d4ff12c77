"""Parse queries of callers who may read the files of this machine."""

from pathlib import Path

from clipsearch.query import Query, parse_query


def parse_local(text: str) -> Query:
    """Parse a query of a caller who may read the files of this machine.

    The name of an existing file is a picture, even with blanks and signs in it. Never pass it untrusted queries of a
    server's visitors.

    Raises:
        QuerySyntaxError: the query is invalid.
    """
    return parse_query(text, is_file=is_local_file)


def is_local_file(name: str) -> bool:
    """Return whether a name in a query is that of a file of this machine."""
    from clipsearch.images.locations import find_location

    try:
        return Path(find_location(name).path).is_file()
    except (OSError, ValueError):  # ValueError: a NUL in it
        return False
