"""Choose the groups of duplicates that a page shows, and compare their files."""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, HTTPException, Query

from clipsearch.gallery.details import PictureDetails
from clipsearch.gallery.duplicates import (
    ComparedProperty,
    DuplicateGroup,
    DuplicatePicture,
    Mark,
    MarkedFiles,
    is_there,
    mark_files,
)
from clipsearch.web.duplicate_search import FoundDuplicates
from clipsearch.web.schemas import name_of
from clipsearch.web.state import Site

GROUPS_PER_PAGE = 10
"""Groups of one page."""

MOST_SHOWN = 24
"""Files of a group that are shown; the others are as suggested."""

KindFilter = Literal["", "exact", "copy", "similar"]

_CURSOR = re.compile(r"([0-9a-f]{12})\.(\d{1,9})", re.ASCII)
_MARK = re.compile(r"(\d{1,9})\.(\d{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class DuplicateFilter:
    """Filter of groups.

    Attributes:
        kind: "" for all.
        folder: groups with a file below it: an absolute path, or names of folders in a path, as in "2024/italy".
        id: groups with this content; 0 for all.
    """

    kind: KindFilter = ""
    folder: str = ""
    id: int = 0

    def passes(self, group: DuplicateGroup) -> bool:
        if self.kind and group.kind != self.kind:
            return False
        if self.id and all(file.content_id != self.id for file in group.pictures):
            return False
        folder = self.folder.replace(os.altsep, os.sep) if os.altsep else self.folder
        names = folder.strip(os.sep)
        if not names:
            return True
        if os.path.isabs(folder):  # noqa: PTH117 (untrusted: no path of this machine)
            return any(file.path.startswith(folder.rstrip(os.sep) + os.sep) for file in group.pictures)
        return any(f"{os.sep}{names}{os.sep}" in file.path for file in group.pictures)

    def url(self, after: str = "") -> str:
        """Return the URL of a page."""
        given = {"kind": self.kind, "folder": self.folder, "id": self.id, "after": after}
        query = urlencode({name: value for name, value in given.items() if value}, errors="surrogateescape")
        path = "/duplicates/more" if after else "/duplicates"
        return f"{path}?{query}" if query else path


def filter_of(
    kind: Annotated[KindFilter, Query(description="Only groups of this kind.")] = "",
    folder: Annotated[
        str,
        Query(
            max_length=4000,
            description="Only groups with a file below this folder: an absolute path, or names as in `2024/italy`.",
        ),
    ] = "",
    id: Annotated[int, Query(ge=0, le=1 << 62, description="Only groups with this picture; 0: any.")] = 0,
) -> DuplicateFilter:
    return DuplicateFilter(kind, folder.strip(), id)


FilterDep = Annotated[DuplicateFilter, Depends(filter_of)]


@dataclass(frozen=True, slots=True)
class ShownFile:
    """File in a group.

    Attributes:
        mark: names it, see `parse_marks`.
        details: of its content; None: the catalog has it no more.
        is_there: has the size that it had.
        is_spare: is marked unless it is chosen to be kept.
    """

    mark: str
    picture: DuplicatePicture
    details: PictureDetails | None
    is_there: bool
    is_spare: bool

    @property
    def name(self) -> str:
        return name_of(self.picture.path)


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """Group on a page.

    Attributes:
        files: the first of the group, the best before the others.
        properties: of those whose details are known, in their order.
        left_out: number of files that are not shown.
    """

    group: DuplicateGroup
    files: tuple[ShownFile, ...]
    properties: tuple[ComparedProperty, ...]
    left_out: int

    @property
    def differing(self) -> list[ComparedProperty]:
        return [each for each in self.properties if each.differs]

    @property
    def equal(self) -> list[ComparedProperty]:
        return [each for each in self.properties if not each.differs]


@dataclass(frozen=True, slots=True)
class DuplicatePage:
    """Page of groups.

    Attributes:
        group_count, spare_count, spare_bytes: of all groups that pass the filter.
        next: cursor of the next page; None for the last one.
    """

    groups: tuple[ShownGroup, ...]
    group_count: int = 0
    spare_count: int = 0
    spare_bytes: int = 0
    next: str | None = None


def find_groups(
    found: FoundDuplicates | None,
    wanted: DuplicateFilter,
    site: Site,
    *,
    after: str | None = None,
    count: int = GROUPS_PER_PAGE,
) -> DuplicatePage:
    """Return one page of groups, without any where nothing was found yet.

    Raises:
        HTTPException: the cursor is invalid (400), or that of another search (409).
    """
    start = 0
    if after is not None:
        parsed = _CURSOR.fullmatch(after)
        if parsed is None:
            raise HTTPException(400, "the cursor is not valid: pass `next` of the page before")
        start = int(parsed[2])
        require_token(found, parsed[1])
    if found is None:
        return DuplicatePage(())
    passing = [(number, group) for number, group in enumerate(found.groups) if wanted.passes(group)]
    left = [each for each in passing if each[0] >= start]
    return DuplicatePage(
        groups=_show(left[:count], site),
        group_count=len(passing),
        spare_count=sum(len(group.spare) for _, group in passing),
        spare_bytes=sum(group.spare_bytes for _, group in passing),
        next=f"{found.token}.{left[count][0]}" if len(left) > count else None,
    )


def require_token(found: FoundDuplicates | None, token: str) -> FoundDuplicates:
    """Return a result; HTTPException: it is another one (409)."""
    if found is None or found.token != token:
        raise HTTPException(409, "duplicates were looked for again since: load the page again")
    return found


def parse_marks(marks: Collection[str]) -> list[Mark]:
    """Parse marks, "GROUP.PLACE"; HTTPException: one is invalid (400)."""
    parsed = [_MARK.fullmatch(mark) for mark in marks]
    if None in parsed:
        raise HTTPException(400, "a mark has the number of a group and a place in it, as in 12.0")
    return [(int(each[1]), int(each[2])) for each in parsed if each is not None]


def find_marked(
    found: FoundDuplicates, marks: Collection[str], wanted: DuplicateFilter, *, check: bool = True
) -> MarkedFiles:
    """Return the marked files of the groups that pass a filter; errors as in `mark_files` and `parse_marks`."""
    return mark_files(found.groups, parse_marks(marks), shown=wanted.passes, check=check)


def whole_pictures(marked: MarkedFiles, site: Site) -> list[int]:
    """Return the contents all of whose files are marked; others would lose in an album what tells their files apart."""
    paths = {file.path for file in marked.files}
    ids = list(dict.fromkeys(file.content_id for file in marked.files))
    return [each.content_id for each in site.catalog.pictures.list(ids) if paths.issuperset(each.paths)]


def _show(groups: Sequence[tuple[int, DuplicateGroup]], site: Site) -> tuple[ShownGroup, ...]:
    ids = dict.fromkeys(file.content_id for _, group in groups for file in group.pictures[:MOST_SHOWN])
    known = {each.content_id: each for each in site.catalog.pictures.list(list(ids))}
    shown = []
    for number, group in groups:
        first_spare = len(group.pictures) - len(group.spare)
        files = tuple(
            ShownFile(
                f"{number}.{place}", file, known.get(file.content_id), is_there(file), is_spare=place >= first_spare
            )
            for place, file in enumerate(group.pictures[:MOST_SHOWN])
        )
        compared = [(each.picture.content_id, each.picture.path) for each in files if each.details is not None]
        properties = site.catalog.pictures.compare(compared)
        left_out = len(group.pictures) - len(files)
        shown.append(ShownGroup(group, files, tuple(properties), left_out))
    return tuple(shown)
