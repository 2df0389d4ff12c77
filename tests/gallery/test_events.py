"""Events and what is told of several pictures, from a catalog of two days in two cities."""

import io
import sqlite3
from contextlib import closing
from datetime import datetime

import pytest
from PIL import Image

from clipsearch import Catalog, Event, QueryError, StoreError
from clipsearch.store.backends.connection import DATABASE_NAME
from tests.support.pictures import scene
from tests.support.trips import LINES, make_trips


@pytest.fixture
def catalog(tmp_path, colours):
    with Catalog.open(make_trips(tmp_path / "catalog", tmp_path / "photos")) as opened:
        yield opened


def test_events_are_listed_a_page_at_a_time_whatever_is_indexed_meanwhile(catalog, tmp_path):
    everything = catalog.pictures.events()
    place, country = "Munich, Bavaria, Germany", "Germany"
    day = datetime(2024, 7, 4)
    louvre = datetime(2024, 7, 5, 9)
    assert everything.events == (
        Event(louvre, louvre, 1, "Paris, Île-de-France, France", "France", 5),
        Event(day.replace(hour=20), day.replace(hour=20), 1, place, country, 4),
        Event(day.replace(hour=10), day.replace(hour=11), 3, place, country, 3),  # with five stars
    )
    assert (everything.next, everything.total, everything.undated) == (None, 3, 1)
    assert everything.events[2].query == "taken:2024-07-04"
    first = catalog.pictures.events(page_size=2)
    assert first.events == everything.events[:2]
    scene(1).save(tmp_path / "photos" / "new.jpg")
    catalog.index()
    rest = catalog.pictures.events(page_size=2, after=first.next)
    assert (rest.events, rest.next, rest.undated) == (everything.events[2:], None, 1)
    assert catalog.pictures.events().undated == 2


def test_the_events_of_a_query_are_those_of_its_likely_matches(catalog):
    reds = catalog.pictures.events("red")
    assert [(event.pictures, event.content_id) for event in reds.events] == [(2, 3)]
    assert [event.content_id for event in catalog.pictures.events("place:paris").events] == [5]
    assert [event.pictures for event in catalog.pictures.events("rating:5").events] == [1]
    assert catalog.pictures.events("type:png").events == ()


def test_cursors_that_are_none_are_told(catalog):
    for after in ("nonsense", "", "x" * 300, "WzEsMl0", "bnVsbA", "e30", "WzFlOTk5LDEsImEiXQ", "é"):
        with pytest.raises(QueryError, match="page cursor"):
            catalog.pictures.events(after=after)
    first = catalog.pictures.events(page_size=1)
    for query, again in (("taken:2024", catalog.pictures.events), ("red", catalog.search_page)):
        with pytest.raises(QueryError, match="another search"):
            again(query, page_size=1, after=first.next)
    with pytest.raises(QueryError, match="at least 1"):
        catalog.pictures.events(page_size=0)


def test_what_is_told_of_pictures_is_read_at_once(catalog):
    found = catalog.pictures.summaries([3, 99, 6, 5])
    assert set(found) == {3, 5, 6}
    tower = found[3]
    assert (tower.place, tower.country, tower.kind) == ("Munich, Bavaria, Germany", "Germany", None)
    assert (tower.metadata.width, tower.metadata.height) == (96, 64) and tower.size_bytes > 500
    assert (tower.description.title, tower.description.rating) == ("The tower", 5)
    assert (found[6].place, found[6].country, found[6].kind) == (None, None, "screenshot")
    assert all(each.place == catalog.pictures.get(number).place for number, each in found.items())


@pytest.mark.parametrize("damage", ["camera = x'ff'", "format = x'ff'", "latitude = 'north'"])
def test_damaged_values_are_named_with_the_repair(catalog, damage):
    with closing(sqlite3.connect(catalog.directory / DATABASE_NAME, isolation_level=None)) as database:
        database.execute(f"UPDATE contents SET {damage} WHERE content_id = 3")
    with pytest.raises(StoreError, match=r"picture 3 is damaged; .* repairs it"):
        catalog.pictures.summaries([1, 3])


def test_a_record_is_all_that_is_known_of_a_picture(catalog):
    tower, screen = catalog.pictures.records([3, 99, 6])
    assert (tower.details, tower.summary) == (catalog.pictures.get(3), catalog.pictures.summaries([3])[3])
    assert (tower.before, tower.after, tower.lines, tower.stack, tower.parts) == ((2, 1), (4, 5), (), (), 0)
    assert [line.text for line in screen.lines] == list(LINES)
    assert (screen.before, screen.after) == ((), ())


def test_a_contact_sheet_shows_pictures_in_rows_and_a_grey_tile_for_what_cant_be_read(catalog, tmp_path):
    (tmp_path / "photos" / "b-river.jpg").unlink()
    with Image.open(io.BytesIO(catalog.pictures.contact_sheet([1, 2, 4, 99]))) as sheet:
        assert (sheet.format, sheet.size) == ("JPEG", (652, 692))
        middles = [sheet.getpixel((164 + 324 * column, 164 + 344 * row)) for row in (0, 1) for column in (0, 1)]
    red, unreadable, lime, unknown = ([round(value / 255, 1) for value in middle] for middle in middles)
    assert (red, lime) == ([1, 0, 0], [0, 1, 0]) and unreadable == unknown == [0.8, 0.8, 0.8]


def test_contact_sheets_are_bounded(catalog):
    hits = catalog.search("red", top_k=6)
    for number in (1, 2, 20, 48):
        with Image.open(io.BytesIO(catalog.pictures.contact_sheet((hits * 8)[:number]))) as sheet:
            assert max(sheet.size) <= 1536 and min(sheet.size) > 300
    for number in (0, 49):
        with pytest.raises(QueryError, match=f"1 to 48 pictures, not {number}"):
            catalog.pictures.contact_sheet([1] * number)
