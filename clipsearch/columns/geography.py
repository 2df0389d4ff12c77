"""Columns of the places that pictures were taken at: of their coordinates, else of the names that are written.

Arrays of a segment of n pictures:
    place: int32 (n,), codes of `places.find_places`, -1 where unknown; only in a file, with the version of the table of
        places, as codes hold for one version alone.
    place_version: the version, in ASCII.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.descriptions import Listing
from clipsearch.description import LEVELS
from clipsearch.places import Place, city_codes, code_of, codes_within, find_places, is_within, look_up, place_of
from clipsearch.places import table_version as table_of_places

NOWHERE = -1


def place_arrays_of(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the columns of places, to be stored with the others, see above."""
    version = np.frombuffer(table_of_places().encode("ascii"), dtype=np.uint8)
    return {"place": _codes(arrays), "place_version": version}


def place_codes(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.int32]:
    """Return the codes (n,) of the places of a segment's pictures."""
    if "place" in arrays and arrays["place_version"].tobytes() == table_of_places().encode("ascii"):
        return arrays["place"]
    return _codes(arrays)


def _codes(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.int32]:
    latitude, longitude = arrays["latitude"], arrays["longitude"]
    codes = np.full(len(latitude), NOWHERE, dtype=np.int32)
    known = np.flatnonzero(~np.isnan(latitude))
    if len(known):
        codes[known] = find_places(latitude[known], longitude[known])
    written = Listing(arrays, "where")
    for number, name in enumerate(written.names):
        rows = written.rows_of([number])
        rows = rows[np.isnan(latitude[rows])]
        if len(rows):
            codes[rows] = _code_of_names(name.split(LEVELS))
    return codes


def _code_of_names(names: list[str]) -> int:
    """Return the code of the smallest place that is known by its name and lies in the next larger one that is."""
    areas = [look_up(name) for name in names]
    for level in range(len(names) - 1, -1, -1):
        outer = next((found[0] for found in reversed(areas[:level]) if found), None)
        for place in areas[level]:
            if outer is None or is_within(place, outer):
                return code_of(place)
    return NOWHERE


def is_in(codes: NDArray[np.int32], place: Place) -> NDArray[np.bool_]:
    """Return which codes (n,) lie in a place."""
    inside = codes_within(place)
    is_inside = np.zeros(int(max(codes.max(initial=NOWHERE), inside.max(initial=NOWHERE))) + 2, dtype=np.bool_)
    is_inside[inside] = True  # the last one stands for -1
    found: NDArray[np.bool_] = is_inside[codes]
    return found


def count_codes(
    counts: NDArray[np.int64], codes: NDArray[np.int32], chosen: NDArray[np.bool_] | NDArray[np.intp]
) -> NDArray[np.int64]:
    """Return the numbers of pictures by code, with the chosen ones of codes (n,) added; -1 is not counted.

    Args:
        chosen: which (n,), or their rows.
    """
    # Counting the others as -1 is faster than leaving them out.
    places = (codes + 1) * chosen if chosen.dtype == np.bool_ else codes[chosen] + 1
    found = np.bincount(places)[1:]
    if len(found) < len(counts):
        found, counts = counts, found
    found = found.astype(np.int64)
    found[: len(counts)] += counts
    return found


def most_frequent_places(counts: NDArray[np.int64], number: int) -> dict[str, int]:
    """Return the full names of the places with most pictures, from the numbers by code, the first ones first."""
    used = np.flatnonzero(counts)
    if not len(used):
        return {}
    totals = np.bincount(city_codes(used), weights=counts[used])  # the exact sums: far below 2 ** 53
    cities = np.flatnonzero(totals)
    if len(cities) > number:
        cities = cities[np.argpartition(-totals[cities], number)[:number]]
    found: dict[str, int] = {}
    for city, total in zip(cities.tolist(), totals[cities].astype(np.int64).tolist(), strict=True):
        name = _name_of(city)
        found[name] = found.get(name, 0) + total
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


@lru_cache(maxsize=1 << 13)
def _name_of(code: int) -> str:
    place = place_of(code)
    return "" if place is None else place.full_name
