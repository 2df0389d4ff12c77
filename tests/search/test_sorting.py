"""Hits sorted by date, by when they were added and by name, whole and a page at a time."""

from datetime import date, datetime
from itertools import pairwise

import pytest
from PIL import Image

from clipsearch import Catalog, QueryError
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.search.sorting import NEAREST
from tests.support.films import Shot, make_film
from tests.support.stacks import COLOURS, paint

# The order in which they are indexed, one after the other; (colour, date).
PHOTOS = {
    "img10.jpg": ("red", "2023:07:02 10:00:00"),
    "IMG9.jpg": ("red", "2021:03:01 10:00:00"),
    "a/img9.jpg": ("blue", "2023:07:30 10:00:00"),
    "undated.jpg": ("red", ""),
    "reset.jpg": ("red", "2000:01:01 00:00:00"),  # of a clock that was never set
    "last.jpg": ("lime", "2024:05:01 10:00:00"),
    "other.jpg": ("red", "2023:06:30 23:59:59"),
}
TAKEN = ["last.jpg", "a/img9.jpg", "img10.jpg", "other.jpg", "IMG9.jpg", "reset.jpg", "undated.jpg"]
TAKEN_REVERSED = ["IMG9.jpg", "other.jpg", "img10.jpg", "a/img9.jpg", "last.jpg", "reset.jpg", "undated.jpg"]
NAMED = ["IMG9.jpg", "a/img9.jpg", "img10.jpg", "last.jpg", "other.jpg", "reset.jpg", "undated.jpg"]
ADDED = list(PHOTOS)[::-1]

ORDERS = [(sort, reverse) for sort in ("relevance", "taken", "added", "name") for reverse in (False, True)]


@pytest.fixture
def photos(tmp_path):
    return tmp_path / "photos"


def photograph(path, colour, taken):
    image = Image.new("RGB", (96, 64), COLOURS[colour])
    image.paste((0, 0, 0), (0, 0, 4 + len(path.name), 8))  # no two are the same
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, exif=exif, quality=95)


