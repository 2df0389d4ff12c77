"""What the address of a page asks for."""

import os
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query

from clipsearch.query import Query as ParsedQuery
from clipsearch.query import parse_query
from clipsearch.query.filters import parse_filter


@dataclass(frozen=True)
class Asked:
    """What the address of a page asks for; values as they were typed."""

    q: str = ""
    since: str = ""
    until: str = ""
    camera: str = ""
    folder: str = ""
    type: str = ""

    @property
    def has_filters(self) -> bool:
        return any((self.since, self.until, self.camera, self.folder, self.type))

    def url(self, path: str = "/", **more: str) -> str:
        named = {"q": self.q, "since": self.since, "until": self.until, "camera": self.camera, "folder": self.folder}
        given = {name: value for name, value in {**named, "type": self.type, **more}.items() if value}
        return f"{path}?{urlencode(given, errors='surrogateescape')}" if given else path

    def meaning(self) -> ParsedQuery:
        """
        Raises:
            QueryError: it can't be understood.
        """
        query = self.own
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
        return replace(query, filters=tuple(filters))

    @cached_property
    def own(self) -> ParsedQuery:
        """What was typed alone, without the row of filters; errors as in `meaning`."""
        return parse_query(self.q) if self.q else ParsedQuery()


async def _asked(
    q: Annotated[str, Query(max_length=4000)] = "",
    since: Annotated[str, Query(max_length=20)] = "",
    until: Annotated[str, Query(max_length=20)] = "",
    camera: Annotated[str, Query(max_length=200)] = "",
    folder: Annotated[str, Query(max_length=4096)] = "",
    type: Annotated[str, Query(max_length=20)] = "",
) -> Asked:
    return Asked(q.strip(), since, until, camera, folder, type)


AskedFor = Annotated[Asked, Depends(_asked)]


def _day(text: str) -> str:
    """A day as browsers send it, or what else can stand in `taken:`."""
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        return text
