"""Parse the query parameters of pages."""

import os
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query
from pydantic import Field

from clipsearch.query import Query as ParsedQuery
from clipsearch.query import parse_query, words_query
from clipsearch.query.filters import parse_filter
from clipsearch.search.feedback import MOST_MARKS
from clipsearch.types import Sort

MarkId = Annotated[int, Field(ge=1, lt=1 << 62)]
"""Content id of a marked picture."""

MAX_LINK_CHARS = 2_000
"""Each picture and each term has several links that repeat the query: longer ones are omitted."""

FIELDS = ("since", "until", "camera", "folder", "type", "quality", "place", "tag", "person", "album", "rating", "kind")
"""Fields of `PageQuery` that are filters."""

SEVERAL = ("place", "tag", "person", "album")
"""Those of them that may have several values, of which a picture has all."""


@dataclass(frozen=True)
class PageQuery:
    """Query parameters of a page, unparsed.

    Attributes:
        rating: the fewest stars.
        kind: of a picture with text.
        more, less: content ids of marked pictures, see `search.feedback`.
        sort, reverse: as in `Catalog.search`.
        text: take `q` as plain words, without operators, filters, dates and places.
    """

    q: str = ""
    since: str = ""
    until: str = ""
    camera: str = ""
    folder: str = ""
    type: str = ""
    quality: str = ""
    place: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    person: tuple[str, ...] = ()
    album: tuple[str, ...] = ()
    rating: str = ""
    kind: str = ""
    more: tuple[int, ...] = ()
    less: tuple[int, ...] = ()
    sort: Sort = "relevance"
    reverse: bool = False
    text: bool = False

    @property
    def has_filters(self) -> bool:
        return any(getattr(self, name) for name in FIELDS)

    @property
    def is_blank(self) -> bool:
        return self == PageQuery()

    def url(self, path: str = "/", **more: str) -> str:
        """Return a URL with these parameters and more; empty ones are omitted."""
        named = {name: getattr(self, name) for name in ("q", *FIELDS)}
        named |= {"sort": "" if self.sort == "relevance" else self.sort}
        named |= {name: "1" if getattr(self, name) else "" for name in ("reverse", "text")}
        marks = {"more": self.more, "less": self.less}
        present = {name: value for name, value in {**named, **marks, **more}.items() if value}
        return f"{path}?{urlencode(present, doseq=True, errors='surrogateescape')}" if present else path

    def mark(self, content_id: int, kind: Literal["more", "less"]) -> "PageQuery":
        """Return the query with a picture marked, or no longer marked where it was; each has one mark at most."""
        is_marked = content_id in getattr(self, kind)
        more, less = (tuple(each for each in marks if each != content_id) for marks in (self.more, self.less))
        if is_marked:
            return replace(self, more=more, less=less)
        return (
            replace(self, more=(*more, content_id), less=less)
            if kind == "more"
            else replace(self, more=more, less=(*less, content_id))
        )

    def without(self, name: str, value: str) -> "PageQuery":
        """Return the query without a value of a filter."""
        others = tuple(each for each in getattr(self, name) if each != value) if name in SEVERAL else ""
        changed: dict[str, Any] = {name: others}
        return replace(self, **changed)

    def parse(self) -> ParsedQuery:
        """Parse the typed query and the filter fields.

        Raises:
            QueryError: invalid query or filter.
        """
        query = self.typed
        filters = list(query.filters)
        if self.since or self.until:
            filters.append(parse_filter("taken", f"{_day(self.since)}..{_day(self.until)}"))
        if self.camera:
            filters.append(parse_filter("camera", self.camera))
        if self.folder:
            is_whole = self.folder.startswith(os.sep)
            filters.append(parse_filter("path", self.folder.rstrip(os.sep) + os.sep + "*" if is_whole else self.folder))
        if self.type:
            filters.append(parse_filter("type", self.type))
        if self.quality:
            filters.append(parse_filter("is", self.quality))
        filters += [parse_filter(key, value) for key in SEVERAL for value in getattr(self, key)]
        if self.rating:
            filters.append(parse_filter("rating", f">={self.rating}"))
        if self.kind:
            filters.append(parse_filter("kind", self.kind))
        return replace(query, filters=tuple(filters))

    @cached_property
    def typed(self) -> ParsedQuery:
        """Parsed query of the search field alone, without the filter fields; errors as in `parse`."""
        if not self.q:
            return ParsedQuery()
        return words_query(self.q) if self.text else parse_query(self.q)


# Values of a filter that may have several; empty ones are of inputs that are left empty.
_Names = Annotated[tuple[Annotated[str, Field(max_length=300)], ...], Query(max_length=16)]


async def _read_parameters(
    q: Annotated[str, Query(max_length=4000)] = "",
    since: Annotated[str, Query(max_length=20)] = "",
    until: Annotated[str, Query(max_length=20)] = "",
    camera: Annotated[str, Query(max_length=200)] = "",
    folder: Annotated[str, Query(max_length=4096)] = "",
    type: Annotated[str, Query(max_length=20)] = "",
    quality: Annotated[str, Query(max_length=20)] = "",
    place: _Names = (),
    tag: _Names = (),
    person: _Names = (),
    album: _Names = (),
    rating: Annotated[str, Query(max_length=2)] = "",
    kind: Annotated[str, Query(max_length=20)] = "",
    more: Annotated[tuple[MarkId, ...], Query(max_length=MOST_MARKS)] = (),
    less: Annotated[tuple[MarkId, ...], Query(max_length=MOST_MARKS)] = (),
    sort: Sort = "relevance",
    reverse: bool = False,
    text: bool = False,
) -> PageQuery:
    return PageQuery(
        q.strip(),
        since,
        until,
        camera,
        folder,
        type,
        quality,
        _without_empty(place),
        _without_empty(tag),
        _without_empty(person),
        _without_empty(album),
        rating,
        kind,
        more=more,
        less=less,
        sort=sort,
        reverse=reverse,
        text=text,
    )


def _without_empty(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, names)))


PageQueryDep = Annotated[PageQuery, Depends(_read_parameters)]


def _day(text: str) -> str:
    """Normalise an ISO date as browsers send it; other values of `taken:` are unchanged."""
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        return text
