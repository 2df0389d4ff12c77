"""Hits as the pages show them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from clipsearch.errors import CatalogNotFoundError, ClipSearchError, QuerySyntaxError
from clipsearch.gallery.details import PictureDetails
from clipsearch.query import Query
from clipsearch.scoring.relevance import DEFAULT_CUTOFF, has_match
from clipsearch.search.hits import SearchHit
from clipsearch.web.errors import message_of, status_of
from clipsearch.web.page_query import Asked
from clipsearch.web.query_edits import STEP, Chip, chips_of, weigh_picture
from clipsearch.web.schemas import name_of
from clipsearch.web.state import Site

_PAGE_SIZE = 40

# Each picture and each term has several links that repeat the query: longer ones are left out.
_LONGEST_LINK = 2_000


@dataclass(frozen=True, slots=True)
class Tile:
    """
    Attributes:
        is_faint: likely something else.
        url: of the picture's page.
        plus, minus: addresses that ask for more, or less, like it; None where that makes no sense.
    """

    hit: SearchHit
    details: PictureDetails
    name: str
    is_faint: bool
    url: str
    more_like: str
    plus: str | None
    minus: str | None


@dataclass(frozen=True, slots=True)
class ChipLinks:
    """A term of the query and the addresses of its buttons; None where there is nothing left to ask for."""

    chip: Chip
    less: str | None
    more: str | None
    without: str | None


@dataclass(frozen=True, slots=True)
class Results:
    """What a search has given, or why it has not.

    Attributes:
        status: of HTTP.
        next_url: of the next tiles; None when these are the last.
        has_relevance: they were compared with something, not only filtered.
        is_empty: there is nothing in the catalog yet.
        suggestion: the query without its typing errors, and its address; None where it seems to have none.
        problem: why nothing was found; then `before`, `at` and `behind` are the query, parted where it is wrong.
    """

    tiles: list[Tile] = field(default_factory=list)
    chips: list[ChipLinks] = field(default_factory=list)
    status: int = 200
    next_url: str | None = None
    has_relevance: bool = False
    is_empty: bool = False
    suggestion: tuple[str, str] | None = None
    problem: str = ""
    before: str = ""
    at: str = ""
    behind: str = ""

    @property
    def has_match(self) -> bool:
        return has_match(tile.hit.relevance for tile in self.tiles)


def find_results(asked: Asked, site: Site, *, after: str | None = None) -> Results:
    """A page of what is asked for."""
    try:
        meant = asked.meaning()
        pictures = site.uploads.for_query(meant)
        page = site.catalog.search_page(meant, page_size=_PAGE_SIZE, after=after, pictures=pictures)
        suggestion = site.catalog.suggest(meant) if after is None else None
    except CatalogNotFoundError:
        return Results(is_empty=True)
    except QuerySyntaxError as error:
        q, place = asked.q, error.position
        length = len((q[place:].split(maxsplit=1) or [""])[0])
        parts = q[:place], q[place : place + length], q[place + length :]
        return Results(status=400, problem=str(error), before=parts[0], at=parts[1], behind=parts[2])
    except ClipSearchError as error:
        return Results(status=status_of(error), problem=message_of(error))
    return Results(
        tiles=make_tiles(page.hits, asked, site),
        chips=[_links_of(chip, asked) for chip in chips_of(asked.own)],
        next_url=asked.url("/results", after=page.next) if page.next else None,
        has_relevance=bool(meant.groups),
        suggestion=None if suggestion is None else (suggestion, replace(asked, q=suggestion).url()),
        is_empty=not page.hits and after is None and meant == Query(),
    )


def make_tiles(hits: Sequence[SearchHit], asked: Asked, site: Site) -> list[Tile]:
    """Those of hits that are still there; `asked`: what their buttons add to."""
    known = {each.content_id: each for each in site.catalog.pictures.list([hit.content_id for hit in hits])}
    return [
        Tile(
            hit=hit,
            details=known[hit.content_id],
            name=name_of(hit.path),
            is_faint=hit.relevance < DEFAULT_CUTOFF,
            url=_picture_url(hit.content_id, asked),
            more_like=Asked(q=f"id:{hit.content_id}").url(),
            plus=plus,
            minus=minus,
        )
        for hit in hits
        if hit.content_id in known
        for plus, minus in [weigh_links(hit.content_id, asked)]
    ]


def weigh_links(content_id: int, asked: Asked) -> tuple[str | None, str | None]:
    """Addresses that ask for more and for less of a picture.

    Raises:
        QuerySyntaxError: what was typed can't be understood.
    """
    own = asked.own
    more, less = weigh_picture(own, content_id, STEP), weigh_picture(own, content_id, -STEP)
    return _link(asked, more), _link(asked, less)


def _links_of(chip: Chip, asked: Asked) -> ChipLinks:
    return ChipLinks(chip, _link(asked, chip.less), _link(asked, chip.more), _link(asked, chip.without))


def _link(asked: Asked, query: Query | None) -> str | None:
    url = None if query is None else replace(asked, q=str(query)).url()
    return None if url is None or len(url) > _LONGEST_LINK else url


def _picture_url(content_id: int, asked: Asked) -> str:
    """With the query, for its page says why it is shown; a very long one is left out."""
    path = f"/pictures/{content_id}"
    url = asked.url(path)
    return url if len(url) <= _LONGEST_LINK else path
