"""Columns of what is written about pictures: filters and facets, against a plain reading of each description."""

import random
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from clipsearch.columns.segment import Rows, make_segment
from clipsearch.columns.table import Columns
from clipsearch.columns.written import name_condition
from clipsearch.description import Description, pack
from clipsearch.query.filters import Pattern, parse_filter

ADDED = datetime(2024, 1, 1)


def content_row(content_id, description):
    packed = pack(description).encode()
    return (content_id, 9, 4, 3, b"JPEG", None, None, None, None, None, None, None, None, packed or None)


def rows_of(described, merged=None):
    rows = Rows()
    rows.add_files([(number, number, 1, b"a/%d.jpg" % number) for number in described])
    rows.add_contents([content_row(*each) for each in described.items()], merged or {})
    return rows


def columns_of(described, merged=None):
    return Columns([make_segment(rows_of(described, merged), {1: b"/p"})])


DESCRIBED = {
    1: Description(title="Old harbour", caption="Boats", keywords=("Animals/Black cat", "sea"), rating=5, label="red"),
    2: Description(keywords=("vacation", "Sea"), people=("Anna Müller", "Bob"), rating=1, creator="Joanna Lee"),
    3: Description(people=("Joanna",), rating=-1, label="blue", creator="Joanna Lee; Bob"),
    4: Description(title="HARBOUR café", keywords=("Cat",), rating=0),
    5: Description(),
    6: Description(keywords=("黒猫", "b/w"), people=("李雷",), rating=4, label="to be printed"),
}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("tag:cat", [1, 4]),
        ("tag:vacation", [2]),
        ("tag:sea", [1, 2]),
        ("tag:animals", [1]),
        ("tag:animals/black", [1]),
        ('tag:"black cat"', [1]),
        ("tag:*cat", [1, 4]),
        ("tag:*cat*", [1, 2, 4]),
        ("tag:猫", [6]),
        ("tag:黒", [6]),
        ("tag:b/w", [6]),
        ("tag:nothing", []),
        ("-tag:cat", [2, 3, 5, 6]),
        ("person:anna", [2]),
        ("person:muller", [2]),
        ("person:joanna", [3]),
        ("person:雷", [6]),
        ("label:red", [1]),
        ("label:printed", [6]),
        ("creator:joanna", [2, 3]),
        ("title:harb", [1, 4]),
        ("title:cafe", [4]),
        ("title:old*", [1]),
        ("-title:harbour", [2, 3, 5, 6]),
        ("rating:5", [1]),
        ("rating:>=4", [1, 6]),
        ("rating:1..4", [2, 6]),
        ("rating:<2", [2, 3]),
        ("-rating:>=4", [2, 3, 4, 5]),
        ("has:rating", [1, 2, 3, 6]),
        ("has:tags", [1, 2, 4, 6]),
        ("has:people", [2, 3, 6]),
        ("has:label", [1, 3, 6]),
        ("has:title", [1, 4]),
        ("has:caption", [1]),
        ("has:creator", [2, 3]),
        ("-has:tags", [3, 5]),
    ],
)
def test_filters(written, expected):
    is_negated = written.startswith("-")
    key, _, value = written.removeprefix("-").partition(":")
    filters = [parse_filter(key, value.strip('"'), is_negated=is_negated)]
    columns = columns_of(DESCRIBED)
    assert columns.select_ids(filters).tolist() == expected
    # Also where few rows are left by then.
    others = {number: Description() for number in range(100, 400)}
    few = [parse_filter("rating", ">=0"), *filters]
    known = [number for number in expected if number in (1, 2, 6)]
    assert columns_of(DESCRIBED | others).select_ids(few).tolist() == known


