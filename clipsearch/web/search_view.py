"""Prepare search results for the page templates."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from clipsearch.errors import CatalogNotFoundError, ClipSearchError, QuerySyntaxError
from clipsearch.gallery.details import PictureDetails
from clipsearch.parts import Part, locate
from clipsearch.query import Query
from clipsearch.query.filters import FAVOURITES, quoted
from clipsearch.query.phrases import Phrase
from clipsearch.scoring.relevance import DEFAULT_CUTOFF, has_match
from clipsearch.search.feedback import MOST_MARKS
from clipsearch.search.hits import SearchHit
from clipsearch.search.narrowing import narrow_query
from clipsearch.search.unmeasured import describe_unmeasured
from clipsearch.web.errors import message_of, status_of
from clipsearch.web.facet_panel import filter_links
from clipsearch.web.hints import find_missing_album, find_unfinished
from clipsearch.web.months import OnThisDayLink, find_on_this_day, headings_of, year_links
from clipsearch.web.page_query import MAX_LINK_CHARS, PageQuery
from clipsearch.web.query_edits import STEP, Chip, chips_of, weigh_picture
from clipsearch.web.schemas import name_of
from clipsearch.web.state import Site

_PAGE_SIZE = 40

# Of a stack that is opened, shown at once.
_MOST_OF_STACK = 24

_MARKS: tuple[Literal["more", "less"], ...] = ("more", "less")


@dataclass(frozen=True, slots=True)
class Tile:
    """Template data of a hit.

    Attributes:
        is_faint: relevance below the cutoff, and the words are not in its writing.
        url: URL of the picture's page.
        mark: "more" or "less" where the picture is marked, else "".
        more, less: URLs with the picture marked so, or no longer; None for one too long, or too many marks.
        stack_url: URL of the tiles of the others of its stack; None in no stack, and for one of these tiles.
        stack_of: content id of the tile that these others belong to; None for any other tile.
        heading: month that begins with it, where hits are sorted by date; else "".
        size: width and height of what is shown, in pixels of the picture.
    """

    hit: SearchHit
    details: PictureDetails
    name: str
    is_faint: bool
    url: str
    more_like: str
    mark: str
    more: str | None
    less: str | None
    stack_url: str | None = None
    stack_of: int | None = None
    heading: str = ""
    is_favourite: bool = False

    @property
    def found_by(self) -> Literal["text", "name", "written", ""]:
        """What has the words of a picture that likely does not show them: text in it, its path, or its writing."""
        hit = self.hit
        if hit.written is None or hit.relevance >= DEFAULT_CUTOFF:
            return ""
        if hit.line is not None:
            return "text"
        return "name" if any(hit.written.strip(" …") in path for path in self.details.paths) else "written"

    @property
    def size(self) -> tuple[int, int]:
        metadata = self.details.metadata
        left, top, right, bottom = (self.hit.part.box if self.hit.part is not None else None) or (0, 0, 1, 1)
        return max(1, round((right - left) * metadata.width)), max(1, round((bottom - top) * metadata.height))


@dataclass(frozen=True, slots=True)
class Mark:
    """A marked picture, and the URL without its mark."""

    kind: str
    details: PictureDetails
    name: str
    without: str


@dataclass(frozen=True, slots=True)
class ChipLinks:
    """A term of the query and the URLs of its buttons; None as in `Chip`, or for a URL that is too long."""

    chip: Chip
    less: str | None
    more: str | None
    without: str | None


@dataclass(frozen=True, slots=True)
class PhraseLink:
    """A phrase among the words of the query, and the URL with the other choice for it."""

    phrase: Phrase
    url: str


@dataclass(frozen=True, slots=True)
class Results:
    """Results of a search, or its error.

    Attributes:
        status: HTTP status.
        phrases: words of the query that are taken as something else, or may be.
        filters: each of the query, and the URL without it; None: it is too long.
        marks: marked pictures, those with more first, and the URL without any.
        words: of the query, where it has one term of words; "" else.
        next_url: URL of the next tiles; None for the last.
        suggestions_url: URL of the suggestions; None for a query without terms.
        has_relevance: the query has terms, not only filters.
        years: where pictures are listed by date, their years, and the URL from each of them on.
        on_this_day: link of the start page; None without such pictures.
        is_empty: the catalog is empty.
        suggestion: the query with typing errors corrected, and its URL; None without typing errors.
        unmeasured: number of pictures that the filters know nothing of, as a sentence.
        nothing: why there are no tiles.
        problem: error message; then `before`, `at` and `behind` are the query, split at the error.
    """

    tiles: list[Tile] = field(default_factory=list)
    chips: list[ChipLinks] = field(default_factory=list)
    phrases: list[PhraseLink] = field(default_factory=list)
    filters: list[tuple[str, str | None]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    without_marks: str = "/"
    words: str = ""
    status: int = 200
    next_url: str | None = None
    suggestions_url: str | None = None
    has_relevance: bool = False
    is_empty: bool = False
    suggestion: tuple[str, str] | None = None
    years: list[tuple[int, str]] = field(default_factory=list)
    on_this_day: OnThisDayLink | None = None
    unmeasured: str = ""
    nothing: str = ""
    problem: str = ""
    before: str = ""
    at: str = ""
    behind: str = ""

    @property
    def has_match(self) -> bool:
        return has_match(tile.hit.relevance for tile in self.tiles) or any(tile.hit.written for tile in self.tiles)

    @property
    def has_written(self) -> bool:
        """Whether a picture is there for its name or what is written about it, not for what it shows."""
        return any(tile.found_by in ("name", "written") for tile in self.tiles)


@dataclass(frozen=True, slots=True)
class SuggestedLinks:
    """Labels that narrow the query, with the hits that each fits, and related labels; each with its URL.

    Attributes:
        did_you_mean: as `Results.suggestion`.
    """

    narrow: list[tuple[str, int, str]] = field(default_factory=list)
    related: list[tuple[str, str]] = field(default_factory=list)
    did_you_mean: tuple[str, str] | None = None


def find_results(page_query: PageQuery, site: Site, *, after: str | None = None, is_live: bool = False) -> Results:
    """Search one page of results; errors are part of the result.

    Args:
        is_live: the query is still being typed: its mistakes are left to the suggestions.
    """
    if is_live and not page_query.text and (unfinished := find_unfinished(page_query.q, site.catalog)):
        return Results(status=400, problem=unfinished)
    phrases: list[PhraseLink] = []
    try:
        if page_query.q and page_query.text:
            # Links add to the query: in them it is in quotes.
            page_query = replace(page_query, q=quoted(page_query.q), text=False)
        elif page_query.q:
            understanding = site.catalog.understand(page_query.q)
            phrases = [PhraseLink(each, replace(page_query, q=each.other).url()) for each in understanding.phrases]
            page_query = replace(page_query, q=understanding.text)
        parsed = page_query.parse()
        pictures = site.uploads.for_query(parsed)
        marked = {each.content_id: each for each in site.catalog.pictures.list([*page_query.more, *page_query.less])}
        # A mark of a picture that was removed since could not be taken back.
        more, less = (tuple(each for each in ids if each in marked) for ids in (page_query.more, page_query.less))
        page_query = replace(page_query, more=more, less=less)
        page = site.catalog.search_page(
            parsed,
            page_size=_PAGE_SIZE,
            after=after,
            pictures=pictures,
            more=more,
            less=less,
            sort=page_query.sort,
            reverse=page_query.reverse,
        )
        suggestion = site.catalog.suggest(parsed) if after is None and not is_live else None
    except CatalogNotFoundError:
        return Results(is_empty=True)
    except QuerySyntaxError as error:
        q, place = page_query.q, error.position
        length = len((q[place:].split(maxsplit=1) or [""])[0])
        parts = q[:place], q[place : place + length], q[place + length :]
        return Results(status=400, problem=str(error), before=parts[0], at=parts[1], behind=parts[2])
    except ClipSearchError as error:
        return Results(status=status_of(error), problem=message_of(error))
    missing = "" if page.hits else find_missing_album(parsed, site.catalog)
    if missing and is_live:
        return Results(status=400, problem=missing)
    words = [term.value for group in parsed.groups for term in group if term.kind == "words"]
    is_first = after is None
    headings = headings_of(page.months, page.month_before)
    return Results(
        tiles=make_tiles(page.hits, page_query, site, headings=headings),
        chips=[_links_of(chip, page_query) for chip in chips_of(page_query.typed)],
        filters=filter_links(page_query),
        marks=[_mark_of(kind, marked[each], page_query) for kind, ids in _kinds(page_query) for each in ids],
        without_marks=replace(page_query, more=(), less=()).url(),
        phrases=phrases,
        words=words[0] if len(words) == 1 else "",
        suggestions_url=page_query.url("/suggestions", corrects="1" if is_live else "")
        if parsed.groups and is_first
        else None,
        next_url=page_query.url("/results", after=page.next) if page.next else None,
        has_relevance=bool(parsed.groups or more),
        years=year_links(page_query, site) if page.months and is_first and not (parsed.groups or more) else [],
        on_this_day=find_on_this_day(site) if is_first and parsed == Query() and not (more or less) else None,
        unmeasured=describe_unmeasured(page.unmeasured) if page.unmeasured and is_first else "",
        suggestion=None if suggestion is None else (suggestion, replace(page_query, q=suggestion).url()),
        is_empty=not page.hits and is_first and parsed == Query(),
        nothing=missing or ("no picture passes the filters" if parsed.filters else "no picture is like that"),
    )


def find_stack(content_id: int, page_query: PageQuery, site: Site, *, skipped: int = 0) -> tuple[list[Tile], int]:
    """Find the others of a tile's stack that pass the filters; none where the query is invalid.

    Args:
        skipped: number of those that are shown already.

    Returns:
        The next ones, and the number of those after them: a burst of hundreds is not shown at once.
    """
    try:
        found = site.catalog.pictures.stack(content_id, page_query.parse())
    except ClipSearchError:
        return [], 0
    others = [hit for hit in found if hit.content_id not in (content_id, *page_query.less)]
    shown = others[skipped : skipped + _MOST_OF_STACK]
    return make_tiles(shown, page_query, site, stack_of=content_id), max(0, len(others) - skipped - len(shown))


def make_tiles(
    hits: Sequence[SearchHit],
    page_query: PageQuery,
    site: Site,
    *,
    stack_of: int | None = None,
    headings: Sequence[str] = (),
) -> list[Tile]:
    """Build the tiles of hits that still exist.

    Args:
        page_query: the query that their buttons extend.
        headings: above each hit, or none.
    """
    ids = [hit.content_id for hit in hits]
    known = {each.content_id: each for each in site.catalog.pictures.list(ids)}
    albums = site.catalog.albums.of(ids)
    return [
        Tile(
            hit=hit,
            details=known[hit.content_id],
            name=name_of(hit.path),
            is_faint=hit.relevance < DEFAULT_CUTOFF and hit.written is None,
            url=picture_url(hit.content_id, page_query, hit.part),
            more_like=PageQuery(q=f"id:{locate(str(hit.content_id), hit.part)}").url(),
            mark=mark_of(hit.content_id, page_query),
            more=more,
            less=less,
            stack_url=page_query.url(f"/pictures/{hit.content_id}/stack") if hit.stack else None,
            stack_of=stack_of,
            heading=heading,
            is_favourite=FAVOURITES in albums.get(hit.content_id, ()),
        )
        for hit, heading in zip(hits, headings or [""] * len(hits), strict=True)
        if hit.content_id in known
        for more, less in [mark_links(hit.content_id, page_query)]
    ]


def mark_links(content_id: int, page_query: PageQuery) -> tuple[str | None, str | None]:
    """Return the URLs with a picture marked as more and as less of what is searched for, or no longer marked so."""
    more, less = (_marked_url(page_query.mark(content_id, kind), page_query) for kind in _MARKS)
    return more, less


def mark_of(content_id: int, page_query: PageQuery) -> str:
    """Return how a picture is marked: "more", "less" or ""."""
    return next((kind for kind, ids in _kinds(page_query) if content_id in ids), "")


def _kinds(page_query: PageQuery) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return ("more", page_query.more), ("less", page_query.less)


def _marked_url(marked: PageQuery, before: PageQuery) -> str | None:
    count, count_before = (len(each.more) + len(each.less) for each in (marked, before))
    url = marked.url()
    is_shorter = count < count_before
    return url if is_shorter or (count <= MOST_MARKS and len(url) <= MAX_LINK_CHARS) else None


def _mark_of(kind: str, details: PictureDetails, page_query: PageQuery) -> Mark:
    more, less = (tuple(each for each in ids if each != details.content_id) for _, ids in _kinds(page_query))
    return Mark(kind, details, name_of(details.paths[0]), replace(page_query, more=more, less=less).url())


def find_narrower(page_query: PageQuery, site: Site, *, corrects: bool = False) -> SuggestedLinks:
    """Find suggestions for a page; without any where the query is invalid, which the page of hits reports.

    Args:
        corrects: also of the query with typing errors corrected, which the page of hits has not.
    """
    try:
        parsed = page_query.parse()
        found = site.catalog.suggestions(parsed, pictures=site.uploads.for_query(parsed))
    except ClipSearchError:
        return SuggestedLinks()
    narrow = [
        (each.label, each.count, _link(page_query, narrow_query(page_query.typed, each.label))) for each in found.narrow
    ]
    related = [(label, replace(page_query, q=label, more=(), less=()).url()) for label in found.related]
    corrected = found.did_you_mean if corrects else None
    return SuggestedLinks(
        [(label, count, url) for label, count, url in narrow if url is not None],
        related,
        None if corrected is None else (corrected, replace(page_query, q=corrected).url()),
    )


def weigh_links(content_id: int, page_query: PageQuery) -> tuple[str | None, str | None]:
    """Return the URLs of the query with more and with less of a picture.

    Raises:
        QuerySyntaxError: invalid query.
    """
    typed = page_query.typed
    more, less = weigh_picture(typed, content_id, STEP), weigh_picture(typed, content_id, -STEP)
    return _link(page_query, more), _link(page_query, less)


def _links_of(chip: Chip, page_query: PageQuery) -> ChipLinks:
    return ChipLinks(chip, _link(page_query, chip.less), _link(page_query, chip.more), _link(page_query, chip.without))


def _link(page_query: PageQuery, query: Query | None) -> str | None:
    url = None if query is None else replace(page_query, q=str(query)).url()
    return None if url is None or len(url) > MAX_LINK_CHARS else url


def picture_url(content_id: int, page_query: PageQuery, part: Part | None = None) -> str:
    """Return the URL of a picture's page at a part, with the query for its match unless that is too long."""
    path, fragment = f"/pictures/{content_id}", "" if part is None else part.fragment
    url = page_query.url(path, part=fragment)
    return url if len(url) <= MAX_LINK_CHARS else PageQuery().url(path, part=fragment)
