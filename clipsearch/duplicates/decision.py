"""Which of the pictures that may be copies are copies, by their pixels."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from clipsearch.duplicates.views import Views
from clipsearch.images.comparison import (
    COARSE_SIDE,
    VIEW_SIDE,
    Likeness,
    Pixels,
    Pose,
    coarse_view,
    compare,
    find_pose,
    is_grey,
)
from clipsearch.store import ContentDetails

# Pictures whose views are made ahead.
_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Coarse:
    """A picture made very small.

    Attributes:
        pixels: see `comparison.coarse_view`.
        is_grey: it has no colours.
    """

    pixels: Pixels
    is_grey: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What was found: of contents the better one that they are copies of, or similar to. Neither is a chain: what
    others are copies of is no copy, and what others are similar to is similar to none."""

    copies: dict[int, int] = field(default_factory=dict)
    similar: dict[int, int] = field(default_factory=dict)


def rank(its: ContentDetails, paths: Sequence[str], *, is_grey: bool = False) -> tuple[object, ...]:
    """Lower is better: what is lost with the other can't be had from this one."""
    known = sum(each is not None for each in (its.taken_at, its.camera, its.latitude))
    return -its.width * its.height, is_grey, -known, -its.size_bytes, paths[0]


def load_coarse(views: Views, content_ids: Sequence[int]) -> Iterator[tuple[int, Coarse | None]]:
    """Of each content; None where it can't be had."""
    for content_id, view in views.each(content_ids, side=COARSE_SIDE):
        yield content_id, None if view is None else Coarse(coarse_view(view), is_grey(view))


def decide(
    candidates: Mapping[int, Sequence[int]],
    coarse: Mapping[int, Coarse],
    views: Views,
    *,
    taken_at: Mapping[int, datetime | None],
    on_progress: Callable[[int, int], None] | None = None,
) -> Decision:
    """Compares each content with better ones.

    Args:
        candidates: of each content those that it may be a copy of, the nearest first; the contents in an order from the
            best to the worst.
        taken_at: two pictures taken at different times are no copies, however alike.
        on_progress: called with (contents decided, contents to decide).
    """
    found = Decision()
    order = list(candidates)
    poses = _Poses(coarse)
    for row, content_id in enumerate(order):
        for later in order[row : row + _AHEAD]:
            first = next(iter(candidates[later]))
            first = found.copies.get(first, first)
            if poses.find(first, later) is not None:
                views.prepare(first, side=VIEW_SIDE)
                views.prepare(later, side=VIEW_SIDE)
        _decide_one(content_id, candidates[content_id], poses, views, taken_at, found)
        if on_progress is not None:
            on_progress(row + 1, len(order))
    return found


def likeness_of(
    first: int, second: int, pose: Pose, views: Views, taken_at: Mapping[int, datetime | None]
) -> Likeness | None:
    """What the second is to the first, at its best a copy that shows nothing else."""
    one, other = views.get(first, side=VIEW_SIDE), views.get(second, side=VIEW_SIDE)
    if one is None or other is None:
        return None
    found = compare(one, other, pose)
    times = {taken_at[first], taken_at[second]} - {None}
    return "similar" if found == "copy" and len(times) > 1 else found


class _Poses:
    """How pictures may lie on each other; the last few are remembered."""

    def __init__(self, coarse: Mapping[int, Coarse]) -> None:
        self._coarse = coarse
        self._known: OrderedDict[tuple[int, int], Pose | None] = OrderedDict()

    def find(self, first: int, second: int) -> Pose | None:
        key = first, second
        if key not in self._known:
            self._known[key] = find_pose(self._coarse[first].pixels, self._coarse[second].pixels)
            if len(self._known) > 4 * _AHEAD:
                self._known.popitem(last=False)
            return next(reversed(self._known.values()))
        return self._known[key]


def _decide_one(
    second: int,
    candidates: Sequence[int],
    poses: _Poses,
    views: Views,
    taken_at: Mapping[int, datetime | None],
    found: Decision,
) -> None:
    for first in dict.fromkeys(found.copies.get(first, first) for first in candidates):
        pose = poses.find(first, second)
        if pose is None:
            continue
        likeness = likeness_of(first, second, pose, views, taken_at)
        if likeness == "copy":
            found.copies[second] = first
            found.similar.pop(second, None)
            return
        if likeness == "similar" and first not in found.similar:
            found.similar.setdefault(second, first)
