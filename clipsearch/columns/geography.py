"""Columns of the places that pictures were taken at: of their coordinates, else of the names that are written.

Arrays of a segment of n pictures, which only a file has:
    place_number: unsigned (n,), 0 where unknown, else the place in place_rows + 1. Highest number of the type: none.
    place_rows: int32 (k,), the different codes of `places.find_places`, growing.
    place_version: version of the table of places, in ASCII, as codes hold for one version alone.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.descriptions import Listing
from clipsearch.description import LEVELS
from clipsearch.places import Place, city_codes, code_of, codes_within, find_places, is_within, look_up, place_of
from clipsearch.places import table_version as table_of_places

NOWHERE = -1


class PlaceColumn(NamedTuple):
    """The arrays place_number and place_rows, see above."""

    number: NDArray[np.unsignedinteger]
    rows: NDArray[np.int32]


def place_arrays_of(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the columns of places, to be stored with the others, see above."""
    column = _find_column(arrays)
    version = np.frombuffer(table_of_places().encode("ascii"), dtype=np.uint8)
    return {"place_number": column.number, "place_rows": column.rows, "place_version": version}


def place_column(arrays: Mapping[str, NDArray[Any]]) -> PlaceColumn:
    """Return the places of a segment's pictures."""
    if "place_rows" in arrays and arrays["place_version"].tobytes() == table_of_places().encode("ascii"):
        return PlaceColumn(arrays["place_number"], arrays["place_rows"])
    return _find_column(arrays)


def _find_column(arrays: Mapping[str, NDArray[Any]]) -> PlaceColumn:
    codes = _codes(arrays) + 1
    is_used = np.bincount(codes) > 0
    is_used[:1] = False
    rows = np.flatnonzero(is_used)
    number = np.cumsum(is_used, dtype=np.min_scalar_type(len(rows) + 1))
    return PlaceColumn(number[codes], (rows - 1).astype(np.int32))


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


def is_in(column: PlaceColumn, place: Place) -> NDArray[np.bool_]:
    """Return which pictures (n,) were taken in a place."""
    inside = codes_within(place)
    found: NDArray[np.bool_] = np.concatenate(([False], np.isin(column.rows, inside)))[column.number]
    return found


def most_frequent_places(codes: NDArray[np.int64], counts: NDArray[np.int64], number: int) -> dict[str, int]:
    """Return the full names of the places with most pictures, the first ones first.

    Args:
        codes: of places (m,); one may occur several times.
        counts: pictures of each.
    """
    if not len(codes):
        return {}
    totals = np.bincount(city_codes(codes), weights=counts)  # the exact sums: far below 2 ** 53
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