def test_facets_count_the_pictures_that_pass():
    columns = columns_of(DESCRIBED)
    written = columns.facets().written
    assert written.tags == {"Sea": 2, "Animals/Black cat": 1, "Cat": 1, "b/w": 1, "vacation": 1, "黒猫": 1}
    assert list(written.tags)[:2] == ["Sea", "Animals/Black cat"]
    assert written.people == {"Anna Müller": 1, "Bob": 1, "Joanna": 1, "李雷": 1}
    assert written.labels == {"blue": 1, "red": 1, "to be printed": 1}
    assert written.creators == {"Joanna Lee": 1, "Joanna Lee; Bob": 1}
    assert written.ratings == {-1: 1, 1: 1, 4: 1, 5: 1}
    of_harbours = columns.facets([parse_filter("title", "harbour")]).written
    assert of_harbours.tags == {"Animals/Black cat": 1, "Cat": 1, "sea": 1}
    assert of_harbours.ratings == {5: 1}
    assert Columns().facets().written.tags == {}


def test_what_all_sources_say_counts_instead_of_the_file():
    columns = columns_of(DESCRIBED, {1: Description(rating=2), 5: Description(title="New")})
    assert columns.select_ids([parse_filter("rating", "2")]).tolist() == [1]
    assert columns.select_ids([parse_filter("has", "title")]).tolist() == [4, 5]


def test_what_is_damaged_says_nothing():
    rows = Rows()
    rows.add_files([(1, 1, 1, b"a"), (2, 2, 1, b"b"), (3, 3, 1, b"c")])
    damaged = [content_row(number, Description())[:-1] for number in (1, 2, 3)]
    values = (b"{\xff", 7, b'{"keywords": 5, "rating": 99}')
    rows.add_contents([(*row, value) for row, value in zip(damaged, values, strict=True)], {})
    columns = Columns([make_segment(rows, {1: b"/p"})])
    assert columns.count() == 3
    assert columns.count([parse_filter("has", "tags")]) == columns.count([parse_filter("has", "rating")]) == 0


def test_changes_are_followed_through_many_segments():
    random.seed(7)
    names = [f"tag {number}" for number in range(30)]

    def some():
        return Description(
            title=random.choice((None, "a title", "b")),
            keywords=tuple(random.sample(names, random.randrange(4))),
            people=tuple(random.sample(("Anna", "Bob"), random.randrange(3))),
            rating=random.choice((None, 0, 1, 5, -1)),
            label=random.choice((None, "red")),
        )

    described = {number: some() for number in range(1, 60)}
    columns = columns_of(described)
    for _ in range(25):
        changed = {number: some() for number in random.sample(range(1, 90), random.randrange(1, 12))}
        described |= changed
        rows = rows_of(changed)
        columns = columns.with_changes(np.array(list(changed)), rows, {1: b"/p"})
        whole = columns_of(described)
        assert columns.facets() == whole.facets()
        for written in ("tag:3", "person:anna", "rating:5", "label:red", "title:title", "has:tags", "has:title"):
            wanted = [parse_filter(*written.split(":"))]
            assert columns.select_ids(wanted).tolist() == whole.select_ids(wanted).tolist(), written


def test_a_name_is_listed_once_for_a_picture():
    columns = columns_of({1: replace(DESCRIBED[1], keywords=("sea", "sea"))})
    assert columns.facets().written.tags == {"sea": 1}


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("cat", "cat", True),
        ("cat", "cat-like", True),
        ("cat", "my_cat", True),
        ("cat", "cats", False),
        ("cat", "cat2", False),
        ("c++", "c++", True),
        ("anna", "anna-lena", True),
        ("New York", "places/new york", True),
        ("new  york", "new york", False),
        ("ข้าว", "ข้าวผัด", True),
        ("?at", "cat", True),
        ("?at", "animals/cat", True),
        ("?at", "a cat", False),
        ("animals/*", "animals/cat", True),
        ("*", "anything", True),
    ],
)
def test_names_are_matched_by_whole_words(pattern, name, is_match):
    assert name_condition(Pattern(pattern))(name) is is_match
