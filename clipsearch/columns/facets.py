"""Count what is written about chosen pictures, and the places that they were taken at."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.counting import Chosen, count_codes
from clipsearch.columns.descriptions import LISTINGS, Listing
from clipsearch.columns.geography import most_frequent_places
from clipsearch.columns.segment import Segment
from clipsearch.description import BEST, MOST_FACETS, REJECTED, WrittenFacets


class WrittenCounts:
    """Counts what is written about chosen pictures of several segments."""

    def __init__(self) -> None:
        self._names = {name: NameCounts() for name in LISTINGS}
        self._ratings: dict[int, int] = {}
        self._places: list[tuple[NDArray[np.int32], NDArray[np.int64]]] = []

    def add(self, segment: Segment, is_chosen: NDArray[np.bool_], chosen: Chosen) -> None:
        """Add the rows (n,) of a segment that are chosen.

        Args:
            chosen: the same, or the rows where they are few.
        """
        for name, listing in segment.listings.items():
            self._names[name].add(listing, is_chosen)
        if segment.may_have_places:
            places = segment.places
            counts = count_codes(places.number, len(places.rows), chosen)
            used = np.flatnonzero(counts)
            self._places.append((places.rows[used], counts[used]))
        rating = segment.arrays["rating"]
        for stars in range(REJECTED, BEST + 1):
            number = int(np.count_nonzero((rating == stars) & is_chosen))
            if number:
                self._ratings[stars] = self._ratings.get(stars, 0) + number

    def facets(self) -> WrittenFacets:
        """Return what was counted."""
        tags, people, labels, creators, kinds, _ = (self._names[name].most_frequent() for name in LISTINGS)
        none = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
        codes, counts = (np.concatenate(each) for each in zip(none, *self._places, strict=True))
        places = most_frequent_places(codes, counts, MOST_FACETS)
        return WrittenFacets(tags, people, labels, creators, dict(sorted(self._ratings.items())), places, kinds)


@dataclass(slots=True)
class NameCounts:
    """Counts the names of the listings of several segments, of which mostly one is large."""

    _counted: list[tuple[Listing, NDArray[np.int64]]] = field(default_factory=list)

    def add(self, listing: Listing, is_chosen: NDArray[np.bool_]) -> None:
        """Add the chosen rows (n,) of a segment that each name lists."""
        if len(listing.rows):
            self._counted.append((listing, listing.count(is_chosen)))

    def most_frequent(self, number: int = MOST_FACETS) -> dict[str, int]:
        """Return the most frequent names, the first ones first; one spelling stands for those that differ in case."""
        counted = sorted(self._counted, key=lambda each: len(each[0].names))
        if not counted:
            return {}
        largest, counts = counted.pop()
        found: dict[str, int] = {}
        for listing, others in counted:
            _add(found, listing, np.flatnonzero(others), others)
        # Of the largest only names that may be among the most frequent, and those that the others have too.
        groups = largest.spellings
        totals = np.bincount(groups.group_of_name, weights=counts, minlength=len(groups.number_of))
        is_wanted = np.zeros(len(totals), dtype=np.bool_)
        is_wanted[np.argsort(-totals, kind="stable")[:number]] = True
        is_wanted[[groups.number_of[name] for name in map(str.casefold, found) if name in groups.number_of]] = True
        _add(found, largest, np.flatnonzero(is_wanted[groups.group_of_name] & (counts > 0)), counts)
        return dict(_by_frequency(_join_spellings(found).items())[:number])


def _add(found: dict[str, int], listing: Listing, places: NDArray[np.intp], counts: NDArray[np.int64]) -> None:
    names = listing.names
    for place, count in zip(places.tolist(), counts[places].tolist(), strict=True):
        found[names[place]] = found.get(names[place], 0) + count


def _join_spellings(counts: dict[str, int]) -> dict[str, int]:
    """Return the counts by the most frequent one of the spellings that differ in case alone."""
    spelling: dict[str, str] = {}
    joined: dict[str, int] = {}
    for name, count in _by_frequency(counts.items()):
        shown = spelling.setdefault(name.casefold(), name)
        joined[shown] = joined.get(shown, 0) + count
    return joined


def _by_frequency(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(counts, key=lambda each: (-each[1], each[0]))
