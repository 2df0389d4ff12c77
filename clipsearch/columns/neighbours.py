"""Find the pictures that were taken before and after another one."""

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.segment import Segment
from clipsearch.columns.values import places_of

Moment = tuple[int, int]
"""Time taken, in microseconds since 1970, and id: no two pictures have the same."""


def moment_of(segment: Segment, is_stale: NDArray[np.bool_] | None, content_id: int) -> Moment | None:
    """Return the moment of a picture; None where the segment lacks it, or its date is not sure."""
    rows, _ = places_of([content_id], segment.ids)
    if not len(rows) or (is_stale is not None and is_stale[rows[0]]) or not segment.arrays["is_sure"][rows[0]]:
        return None
    return int(segment.arrays["taken"][rows[0]]), content_id


def moments_around(
    segment: Segment, is_stale: NDArray[np.bool_] | None, moment: Moment, count: int
) -> tuple[list[Moment], list[Moment]]:
    """Return the moments of up to `count` pictures with a sure date before another moment, and after it, nearest first.

    In O(log n), as the rows are in the order of dates already.
    """
    order, taken = segment.arrays["order"], segment.arrays["taken"]
    sure = int(np.count_nonzero(segment.arrays["is_sure"]))

    def moment_at(place: int) -> Moment:
        row = order[place]
        return int(taken[row]), int(segment.ids[row])

    def gather(places: range) -> list[Moment]:
        found: list[Moment] = []
        for place in places:
            if len(found) == count:
                break
            if (is_stale is None or not is_stale[order[place]]) and (at := moment_at(place)) != moment:
                found.append(at)
        return found

    # The newest are first; a key that grows is needed.
    start = bisect_left(range(sure), _reversed(moment), key=lambda place: _reversed(moment_at(place)))
    return gather(range(start, sure)), gather(range(start - 1, -1, -1))


def _reversed(moment: Moment) -> Moment:
    return -moment[0], -moment[1]
