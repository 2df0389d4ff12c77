"""Find the city of each of many coordinates.

The place of a point is the one with the least distance in proportion to its reach: the radius that it would have with
5,000 people a square kilometre, and 2 km more, so that a city ends further from its middle than a village. Only places
within 10 km, or twice their reach, count; where there are none, it is the nearest within 50 km.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipsearch.places.table import table

KM_A_DEGREE = np.pi * 6371.0088 / 180
"""Of latitude. Source of the mean radius: International Union of Geodesy and Geophysics, R1."""

MOST_KM = 50.0
"""Points further from any place have none."""

NEAR_KM = 10.0

_DENSITY, _LEAST_REACH_KM, _MOST_REACHES = 5000, 2.0, 2.0

# Cells of a tenth of a degree, 11 km, hold places that reach 10 km at most; cells five times as large hold all.
_SMALL, _LARGE = 0.1, 0.5

# Coordinates are compared in steps of about 100 m, so that many pictures of one place are one point.
_STEP = 1000

_POINTS_AT_ONCE = 1 << 15

_NO_PLACE = np.uint64(2**64 - 1)


def find_places(latitudes: ArrayLike, longitudes: ArrayLike) -> NDArray[np.int32]:
    """Return the code of the city, town or quarter of each point.

    A code stands for a row of the table: `place_of` gives its city, `city_codes` many, `codes_within` those of an area.
    Codes hold for one version of the table (`table_version`).

    Args:
        latitudes: degrees (n,); NaN where unknown.
        longitudes: degrees (n,); any multiple of 360° more or less is the same.

    Returns:
        codes (n,), -1 where the coordinates are unknown or no coordinates, or no place is within 50 km.
    """
    north = np.asarray(latitudes, dtype=np.float64)
    east = np.asarray(longitudes, dtype=np.float64)
    codes = np.full(north.shape, -1, dtype=np.int32)
    is_known = np.isfinite(north) & np.isfinite(east) & (np.abs(north) <= 90)
    rows = np.flatnonzero(is_known)
    if not len(rows):
        return codes
    east_steps = np.mod(np.rint(east[rows] * _STEP), 360 * _STEP).astype(np.int64)
    north_steps = np.rint((north[rows] + 90) * _STEP).astype(np.int64)
    points, places = np.unique(north_steps * 360 * _STEP + east_steps, return_inverse=True)
    north_steps, east_steps = np.divmod(points, 360 * _STEP)
    found = np.empty(len(points), dtype=np.int32)
    for first in range(0, len(points), _POINTS_AT_ONCE):
        part = slice(first, first + _POINTS_AT_ONCE)
        found[part] = _nearest(north_steps[part] / _STEP - 90, east_steps[part] / _STEP)
    codes[rows] = found[places]
    return codes


def _nearest(latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the codes (n,) of points with longitudes from 0 to 360."""
    near = _small_places().best(latitudes, longitudes, most_km=NEAR_KM)
    best = np.minimum(near, _large_places().best(latitudes, longitudes, most_reaches=_MOST_REACHES))
    rest = np.flatnonzero(best == _NO_PLACE)
    if len(rest):
        best[rest] = _all_places().best(latitudes[rest], longitudes[rest], most_km=MOST_KM)
    codes = (best & np.uint64(0xFFFFFFFF)).astype(np.int64)
    codes[best == _NO_PLACE] = -1
    return codes.astype(np.int32)


