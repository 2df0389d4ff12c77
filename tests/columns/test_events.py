"""Events and neighbours in time, over several segments, against plain ones."""

import random
from datetime import datetime, timedelta

import numpy as np
import pytest

from clipsearch.columns.segment import Rows
from clipsearch.columns.table import Columns
from clipsearch.description import Description, pack
from clipsearch.places import find_place
from clipsearch.query import parse_query

CITIES = [(48.137, 11.575), (48.15, 11.58), (48.85, 2.35), None, None]
MIDNIGHT = datetime(2024, 7, 4)


class Shot:
    """A picture as it is stored."""

    def __init__(self, content_id, taken, *, where=None, rating=None, is_doubtful=False):
        self.id, self.taken, self.where, self.rating, self.is_doubtful = content_id, taken, where, rating, is_doubtful

    @property
    def is_sure(self):
        return self.taken is not None and not self.is_doubtful


def rows_of(shots):
    rows = Rows()
    rows.add_files([(each.id, each.id, 1, b"%d.jpg" % each.id) for each in shots])
    rows.add_contents(
        [
            (
                *(each.id, 9, 4, 3, b"JPEG"),
                *(each.taken and str(each.taken).encode(), each.is_doubtful, None),
                *(each.where or (None, None)),
                *([None] * 3),
                pack(Description(rating=each.rating)).encode(),
            )
            for each in shots
        ],
        {},
    )
    return rows


def columns_of(*groups):
    """Of groups of pictures, each a segment unless the next ones are many; later ones replace earlier ones."""
    found = Columns()
    for shots in groups:
        ids = np.array([each.id for each in shots], dtype=np.int64)
        found = found.with_changes(ids, rows_of(shots), {1: b"/p"})
    return found


def listed(columns, **options):
    """Events as (first, last, number, name of the city, representative)."""
    from clipsearch.places import place_of

    rows = columns.events(**options)
    epoch = datetime(1970, 1, 1)
    return [
        (
            *(epoch + timedelta(microseconds=int(each[row])) for each in (rows.first, rows.last)),
            int(rows.count[row]),
            getattr(place_of(int(rows.code[row])), "name", None),
            int(rows.best[row]),
        )
        for row in range(len(rows))
    ]


def cut_plainly(shots):
    """One picture after the other."""
    runs = []
    for each in sorted((shot for shot in shots if shot.is_sure), key=lambda shot: (shot.taken, shot.id)):
        day = (each.taken - timedelta(hours=4)).date()
        if runs and each.taken - runs[-1][1][-1].taken <= timedelta(hours=4) and runs[-1][0] == day:
            runs[-1][1].append(each)
        else:
            runs.append((day, [each]))
    found = []
    for _, run in runs:
        names = [find_place(*each.where).name if each.where else None for each in run]
        for places in (range(len(run)), range(len(run) - 1, -1, -1)):
            last = None
            for place in places:
                last = names[place] = names[place] or last
        for city in set(names):
            some = [each for each, name in zip(run, names, strict=True) if name == city]
            middle = (len(some) - 1) / 2
            best = min(range(len(some)), key=lambda row: (-(some[row].rating or 0), abs(row - middle), row))
            found.append((some[0].taken, some[-1].taken, len(some), city, some[best].id))
    return sorted(found, key=lambda event: (event[0], event[4]), reverse=True)


def random_shots(rng, ids):
    start = MIDNIGHT + timedelta(minutes=rng.randrange(3000))
    return [
        Shot(
            number,
            None if rng.random() < 0.05 else start + timedelta(minutes=rng.randrange(6000)),
            where=rng.choice(CITIES),
            rating=rng.choice((None, None, None, -1, 3, 5)),
            is_doubtful=rng.random() < 0.05,
        )
        for number in ids
    ]


@pytest.mark.parametrize("seed", range(6))
def test_events_and_neighbours_are_those_found_one_by_one(seed):
    rng = random.Random(seed)
    first, second, third = (random_shots(rng, ids) for ids in (range(1, 121), range(121, 141), range(110, 116)))
    columns = columns_of(first, second, third)
    assert len(columns.segments) == 3
    shots = [*first[:109], *third, *first[115:], *second]
    found = listed(columns)
    assert found == cut_plainly(shots) and len(found) > 5
    assert columns.events().undated == sum(not each.is_sure for each in shots)
    some = rng.sample([each.id for each in shots], 40)
    assert listed(columns, among=some) == cut_plainly([each for each in shots if each.id in some])
    assert listed(columns, newest=115) == cut_plainly([each for each in shots if each.id <= 115])
    rated = listed(columns, filters=parse_query("rating:>=3").filters)
    assert rated == cut_plainly([each for each in shots if (each.rating or 0) >= 3])
    in_time = sorted((each for each in shots if each.is_sure), key=lambda each: (each.taken, each.id))
    ids = [each.id for each in in_time]
    for place, number in enumerate(ids):
        assert columns.neighbours(number, 3) == (ids[max(0, place - 3) : place][::-1], ids[place + 1 : place + 4])
    doubtful = next(each.id for each in shots if not each.is_sure)
    assert columns.neighbours(doubtful, 3) == columns.neighbours(999, 3) == ([], [])


def test_an_evening_that_goes_on_past_midnight_is_one_event_and_a_pause_begins_another():
    hours = (20, 23.5, 26, 27.9, 28.1, 31, 35.01)
    columns = columns_of([Shot(number, MIDNIGHT + timedelta(hours=hour)) for number, hour in enumerate(hours, start=1)])
    assert [event[2] for event in listed(columns)] == [1, 2, 4]


def test_pictures_without_a_place_belong_to_the_city_around_them():
    munich, paris = CITIES[0], CITIES[2]
    places = [None, munich, None, paris, None, munich]
    shots = [Shot(row, MIDNIGHT + timedelta(hours=9, minutes=row), where=at) for row, at in enumerate(places, start=1)]
    assert [(event[2], event[3]) for event in listed(columns_of(shots))] == [(2, "Paris"), (4, "Munich")]


def test_without_pictures_there_are_no_events():
    assert listed(Columns()) == listed(columns_of([Shot(1, None)])) == []
