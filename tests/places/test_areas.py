"""What lies in what."""

import numpy as np
import pytest

from clipsearch.places import Place, codes_within, find_by_id, find_places, is_within, look_up


def codes(*points):
    return find_places(*zip(*points, strict=True))


@pytest.mark.parametrize(
    ("area", "is_inside"),
    [
        ("Munich", [True, False, False, False]),
        ("Bavaria", [True, True, False, False]),
        ("Germany", [True, True, True, False]),
        ("France", [False, False, False, False]),
    ],
)
def test_codes_within_an_area(area, is_inside):
    munich, nuremberg, hamburg, nowhere = (48.137, 11.575), (49.452, 11.077), (53.551, 9.994), (0.0, 0.0)
    found = np.isin(codes(munich, nuremberg, hamburg, nowhere), codes_within(look_up(area)[0]))
    assert found.tolist() == is_inside


def test_a_quarter_has_codes_of_its_own_within_its_city():
    brooklyn, city = look_up("Brooklyn, New York")[0], look_up("New York City")[0]
    assert is_within(brooklyn, city)
    assert not is_within(city, brooklyn)
    assert set(codes_within(brooklyn).tolist()) < set(codes_within(city).tolist())
    found = np.isin(codes((40.6500, -73.9500), (40.7829, -73.9654)), codes_within(brooklyn))
    assert found.tolist() == [True, False]


def test_a_city_is_in_its_region_and_country():
    munich, bavaria, germany = (look_up(name)[0] for name in ("Munich", "Bavaria", "Germany"))
    assert is_within(munich, bavaria) and is_within(munich, germany) and is_within(bavaria, germany)
    assert is_within(munich, munich) and is_within(germany, germany)
    assert not is_within(germany, bavaria) and not is_within(bavaria, munich)
    assert not is_within(munich, look_up("France")[0])


def test_places_are_found_by_id():
    munich = look_up("Munich")[0]
    assert find_by_id(munich.id) == munich
    assert [find_by_id(identity) for identity in (0, -1, 4_000_000_000, 1 << 40)] == [None] * 4


def test_a_place_of_another_table_is_nowhere():
    other = Place(4_000_000_000, "Atlantis", "city", "", "", "", 0.0, 0.0, 0)
    assert codes_within(other).tolist() == []
    assert not is_within(other, look_up("Germany")[0])
    assert not is_within(look_up("Munich")[0], other)