class _Grid:
    """Places sorted by cells of equal height and, away from the poles, of about equal width.

    A row of cells has one more at either end, which repeats the one at the other end with longitudes beyond 0 and 360.
    """

    def __init__(self, codes: NDArray[np.int64], cell: float, *, is_weighted: bool = True) -> None:
        self._cell = cell
        self._rows = round(180 / cell)
        edges = np.minimum(90, np.abs(np.arange(self._rows + 1) * cell - 90))
        poleward = np.maximum(edges[:-1], edges[1:])
        self._columns = np.maximum(1, np.floor(360 / cell * np.cos(np.radians(poleward)))).astype(np.int64)
        self._row_starts = np.concatenate([[0], np.cumsum(self._columns + 2)])
        latitudes, longitudes = (table().array(name)[codes] / 1e5 for name in ("latitudes", "longitudes"))
        longitudes %= 360
        rows = self._row(latitudes)
        columns = self._column(rows, longitudes)
        cells = self._row_starts[rows] + columns + 1
        at_start, at_end = np.flatnonzero(columns == 0), np.flatnonzero(columns == self._columns[rows] - 1)
        cells = np.concatenate(
            [cells, cells[at_start] + self._columns[rows[at_start]], cells[at_end] - self._columns[rows[at_end]]]
        )
        members = np.concatenate([np.arange(len(codes)), at_start, at_end])
        turns = np.repeat([0.0, 360.0, -360.0], [len(codes), len(at_start), len(at_end)])
        order = np.argsort(cells, kind="stable")
        counts = np.bincount(cells, minlength=int(self._row_starts[-1]))
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int32)], dtype=np.int32)
        self._codes = codes[members[order]].astype(np.uint64)
        self._latitudes = latitudes[members[order]].astype(np.float32)
        self._longitudes = (longitudes[members] + turns)[order].astype(np.float32)
        reach = reach_km(table().array("populations")[self._codes.astype(np.int64)]) / KM_A_DEGREE
        self._shares = (1 / reach**2 if is_weighted else np.ones(len(reach))).astype(np.float32)

    def _row(self, latitudes: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.minimum(self._rows - 1, ((latitudes + 90) / self._cell).astype(np.int64))

    def _column(self, rows: NDArray[np.int64], longitudes: NDArray[np.float64]) -> NDArray[np.int64]:
        columns = self._columns[rows]
        return np.asarray(np.minimum(columns - 1, (longitudes * columns / 360).astype(np.int64)))

    def best(
        self,
        latitudes: NDArray[np.float64],
        longitudes: NDArray[np.float64],
        *,
        most_km: float = np.inf,
        most_reaches: float = np.inf,
    ) -> NDArray[np.uint64]:
        """Return the best place of each point (n,): the bits of its squared distance, by reach, then its code.

        `_NO_PLACE` where none is within `most_km`, and `most_reaches` times its reach. Distances of up to 50 km are
        those on a plane, with less than 2 % error below 70° of latitude.
        """
        best = np.full(len(latitudes), _NO_PLACE)
        middle = self._row(latitudes)
        points = latitudes.astype(np.float32), longitudes.astype(np.float32)
        widths = np.cos(np.radians(latitudes)).astype(np.float32)
        for step in (-1, 0, 1):
            rows = np.clip(middle + step, 0, self._rows - 1)
            cells = self._row_starts[rows] + self._column(rows, longitudes)
            firsts, ends = self._starts[cells], self._starts[cells + 3]
            some = np.flatnonzero(ends > firsts)
            if not len(some):
                continue
            counts = (ends - firsts)[some]
            segments = np.cumsum(counts) - counts
            owners = np.repeat(some, counts)
            members = np.arange(len(owners)) + np.repeat(firsts[some] - segments, counts)
            north = self._latitudes[members] - points[0][owners]
            east = (self._longitudes[members] - points[1][owners]) * widths[owners]
            squares = north * north + east * east
            shares = squares * self._shares[members]
            scores = shares.view(np.uint32).astype(np.uint64) << np.uint64(32)
            scores |= self._codes[members]
            is_far = squares > (most_km / KM_A_DEGREE) ** 2
            is_far |= shares > most_reaches**2
            scores[is_far] = _NO_PLACE
            best[some] = np.minimum(best[some], np.minimum.reduceat(scores, segments))
        return best


@lru_cache(maxsize=1)
def _small_places() -> _Grid:
    return _Grid(np.flatnonzero(~_is_large()), _SMALL)


@lru_cache(maxsize=1)
def _large_places() -> _Grid:
    return _Grid(np.flatnonzero(_is_large()), _LARGE)


@lru_cache(maxsize=1)
def _all_places() -> _Grid:
    return _Grid(np.arange(table().cities), _LARGE, is_weighted=False)


def _is_large() -> NDArray[np.bool_]:
    """Return which cities reach further than `NEAR_KM` (cities,)."""
    return np.asarray(_MOST_REACHES * reach_km(table().array("populations")[: table().cities]) > NEAR_KM)


def reach_km(populations: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return how far places reach (n,), by their populations (n,)."""
    return np.sqrt(populations.astype(np.float64) / np.pi / _DENSITY) + _LEAST_REACH_KM
