"""Explain queries that are not written to their end, or name an album that does not exist."""

import re

from clipsearch.catalog import Catalog
from clipsearch.errors import UnknownAlbumError
from clipsearch.query import Query
from clipsearch.query.filters import CHOICES, FAVOURITES, Pattern

# A filter without its value yet, which is words to the parser: "a dog is:".
_IS = re.compile(r"(?:^|\s)[-!]?is[:：]$", re.IGNORECASE)
_NAME = re.compile(r"(?:^|\s)[+-]?@(?P<begin>[\w-]+)$")

_MOST_NAMES = 5


def find_unfinished(text: str, catalog: Catalog) -> str:
    """Return how a query goes on that ends with `is:` or with the beginning of a name, as in `@bea`; "" for others."""
    if _IS.search(text):
        *words, last = CHOICES["is"]
        return f"is: takes {', '.join(words)} or {last}"
    found = _NAME.search(text)
    if found is None:
        return ""
    begin = found["begin"].lower()
    known = {each.name for each in catalog.saved.list()} | {each.name for each in catalog.concepts.list()}
    names = [f"@{name}" for name in sorted(known) if name.startswith(begin)]
    return "" if f"@{begin}" in names else ", ".join(names[:_MOST_NAMES])


def find_missing_album(query: Query, catalog: Catalog) -> str:
    """Return that an album of a query's filters does not exist; "" where they all do."""
    for each in query.filters:
        if each.key == "album" and isinstance(each.value, Pattern) and not (each.is_negated or each.value.is_wild):
            try:
                catalog.albums.get(each.value.text)
            except UnknownAlbumError as error:
                if each.value.text != FAVOURITES:
                    return str(error)
    return ""
