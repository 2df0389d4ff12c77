"""Prepare what the page shows before anything is searched for: folders, things to try, what was added last."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from clipsearch.errors import ClipSearchError, InputError
from clipsearch.gallery.details import CatalogFacets
from clipsearch.query import Query
from clipsearch.query.filters import Filter, Pattern
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.search.hits import SearchHit
from clipsearch.web.page_query import PageQuery
from clipsearch.web.search_view import Tile, make_tiles
from clipsearch.web.state import Site

_MOST_FOLDERS = 12

# Subfolders that are looked at: to count the pictures below one takes a millisecond or more.
_MOST_LISTED = 60

_TRIES, _RECENT = 3, 12

# Label set that the latest pictures are described with.
_LABELS = "coco"


@dataclass(frozen=True, slots=True)
class FolderLink:
    """A folder, the number of pictures below it, and the URL of these."""

    name: str
    path: str
    pictures: int
    url: str


@dataclass(frozen=True, slots=True)
class StartPage:
    """Template data of the start page.

    Attributes:
        folders: those with the most pictures.
        tries: things to search for that the catalog has, and their URLs.
        recent: what was added last.
    """

    folders: list[FolderLink]
    tries: list[tuple[str, str]]
    recent: list[Tile]


def make_start(site: Site) -> StartPage:
    """Build the start page; slow on a large catalog, and on a drive that must be woken.

    Raises:
        CatalogNotFoundError: nothing is indexed yet.
    """
    catalog = site.catalog
    recent = catalog.search_page(Query(), page_size=_RECENT, sort="added").hits
    facets = catalog.pictures.facets()
    tries = list(islice(dict.fromkeys(_tries(site, facets, recent)), _TRIES))
    return StartPage(
        folders=_folders(site),
        tries=[(text, PageQuery(q=text).url()) for text in tries],
        recent=make_tiles(recent, PageQuery(), site),
    )


def _folders(site: Site) -> list[FolderLink]:
    """Return the folders directly below the indexed ones, or these where they have none."""
    roots = [root for root in site.status.folders if root]
    found = []
    for root in roots:
        below = [link for path in _subfolders(root) if (link := _count(path, site)) is not None]
        found += below or [link for link in [_count(root, site)] if link is not None]
    return sorted(found, key=lambda each: (-each.pictures, each.path))[:_MOST_FOLDERS]


def _subfolders(root: str) -> list[str]:
    try:
        with os.scandir(root) as entries:
            names = sorted(each.name for each in entries if not each.name.startswith(".") and _is_folder(each))
    except OSError:
        return []
    return [str(Path(root) / name) for name in names[:_MOST_LISTED]]


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads nowhere, or to where one may not look
        return False


def _count(path: str, site: Site) -> FolderLink | None:
    page_query = PageQuery(folder=path)
    try:
        pictures = site.catalog.pictures.count(page_query.parse())
    except InputError:  # a path longer than a filter may be
        return None
    shown = path.encode("utf-8", "replace").decode()
    return FolderLink(Path(shown).name or shown, shown, pictures, page_query.url()) if pictures else None


def _tries(site: Site, facets: CatalogFacets, recent: tuple[SearchHit, ...]) -> Iterator[str]:
    """Yield queries that have hits: a place or a person, a concept or what is in the latest pictures, a year."""
    catalog = site.catalog
    for key, names in (("place", facets.written.places), ("person", facets.written.people)):
        if names:
            yield str(Filter(key, Pattern(next(iter(names)))))
            break
    concept = next((f"@{each.name}" for each in catalog.concepts.list()), None)
    labels = _labels(site, recent)
    thing = concept or next(labels, None)
    if thing:
        yield thing
    years = catalog.pictures.years()
    if years:
        yield f"taken:{max(years)}"
    yield from labels


def _labels(site: Site, recent: tuple[SearchHit, ...]) -> Iterator[str]:
    for hit in recent:
        with suppress(ClipSearchError):
            embedding = site.catalog.pictures.embedding(hit.content_id)
            found = site.catalog.labels.assign(embedding, _LABELS, top_k=1, min_relevance=DEFAULT_CUTOFF)
            yield from (each.label for each in found)
