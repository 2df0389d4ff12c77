"""Codes and places: which place a code stands for, and which codes lie in a place."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipsearch.places.grid import find_places
from clipsearch.places.place import Place
from clipsearch.places.table import table


def find_place(latitude: float, longitude: float) -> Place | None:
    """Find the city or town of a point; None if no place is within 50 km, or these are no coordinates.

    A quarter, or a suburb that is a part of a city, gives the city.
    """
    return place_of(int(find_places([latitude], [longitude])[0]))


def place_of(code: int) -> Place | None:
    """Return the place of a code: of a quarter the city that it is a part of; None for -1."""
    if not 0 <= code < _count():
        return None
    return table().place(table().city_row(code) if code < table().cities else code)


def city_codes(codes: ArrayLike) -> NDArray[np.int32]:
    """Return for codes (n,) those of the cities that quarters are parts of; others stay as they are."""
    rows = np.asarray(codes, dtype=np.int64)
    is_city = (rows >= 0) & (rows < table().cities)
    return np.where(is_city, table().city_codes[np.where(is_city, rows, 0)], rows).astype(np.int32)


def find_by_id(identity: int) -> Place | None:
    """Find a place by its GeoNames id."""
    row = table().row_of(identity)
    return None if row < 0 else table().place(row)


def code_of(place: Place) -> int:
    """Return the code of a place: of a city as `find_places` does, of regions and countries a higher one."""
    return table().row_of(place.id)


def _count() -> int:
    return table().cities + table().regions + table().countries


def codes_within(place: Place) -> NDArray[np.int32]:
    """Return the codes that lie in a place, ascending: its own, those of a city's parts, of a country's regions.

    Empty for a place that is not in the table.
    """
    return np.flatnonzero(_is_within(place)).astype(np.int32)


def _is_within(place: Place) -> NDArray[np.bool_]:
    row, cities, regions = table().row_of(place.id), table().cities, table().regions
    is_inside = np.zeros(_count(), dtype=np.bool_)
    if row < 0:
        return is_inside
    is_inside[row] = True
    if row < cities:
        is_inside[:cities] |= table().city_codes == row
    elif row < cities + regions:
        is_inside[:cities] = table().array("city_regions") == row - cities
    else:
        is_in_country = table().array("region_countries") == row - cities - regions
        is_inside[cities : cities + regions] = is_in_country
        is_inside[:cities] = is_in_country[table().array("city_regions")]
    return is_inside


def is_within(place: Place, area: Place) -> bool:
    """Return whether a place is an area, or lies in it: a quarter in its city, a city in its region or country."""
    row, other = table().row_of(place.id), table().row_of(area.id)
    if row < 0 or other < 0:
        return False
    around = {row, table().region_row(row), table().country_row(row)}
    return other in around or (row < table().cities and other == table().city_row(row))


def table_version() -> str:
    """Return the version of the table, which codes hold for."""
    return table().version
