"""Counts of what is written, over segments of different sizes, against plain ones."""

import random
from collections import Counter

import numpy as np
import pytest

from clipsearch.columns.facets import NameCounts, WrittenCounts
from clipsearch.columns.segment import Rows, Segment, make_segment
from clipsearch.description import Description, pack

NAMES = [f"{word}{number}" for number in range(40) for word in ("Beach", "beach", "BEACH", "Straße", "strasse")]
CITIES = [(48.137, 11.575), (48.85, 2.35), (35.68, 139.76), (48.15, 11.58), None]


def segment_of(rng: random.Random, count: int, first: int) -> tuple[Segment, list[Description], list[int]]:
    described = [
        Description(
            keywords=tuple(rng.sample(NAMES, rng.randrange(4))),
            rating=rng.choice((None, -1, 3, 5)),
            creator=rng.choice(("Anna", "anna", None)),
        )
        for _ in range(count)
    ]
    places = [rng.randrange(len(CITIES)) for _ in range(count)]
    ids = range(first, first + count)
    rows = Rows()
    rows.add_files([(each, each, 1, b"%d.jpg" % each) for each in ids])
    rows.add_contents(
        [
            (
                each,
                9,
                4,
                3,
                b"JPEG",
                *([None] * 3),
                *(CITIES[place] or (None, None)),
                *([None] * 3),
                pack(text).encode(),
            )
            for each, place, text in zip(ids, places, described, strict=True)
        ],
        {},
    )
    return make_segment(rows, {1: b"/p"}), described, places


def joined(counts: Counter[str]) -> dict[str, int]:
    """Spellings that differ in case alone under the most frequent one, the most frequent first."""
    groups: dict[str, Counter[str]] = {}
    for name, count in counts.items():
        groups.setdefault(name.casefold(), Counter())[name] += count
    found = {min(group, key=lambda name: (-group[name], name)): sum(group.values()) for group in groups.values()}
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


@pytest.mark.parametrize("sizes", [(300,), (300, 20, 3), (40, 300), (1,), (7, 7, 7)], ids=str)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_facets_are_those_counted_one_by_one(sizes: tuple[int, ...], share: float) -> None:
    rng, counts = random.Random(f"{sizes} {share}"), WrittenCounts()
    tags, creators, ratings, places = Counter[str](), Counter[str](), Counter[int](), Counter[int]()
    for number, size in enumerate(sizes):
        segment, described, where = segment_of(rng, size, 1 + 1000 * number)
        mask = np.array([rng.random() < share for _ in range(size)], dtype=np.bool_)
        counts.add(segment, mask, np.flatnonzero(mask) if share < 0.1 else mask)
        for row in np.flatnonzero(mask).tolist():
            tags.update(described[row].keywords)
            creators.update(filter(None, [described[row].creator]))
            ratings.update(each for each in [described[row].rating] if each is not None)
            places[where[row]] += 1
    facets = counts.facets()
    assert list(facets.tags.items()) == list(joined(tags).items())
    assert list(facets.creators.items()) == list(joined(creators).items())
    assert facets.ratings == dict(sorted(ratings.items()))
    munich = facets.places.get("Munich, Bavaria, Germany", 0)
    assert munich == places[0] + places[3]  # a quarter of it
    assert sum(facets.places.values()) == sum(count for place, count in places.items() if CITIES[place])


@pytest.mark.parametrize("number", [1, 3, 10])
def test_the_most_frequent_names_of_all_segments_are_kept(number: int) -> None:
    rng, counts, names = random.Random(number), NameCounts(), Counter[str]()
    for place, size in enumerate((400, 60, 30)):
        segment, described, _ = segment_of(rng, size, 1 + 1000 * place)
        counts.add(segment.listings["tag"], np.ones(size, dtype=np.bool_))
        names.update(each for text in described for each in text.keywords)
    found, expected = counts.most_frequent(number), joined(names)
    assert list(found.values()) == list(expected.values())[:number]
    assert all(expected[name] == count for name, count in found.items())
