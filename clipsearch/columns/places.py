"""Compare places with a circle on a sphere, for a whole column of them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.query.areas import Circle

EARTH_KM = 6371.0088
"""Mean radius. Source: International Union of Geodesy and Geophysics, R1."""

# Coordinates of float32 are this exact, with room for what the arithmetic adds: where a chord is that near to the
# limit, it is computed again, and where that one is this near, relative and absolute, the distance itself is.
_ROUGH = 6e-7
_UNSURE_SHARE, _UNSURE = 1e-9, 1e-12

# Rows at once, so that what is between stays in the processor's cache.
_CHUNK = 1 << 15


def place_arrays(latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Return the columns of places in degrees (n,), NaN where unknown: and points on the unit sphere."""
    point = _point(np.radians(latitudes), np.radians(longitudes))
    columns = {name: column.astype(np.float32) for name, column in zip("xyz", point, strict=True)}
    return {"latitude": latitudes, "longitude": longitudes, **columns}


def is_within(arrays: Mapping[str, NDArray[Any]], circle: Circle) -> NDArray[np.bool_]:
    """Return which places (n,) of the columns of `place_arrays` are in a circle; unknown ones are not."""
    centre = _point(math.radians(circle.latitude), math.radians(circle.longitude))
    # The chord of an angle a is 2 sin(a / 2); differences of coordinates are exact for the smallest circles too.
    chord = 2 * math.sin(min(circle.radius_km / EARTH_KM / 2, math.pi / 2))
    surely, maybe = max(0.0, chord - _ROUGH) ** 2, (chord + _ROUGH) ** 2
    columns = [arrays[name] for name in "xyz"]
    is_inside: NDArray[np.bool_] = np.empty(len(columns[0]), dtype=np.bool_)
    buffers = np.empty((2, min(_CHUNK, len(is_inside))), dtype=np.float32)
    edge = []
    for first in range(0, len(is_inside), _CHUNK):
        inside = is_inside[first : first + _CHUNK]
        squares, difference = buffers[:, : len(inside)]
        for place, (column, middle) in enumerate(zip(columns, centre, strict=True)):
            np.subtract(column[first : first + _CHUNK], np.float32(middle), out=difference)
            np.multiply(difference, difference, out=difference if place else squares)
            if place:
                squares += difference
        np.less(squares, np.float32(surely), out=inside)
        may_be = squares <= np.float32(maybe)
        if np.count_nonzero(may_be) > np.count_nonzero(inside):
            edge.append(first + np.flatnonzero(may_be & ~inside))
    rows = np.concatenate(edge) if edge else np.empty(0, dtype=np.int64)
    is_inside[rows] = _is_near(arrays["latitude"][rows], arrays["longitude"][rows], circle, centre, chord)
    return is_inside


def _is_near(
    latitudes: NDArray[np.float64],
    longitudes: NDArray[np.float64],
    circle: Circle,
    centre: tuple[float, float, float],
    chord: float,
) -> NDArray[np.bool_]:
    """Return which places (n,) are in a circle, exactly."""
    points = _point(np.radians(latitudes), np.radians(longitudes))
    squares = sum((one - middle) ** 2 for one, middle in zip(points, centre, strict=True))
    limit = chord**2
    unsure = _UNSURE_SHARE * limit + _UNSURE
    is_inside: NDArray[np.bool_] = squares < limit
    for row in np.flatnonzero(np.abs(squares - limit) <= unsure).tolist():
        is_inside[row] = _is_within(float(latitudes[row]), float(longitudes[row]), circle)
    return is_inside


def _point(north: Any, east: Any) -> tuple[Any, Any, Any]:
    """Return the coordinates of places in radians on the unit sphere."""
    return np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)


def _is_within(latitude: float, longitude: float, circle: Circle) -> bool:
    degrees = math.degrees(circle.radius_km / EARTH_KM)
    is_between = circle.latitude - degrees <= latitude <= circle.latitude + degrees
    return is_between and distance_km(latitude, longitude, circle.latitude, circle.longitude) <= circle.radius_km


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the distance of two places on a sphere, by the haversine formula."""
    one, other = math.radians(latitude), math.radians(other_latitude)
    half = math.radians(other_longitude - longitude) / 2
    root = math.sin((other - one) / 2) ** 2 + math.cos(one) * math.cos(other) * math.sin(half) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(root)))
