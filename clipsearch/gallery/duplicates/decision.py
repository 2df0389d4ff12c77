"""Decide by their pixels which candidate pairs are copies or similar."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clipsearch.gallery.duplicates.facts import Facts, may_be_copies
from clipsearch.gallery.duplicates.gathering import gather
from clipsearch.gallery.duplicates.views import Views
from clipsearch.images.copies.decision import (
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

# Pictures whose views are prefetched.
_PREFETCHED = 4

# What a better one has, for each term of `rank`.
_REASONS = ("most pixels", "in colour", "most of date, camera and place", "largest file", "first path in order")


@dataclass(frozen=True, slots=True)
class Coarse:
    """Coarse view of a picture.

    Attributes:
        pixels: see `comparison.coarse_view`.
        is_grey: the picture has no colours.
    """

    pixels: Pixels
    is_grey: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """Decided pairs: content id → the better content that it is a copy of, or similar to.

    There are no chains: the original of a copy is never a copy itself, and likewise for similar ones.

    Attributes:
        grey: contents that were compared and have no colours.
    """

    copies: dict[int, int] = field(default_factory=dict)
    similar: dict[int, int] = field(default_factory=dict)
    grey: frozenset[int] = frozenset()


def rank(details: ContentDetails, paths: Sequence[str], *, is_grey: bool = False) -> tuple[object, ...]:
    """Return the sort key of a picture's quality; lower is better: pixels, colour, metadata, bytes."""
    metadata = details.metadata
    known = sum(each is not None for each in (metadata.taken_at, metadata.camera, metadata.latitude))
    return -metadata.width * metadata.height, is_grey, -known, -details.size_bytes, paths[0]


def reason_for(ranks: Sequence[tuple[object, ...]]) -> str:
    """Say why the first of several pictures is the best: the terms of `rank` by which others are worse, in order."""
    best, rest, reasons = ranks[0], ranks[1:], list[str]()
    for place, reason in enumerate(_REASONS):
        if any(other[place] != best[place] for other in rest):
            reasons.append(reason)
        rest = [other for other in rest if other[place] == best[place]]
    return ", then ".join(reasons)


def load_coarse(views: Views, content_ids: Sequence[int]) -> Iterator[tuple[int, Coarse | None]]:
    """Yield the coarse view of each content; None for an unreadable one."""
    for content_id, view in views.each(content_ids, side=COARSE_SIDE):
        yield content_id, None if view is None else Coarse(coarse_view(view), is_grey(view))


def decide(
    candidates: Mapping[int, Sequence[int]],
    coarse: Mapping[int, Coarse],
    views: Views,
    *,
    facts: Mapping[int, Facts],
    on_progress: Callable[[int, int], None] | None = None,
) -> Decision:
    """Compare each content with better ones, and gather copies around the content with the most copies.

    Args:
        candidates: content id → contents that it may be a copy of, nearest first, possibly none; ordered from the best
            content to the worst.
        facts: of each content.
        on_progress: called with (contents decided, contents to decide).
    """
    comparer = _Comparer(coarse, views, facts)
    copies: dict[int, int] = {}
    order = list(candidates)
    for row, content_id in enumerate(order):
        for later in order[row : row + _PREFETCHED]:
            for first in candidates[later][:1]:
                comparer.prepare(copies.get(first, first), later)
        for first in dict.fromkeys(copies.get(first, first) for first in candidates[content_id]):
            if comparer.find(first, content_id) == "copy":
                copies[content_id] = first
                break
        if on_progress is not None:
            on_progress(row + 1, len(order))
    gather(copies, comparer.found, {content_id: row for row, content_id in enumerate(order)}, comparer.find)
    grey = frozenset(content_id for content_id in order if coarse[content_id].is_grey)
    return Decision(copies, _similar(copies, comparer.found, order), grey)


def likeness_of(first: int, second: int, pose: Pose, views: Views, facts: Mapping[int, Facts]) -> Likeness | None:
    """Compare two pictures: return what the second is to the first, "copy", "similar" or None."""
    one, other = views.get(first, side=VIEW_SIDE), views.get(second, side=VIEW_SIDE)
    if one is None or other is None:
        return None
    found = compare(one, other, pose)
    return "similar" if found == "copy" and not may_be_copies(facts[first], facts[second]) else found


class _Comparer:
    """Compare contents, with a cache of the results.

    Attributes:
        found: (better, worse) → what the worse one is to the better one; pairs that differ are absent.
    """

    def __init__(self, coarse: Mapping[int, Coarse], views: Views, facts: Mapping[int, Facts]) -> None:
        self.found: dict[tuple[int, int], Likeness] = {}
        self._coarse = coarse
        self._views = views
        self._facts = facts
        self._poses: OrderedDict[tuple[int, int], Pose | None] = OrderedDict()

    def prepare(self, first: int, second: int) -> None:
        """Prefetch the views that `find` needs."""
        if self._pose(first, second) is not None:
            self._views.prepare(first, side=VIEW_SIDE)
            self._views.prepare(second, side=VIEW_SIDE)

    def find(self, first: int, second: int) -> Likeness | None:
        if (first, second) in self.found:
            return self.found[first, second]
        pose = self._pose(first, second)
        likeness = None if pose is None else likeness_of(first, second, pose, self._views, self._facts)
        if likeness is not None:
            self.found[first, second] = likeness
        return likeness

    def _pose(self, first: int, second: int) -> Pose | None:
        key = first, second
        if key not in self._poses:
            self._poses[key] = find_pose(self._coarse[first].pixels, self._coarse[second].pixels)
            if len(self._poses) > 4 * _PREFETCHED:
                self._poses.popitem(last=False)
            return next(reversed(self._poses.values()))
        return self._poses[key]


def _similar(
    copies: Mapping[int, int], found: Mapping[tuple[int, int], Likeness], order: Sequence[int]
) -> dict[int, int]:
    """Return, for each content that is not a copy, the first content found that it is similar to.

    A content that lost its copies to one with more of them is similar to that one.
    """
    place = {content_id: row for row, content_id in enumerate(order)}
    similar: dict[int, int] = {}
    for first, second in sorted(found, key=lambda pair: place[pair[1]]):
        if not {first, second} & copies.keys() and first not in similar:
            similar.setdefault(second, first)
    return similar
