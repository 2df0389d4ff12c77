"""Coordinates to places."""

import numpy as np
import pytest

from clipsearch.places import city_codes, find_place, find_places, place_of
from clipsearch.places.grid import KM_A_DEGREE, MOST_KM, NEAR_KM, reach_km
from clipsearch.places.table import table


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [
        (48.8422, 2.2950, "Paris"),  # Vaugirard, a quarter
        (48.8049, 2.1204, "Versailles"),
        (52.4990, 13.4030, "Berlin"),  # Kreuzberg
        (52.3990, 13.0600, "Potsdam"),
        (40.6500, -73.9500, "New York City"),  # Brooklyn
        (48.1372, 11.5755, "Munich"),
        (41.9022, 12.4568, "Vatican City"),
        (-33.8568, 151.2153, "Sydney"),
        (64.1466, -21.9426, "Reykjavík"),
    ],
)
def test_a_quarter_is_its_city_and_a_town_is_itself(latitude, longitude, name):
    assert find_place(latitude, longitude).name == name


def test_a_place_has_region_country_and_numbers():
    place = find_place(48.1372, 11.5755)
    assert (place.kind, place.region, place.country, place.country_code) == ("city", "Bavaria", "Germany", "DE")
    assert place.full_name == "Munich, Bavaria, Germany"
    assert place.id == 2867714
    assert place.population > 1_000_000
    assert (place.latitude, place.longitude) == pytest.approx((48.137, 11.575), abs=0.001)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        (0.0, 0.0),
        (30.0, -40.0),
        (90.0, 0.0),
        (-90.0, 123.0),
        (np.nan, 10.0),
        (48.0, np.nan),
        (np.inf, 10.0),
        (48.0, -np.inf),
        (91.0, 10.0),
        (1e300, 1e300),
    ],
)
def test_nothing_is_at_sea_at_the_poles_and_where_no_coordinates_are(latitude, longitude):
    assert find_place(latitude, longitude) is None
    assert find_places([latitude], [longitude]).tolist() == [-1]


@pytest.mark.parametrize("turns", [-360, 0, 360])
def test_longitudes_go_round(turns):
    assert find_place(-18.1416, 178.4415 + turns).name == "Suva"


def test_the_date_line_is_no_border():
    # Egvekinot, Russia, lies at 179.12 degrees west.
    assert find_place(66.323, -179.5).name == find_place(66.323, 179.95).name == "Egvekinot"


def test_no_coordinates_give_no_codes():
    assert find_places([], []).tolist() == []
    assert find_places([], []).dtype == np.int32


def test_many_points_are_found_as_one_is():
    latitudes, longitudes = points(300)
    codes = find_places(latitudes, longitudes)
    ones = [int(find_places([north], [east])[0]) for north, east in zip(latitudes, longitudes, strict=True)]
    assert codes.tolist() == ones
    assert codes[np.array([5, 5, 7])].tolist() == find_places(latitudes[[5, 5, 7]], longitudes[[5, 5, 7]]).tolist()


def test_the_grid_finds_what_a_comparison_with_every_place_finds():
    latitudes, longitudes = points(2000)
    codes, expected = (
        find_places(latitudes, longitudes),
        [plain(*one) for one in zip(latitudes, longitudes, strict=True)],
    )
    # Places at the same distance, and at the limits, may be told apart by the last bit only.
    assert np.mean(codes == expected) > 0.999


def points(count):
    random = np.random.default_rng(5)
    rows = random.integers(0, table().cities, count)
    north = table().array("latitudes")[rows] / 1e5 + random.normal(0, 0.15, count)
    east = table().array("longitudes")[rows] / 1e5 + random.normal(0, 0.15, count)
    return np.round(north.clip(-90, 90), 3), np.round(east, 3)


def plain(latitude, longitude):
    north = table().array("latitudes")[: table().cities] / 1e5 - latitude
    east = (table().array("longitudes")[: table().cities] / 1e5 - longitude + 180) % 360 - 180
    distances = KM_A_DEGREE * np.hypot(north, east * np.cos(np.radians(latitude)))
    reach = reach_km(table().array("populations")[: table().cities])
    is_near = distances < np.maximum(NEAR_KM, 2 * reach)
    if is_near.any():
        return int(np.where(is_near, distances / reach, np.inf).argmin())
    return int(distances.argmin()) if distances.min() < MOST_KM else -1


def test_codes_of_quarters_are_those_of_their_cities():
    codes = find_places([48.8422, 48.8867, 0.0], [2.2950, 2.3431, 0.0])
    assert [place and place.name for place in map(place_of, codes.tolist())] == ["Paris", "Paris", None]
    cities = city_codes(codes)
    assert cities[0] == cities[1] != -1
    assert cities[2] == -1
    assert city_codes([]).tolist() == []


def test_codes_that_are_none_have_no_place():
    assert place_of(-1) is None
    assert place_of(table().cities + table().regions + table().countries) is None
