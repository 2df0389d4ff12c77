"""Head the pictures of a page with their months, and lead to their years."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from clipsearch.errors import ClipSearchError
from clipsearch.search.sorting import DOUBTFUL
from clipsearch.web.page_query import PageQuery
from clipsearch.web.state import Site

_NAMES = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)

# Of one year alone there is nothing to choose.
_FEWEST_YEARS = 2


@dataclass(frozen=True, slots=True)
class OnThisDayLink:
    """Pictures of today's day in earlier years, and the URL of their query."""

    pictures: int
    years: int
    url: str


def headings_of(months: Iterable[str], before: str | None) -> list[str]:
    """Return the heading above each hit; "" where its month is that of the hit before it.

    Args:
        months: as in `SearchPage`.
        before: month of the last hit of the page before.
    """
    found = []
    for month in months:
        found.append("" if month == before else name_month(month))
        before = month
    return found


def name_month(month: str) -> str:
    """Return a month of `SearchPage` for display: "July 2023"."""
    if month in ("", DOUBTFUL):
        return "Doubtful date" if month else "No date"
    year, _, number = month.partition("-")
    return f"{_NAMES[int(number) - 1]} {int(year)}"


def year_links(page_query: PageQuery, site: Site) -> list[tuple[int, str]]:
    """Return the years of the pictures that pass the filters, in their order, and the URL from each of them on.

    Args:
        page_query: one that lists pictures by date.
    """
    try:
        counts = site.catalog.pictures.years(replace(page_query, since="", until="").parse())
    except ClipSearchError:  # the results report it
        return []
    years = sorted(counts, reverse=not page_query.reverse)
    if len(years) < _FEWEST_YEARS:
        return []
    return [(year, _from(year, page_query).url()) for year in years]


def _from(year: int, page_query: PageQuery) -> PageQuery:
    if page_query.reverse:
        return replace(page_query, since=f"{year:04}-01-01", until="")
    return replace(page_query, since="", until=f"{year:04}-12-31")


def find_on_this_day(site: Site) -> OnThisDayLink | None:
    """Return a link to the pictures of today's day in earlier years; None without any."""
    try:
        found = site.catalog.pictures.on_this_day()
    except ClipSearchError:  # nothing is indexed yet
        return None
    return OnThisDayLink(found.pictures, len(found.years), PageQuery(q=found.query).url()) if found.years else None