@pytest.fixture
def catalog(tmp_path, photos, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        for name, (colour, taken) in PHOTOS.items():
            photograph(photos / name, colour, taken)
            opened.index(photos)
        yield opened


def names(hits, photos):
    return [hit.path.removeprefix(f"{photos}/") for hit in hits]


def pages_of(catalog, query, **options):
    """The hits of all pages, their months, and of each page the month before it."""
    page = catalog.search_page(query, page_size=2, **options)
    pages = [page]
    while page.next is not None:
        page = catalog.search_page(query, page_size=2, after=page.next, **options)
        pages.append(page)
    return pages


@pytest.mark.parametrize(
    ("sort", "expected", "reverse"),
    [
        ("taken", TAKEN, TAKEN_REVERSED),
        ("relevance", TAKEN, TAKEN_REVERSED),
        ("added", ADDED, ADDED[::-1]),
        ("name", NAMED, NAMED[::-1]),
    ],
)
def test_filters_alone_are_sorted(catalog, photos, sort, expected, reverse):
    hits = catalog.search("type:jpeg", sort=sort)
    assert names(hits, photos) == expected
    assert [hit.rank for hit in hits] == list(range(1, 8))
    assert names(catalog.search("type:jpeg", sort=sort, reverse=True), photos) == reverse
    assert names(catalog.search("type:jpeg", sort=sort, top_k=2, reverse=True), photos) == reverse[:2]


def test_of_words_those_are_sorted_that_are_likely_matches(catalog, photos):
    likely = catalog.search("red", top_k=100, min_relevance=DEFAULT_CUTOFF)
    assert 1 < len(likely) < len(PHOTOS)
    shown = names(likely, photos)
    for sort, expected in (("taken", TAKEN), ("added", ADDED), ("name", NAMED)):
        hits = catalog.search("red", sort=sort)
        assert names(hits, photos) == [name for name in expected if name in shown]
        assert {(hit.content_id, hit.score) for hit in hits} == {(hit.content_id, hit.score) for hit in likely}
    assert names(catalog.search("red", reverse=True), photos) == shown[::-1]
    assert names(catalog.search("red", reverse=True, top_k=1, explain=True), photos) == shown[-1:]


def test_where_nothing_matches_the_nearest_are_sorted(catalog, photos):
    assert not catalog.search("a harpsichord", min_relevance=DEFAULT_CUTOFF)
    assert len(PHOTOS) < NEAREST
    assert names(catalog.search("a harpsichord", sort="taken"), photos) == TAKEN
    assert catalog.search("a harpsichord", sort="taken", min_relevance=0.99) == []


def test_a_threshold_says_which_hits_are_sorted(catalog):
    for threshold in (0.001, 0.9):
        expected = catalog.search("red", top_k=100, min_relevance=threshold)
        found = catalog.search("red", top_k=100, min_relevance=threshold, sort="name")
        assert {hit.content_id for hit in found} == {hit.content_id for hit in expected}


@pytest.mark.parametrize("stacks", [True, False])
@pytest.mark.parametrize("query", ["red", "type:jpeg"])
@pytest.mark.parametrize(("sort", "reverse"), ORDERS)
def test_pages_are_the_sorted_search_cut_into_pieces(catalog, photos, query, sort, reverse, stacks):
    for number in range(4):
        paint(photos / f"burst-{number}.jpg", "red", number, spots=4 - (number == 3))
    catalog.index(photos)
    options = {"sort": sort, "reverse": reverse, "stacks": stacks}
    # The threshold is that of sorted hits, for relevance too.
    whole = catalog.search(query, top_k=100, min_relevance=DEFAULT_CUTOFF, **options)
    first = catalog.search_page(query, page_size=2, min_relevance=DEFAULT_CUTOFF, **options)
    photograph(photos / "img1.jpg", "red", "2023:07:15 10:00:00")
    photograph(photos / "zzz.jpg", "red", "")
    catalog.index(photos)
    hits, after = list(first.hits), first.next
    while after is not None:
        page = catalog.search_page(query, page_size=2, min_relevance=DEFAULT_CUTOFF, after=after, **options)
        hits += page.hits
        after = page.next
    assert [(hit.rank, hit.content_id, hit.stack) for hit in hits] == [
        (hit.rank, hit.content_id, hit.stack) for hit in whole
    ]
    assert any(hit.stack for hit in whole) == stacks
    shown = [number for hit in hits for number in (hit.content_id, *hit.stack)]
    assert len(shown) == len(set(shown))


def test_a_cursor_belongs_to_one_order(catalog):
    page = catalog.search_page("type:jpeg", page_size=2, sort="name")
    for options in ({"sort": "added"}, {"sort": "name", "reverse": True}, {}):
        with pytest.raises(QueryError, match="another search"):
            catalog.search_page("type:jpeg", page_size=2, after=page.next, **options)


def test_pages_go_on_where_the_last_hit_was_deleted(catalog, photos):
    page = catalog.search_page("type:jpeg", page_size=2, sort="name")
    (photos / NAMED[1]).unlink()
    catalog.index(photos)
    following = catalog.search_page("type:jpeg", page_size=2, sort="name", after=page.next)
    assert names(following.hits, photos) == NAMED[2:4]


@pytest.mark.parametrize("query", ["red", "type:jpeg"])
@pytest.mark.parametrize("reverse", [False, True])
def test_months_of_pages_go_on_from_page_to_page(catalog, query, reverse):
    pages = pages_of(catalog, query, sort="taken", reverse=reverse, min_relevance=DEFAULT_CUTOFF)
    assert pages[0].month_before is None
    for one, other in pairwise(pages):
        assert other.month_before == one.months[-1]
    months = [month for page in pages for month in page.months]
    dated = {"red": ["2023-07", "2023-06", "2021-03"], "type:jpeg": ["2024-05", "2023-07", "2023-06", "2021-03"]}[query]
    assert list(dict.fromkeys(months)) == [*(dated[::-1] if reverse else dated), "doubtful", ""]
    assert len(months) == sum(len(page.hits) for page in pages)
    changes = sum(one != other for one, other in pairwise(months))
    assert changes == len(set(months)) - 1, "each month is one run of hits"


def test_only_hits_in_the_order_of_dates_have_months(catalog):
    assert len(catalog.search_page("type:jpeg").months) == len(PHOTOS)
    assert catalog.search_page("red").months == ()
    assert catalog.search_page("type:jpeg", sort="name").months == ()


def test_a_film_is_one_hit_of_a_sorted_search(catalog, photos):
    pytest.importorskip("av", reason="PyAV is not installed: pip install -e '.[video]'")
    shots = [Shot(Image.new("RGB", (120, 90), colour), 3) for colour in ("red", "blue", "red")]
    (photos / "film.webm").write_bytes(make_film(shots, codec="vp9", container="webm", size=(120, 90)))
    catalog.index(photos)
    expected = catalog.search("red", top_k=100, min_relevance=DEFAULT_CUTOFF)
    for sort in ("taken", "added", "name"):
        hits = [hit for page in pages_of(catalog, "red", sort=sort) for hit in page.hits]
        assert sorted((hit.content_id, str(hit.part)) for hit in hits) == sorted(
            (hit.content_id, str(hit.part)) for hit in expected
        )
    (film,) = [hit for hit in expected if hit.path.endswith("film.webm")]
    assert film.part is not None
    assert names(catalog.search("red", sort="added", top_k=1), photos) == ["film.webm"]


def test_marks_and_sorting(catalog, photos):
    lime = catalog.search("path:last.jpg")[0]
    assert "last.jpg" not in names(catalog.search("type:jpeg", sort="name", less=[lime]), photos)
    assert "last.jpg" in names(catalog.search("", sort="name", more=[lime]), photos)


def test_orders_that_are_none(catalog):
    with pytest.raises(QueryError, match="sort takes relevance, taken, added or name, not size"):
        catalog.search("red", sort="size")
    with pytest.raises(QueryError, match="order of their own"):
        catalog.search("red", sort="taken", diverse=True)


def test_pictures_of_this_day_in_earlier_years(catalog, photos):
    photograph(photos / "anniversary.jpg", "blue", "2019:07:02 08:00:00")
    catalog.index(photos)
    found = catalog.pictures.on_this_day(date(2026, 7, 2))
    assert (found.pictures, found.years) == (2, {2019: 1, 2023: 1})
    assert names(catalog.search(found.query), photos) == ["img10.jpg", "anniversary.jpg"]
    assert catalog.pictures.on_this_day(date(2023, 7, 2)).years == {2019: 1}, "this year is no earlier one"
    assert catalog.pictures.on_this_day(date(2026, 1, 1)).years == {}, "doubtful dates don't count"
    assert names(catalog.search("taken:--07"), photos) == ["a/img9.jpg", "img10.jpg", "anniversary.jpg"]
    assert catalog.pictures.years() == {2019: 1, 2021: 1, 2023: 3, 2024: 1}


def test_today_is_that_of_this_machine(catalog, photos):
    today = datetime.now()
    if (today.month, today.day) == (2, 29):
        pytest.skip("there is none in most years")
    photograph(photos / "today.jpg", "blue", f"2019:{today:%m:%d} 12:00:00")
    catalog.index(photos)
    understanding = catalog.understand("on this day")
    assert names(catalog.search(understanding.query), photos) == ["today.jpg"]
