"""What is written about a picture: merged, packed, and unpacked from what nobody can trust."""

import json
from datetime import datetime

import pytest

from clipsearch.description import (
    MOST_NAMES,
    NOTHING,
    UNRATED,
    Description,
    join_names,
    merge,
    pack,
    to_json,
    unpack,
)

FULL = Description(
    title="Harbour",
    caption="Boats in the\nold harbour",
    keywords=("Places/France/Paris", "boat", "b&w"),
    people=("Anna Müller", "李雷"),
    rating=4,
    label="red",
    creator="A. Photographer; B. Other",
    copyright="© 2019",
    location="Old Harbour",
    city="Marseille",
    region="Provence",
    country="France",
    taken_at=datetime(2019, 7, 4, 12, 30, 1, 500_000),
    latitude=43.2951,
    longitude=5.3742,
)


@pytest.mark.parametrize(
    "described", [NOTHING, FULL, Description(rating=UNRATED), Description(latitude=0.0, longitude=0.0)]
)
def test_a_description_comes_back_from_its_json(described):
    packed = pack(described)
    assert unpack(packed) == described
    assert packed.isascii()
    assert (packed == "") == (described == NOTHING) == (not described)


def test_json_says_only_what_is_said():
    assert to_json(Description(title="A", rating=5, keywords=("x",))) == {"title": "A", "rating": 5, "keywords": ["x"]}
    assert to_json(NOTHING) == {}


@pytest.mark.parametrize(
    "packed",
    [
        *(None, 7, b"{}", "", "{", "[]", "null", "[" * 100_000),
        json.dumps({"title": 7, "caption": ["x"], "keywords": "abc", "people": {"a": 1}, "rating": "5"}),
        json.dumps({"title": "", "label": "x" * 301, "caption": "x" * 4_001, "keywords": ["", 7, None, "x" * 301]}),
        json.dumps({"rating": 6}),
        json.dumps({"rating": True, "latitude": 1.0, "longitude": None}),
        json.dumps({"latitude": 91, "longitude": 0, "taken_at": "yesterday"}),
        '{"latitude": NaN, "longitude": 0, "rating": -2, "taken_at": 5}',
        json.dumps({"unknown": "field"}),
    ],
)
def test_what_is_invalid_is_left_out(packed):
    assert unpack(packed) == NOTHING


def test_there_is_an_upper_limit_of_names():
    assert len(unpack(json.dumps({"keywords": [str(n) for n in range(MOST_NAMES + 9)]})).keywords) == MOST_NAMES


def test_the_first_source_counts_and_names_are_those_of_all():
    sidecar = Description(rating=UNRATED, keywords=("sea", "Boat"), city="Nice")
    embedded = Description(title="Harbour", rating=4, keywords=("boat", "port"), people=("Anna",), country="Italy")
    other = Description(title="IMG_1", caption="words", latitude=1.0, longitude=2.0)
    assert merge([sidecar, embedded, other]) == Description(
        title="Harbour",
        caption="words",
        keywords=("sea", "Boat", "port"),
        people=("Anna",),
        rating=UNRATED,
        city="Nice",  # no city of one source in the country of another
        latitude=1.0,
        longitude=2.0,
    )
    assert merge([]) == NOTHING
    assert merge([FULL]) is FULL


def test_a_plain_name_is_left_out_where_it_is_a_level_of_another():
    names = ["Paris", "places/france/paris", "Places", "beach", "PLACES/France/Paris", "Beach"]
    assert join_names(names) == ("places/france/paris", "beach")
