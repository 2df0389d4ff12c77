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
    """Return the city of a code of `find_places`: a quarter's is the city that it is a part of; None for -1."""
    return table().place(table().city_row(code)) if 0 <= code < table().cities else None


def city_codes(codes: ArrayLike) -> NDArray[np.int32]:
    """Return for codes of `find_places` (n,) those of the cities that quarters are parts of; -1 stays -1."""
    rows = np.asarray(codes, dtype=np.int64)
    return np.where(rows < 0, np.int32(-1), table().city_codes[rows])


def find_by_id(identity: int) -> Place | None:
    """Find a place by its GeoNames id."""
    row = table().row_of(identity)
    return None if row < 0 else table().place(row)


def codes_within(place: Place) -> NDArray[np.int32]:
    """Return the codes of `find_places` that lie in a place, ascending: those of a city are its own and its parts'.

    Empty for a place that is not in the table.
    """
    return np.flatnonzero(_is_within(place)).astype(np.int32)


def _is_within(place: Place) -> NDArray[np.bool_]:
    row = table().row_of(place.id)
    if row < 0:
        return np.zeros(table().cities, dtype=np.bool_)
    if row < table().cities:
        codes = np.arange(table().cities)
        return np.asarray((table().city_codes == row) | (codes == row))
    regions = table().array("city_regions")
    if row < table().cities + table().regions:
        return np.asarray(regions == row - table().cities)
    countries = table().array("region_countries")
    return np.asarray(countries[regions] == row - table().cities - table().regions)


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
