"""Columns of places: by coordinates, by written names, and from a file."""

import dataclasses

import numpy as np
import pytest

from clipsearch.columns import geography
from clipsearch.columns.file import ColumnFileName, load_segment, save_segment
from clipsearch.columns.segment import Rows, make_segment
from clipsearch.columns.table import Columns
from clipsearch.description import Description, pack
from clipsearch.query.filters import parse_filter

POSITIONS = {
    1: (48.8584, 2.2945),  # the Eiffel Tower
    2: (48.1374, 11.5755),  # Munich
    3: (47.5576, 10.7498),  # Neuschwanstein, near Füssen
    4: (0.0, -140.0),  # the Pacific
    5: None,
    6: None,
    7: None,
    8: (40.6892, -74.0445),  # the Statue of Liberty
    9: None,
}
DESCRIBED = {
    1: Description(city="Rome", country="Italy"),  # coordinates count first
    5: Description(location="Marienplatz", city="München", country="Germany"),
    6: Description(country="Italy", location="Grandma's house"),
    7: Description(city="Springfield", region="Illinois", country="United States"),
    9: Description(region="Bayern"),
}


def packed(number):
    return pack(DESCRIBED.get(number, Description())).encode() or None


def segment_of():
    rows = Rows()
    rows.add_files([(number, number, 1, b"%d.jpg" % number) for number in POSITIONS])
    rows.add_contents(
        [
            (number, 9, 4, 3, b"JPEG", *([None] * 3), *(position or (None, None)), *([None] * 3), packed(number))
            for number, position in POSITIONS.items()
        ],
        {},
    )
    return make_segment(rows, {1: b"/p"})


FOUND = {
    "place:paris": [1],
    "place:munich": [2, 5],
    "place:münchen": [2, 5],
    "place:慕尼黑": [2, 5],
    "place:bavaria": [2, 3, 5, 9],
    "place:bayern": [2, 3, 5, 9],
    "place:germany": [2, 3, 5, 9],
    "place:marienplatz": [5],
    "place:grandma's house": [6],
    "place:rome": [1],  # as it is written
    "place:mar*": [5],
    "place:nowhere at all": [],
    "country:de": [2, 3, 5, 9],
    "country:it": [6],
    "country:us": [7, 8],
    "near:munich,30km": [2],
    "place:illinois": [7],
    "has:place": [1, 2, 3, 5, 6, 7, 8, 9],
}


@pytest.mark.parametrize("written", FOUND)
def test_filters(written):
    filters = [parse_filter(*written.split(":", 1))]
    assert Columns([segment_of()]).select_ids(filters).tolist() == FOUND[written]


def test_facets_name_the_cities():
    places = Columns([segment_of()]).facets().written.places
    assert places["Munich, Bavaria, Germany"] == 2
    assert places["Paris, Île-de-France, France"] == 1
    assert places["Bavaria, Germany"] == places["Italy"] == 1
    assert sum(places.values()) == 8


@pytest.fixture
def in_file(tmp_path):
    segment = segment_of().with_places()
    described = ColumnFileName("u" * 36, len(segment), 1)
    checksum = save_segment(segment, tmp_path, described)
    return load_segment(tmp_path, checksum, described)


def test_a_file_has_the_places(in_file, monkeypatch):
    monkeypatch.setattr(geography, "find_places", None)
    assert in_file.places.number.tolist() == in_file.arrays["place_number"].tolist()
    assert Columns([in_file]).select_ids([parse_filter("place", "bavaria")]).tolist() == FOUND["place:bavaria"]


def test_places_of_another_table_are_found_again(in_file, monkeypatch):
    monkeypatch.setattr(geography, "table_of_places", lambda: "another")
    in_file.__dict__.pop("places", None)
    wrong = {**in_file.arrays, "place_number": np.zeros(len(in_file), dtype=np.uint8)}
    segment = type(in_file)(wrong, cameras=in_file.cameras, formats=in_file.formats)
    assert Columns([segment]).select_ids([parse_filter("place", "paris")]).tolist() == [1]


def test_without_positions_and_names_the_table_is_not_read(monkeypatch):
    monkeypatch.setattr(geography, "find_places", None)
    monkeypatch.setattr(geography, "look_up", None)
    rows = Rows()
    rows.add_files([(1, 1, 1, b"a.jpg")])
    rows.add_contents([(1, 9, 4, 3, b"JPEG", *([None] * 9))], {})
    columns = Columns([make_segment(rows, {1: b"/p"})])
    assert columns.facets().written.places == {}
    assert columns.count([parse_filter("has", "place")]) == 0


def test_changes_are_followed():
    columns = Columns([segment_of()])
    rows = Rows()
    rows.add_files([(1, 1, 1, b"a.jpg"), (5, 5, 1, b"b.jpg")])
    moved = dataclasses.replace(DESCRIBED[5], city="Paris", country="France", location=None)
    rows.add_contents(
        [
            (1, 9, 4, 3, b"JPEG", None, None, None, 48.1374, 11.5755, None, None, None, None),
            (5, 9, 4, 3, b"JPEG", None, None, None, None, None, None, None, None, pack(moved).encode()),
        ],
        {},
    )
    columns = columns.with_changes(np.array([1, 5]), rows, {1: b"/p"})
    assert columns.select_ids([parse_filter("place", "munich")]).tolist() == [1, 2]
    assert columns.select_ids([parse_filter("place", "paris")]).tolist() == [5]
