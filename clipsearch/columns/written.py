"""Evaluate filters on what is written about pictures."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipsearch.columns.descriptions import UNRATED, Listing
from clipsearch.columns.geography import is_in
from clipsearch.columns.matching import match
from clipsearch.columns.segment import Segment
from clipsearch.description import LEVELS
from clipsearch.errors import QueryError
from clipsearch.places import look_up
from clipsearch.query.areas import country_named
from clipsearch.query.filters import Choice, Filter, Listed, Pattern
from clipsearch.query.globs import expression_of, items_of
from clipsearch.text import fold_name, needs_no_blank

_LISTED = {"tags": "tag", "people": "person", "label": "label", "creator": "creator"}
"""Listing by what `has:` asks for."""


FindListed: TypeAlias = Callable[[str, Pattern], NDArray[np.int64]]
"""Returns the ids (n,) of the pictures that a filter passes, by its key, one of `ELSEWHERE`, and its pattern."""

ELSEWHERE = ("written", "text", "album")
"""Keys of filters on what is not in the columns."""


def list_elsewhere(filters: Sequence[Filter], find_listed: FindListed | None) -> list[Filter]:
    """Return filters with those on what the columns do not have as the ids that pass them.

    Raises:
        QueryError: there are such filters, and nothing that evaluates them.
    """
    found = []
    for each in filters:
        if each.key in ELSEWHERE and isinstance(each.value, Pattern):
            if find_listed is None:
                raise QueryError(f"{each.key}: takes an open catalog")
            each = replace(each, value=Listed(find_listed(each.key, each.value)))  # noqa: PLW2901
        found.append(each)
    return found


def written_condition(segment: Segment, wanted: Filter) -> NDArray[np.bool_] | None:
    """Return which rows (n,) of a segment a filter matches, negated or not; None of a filter on anything else."""
    if isinstance(wanted.value, Pattern):
        if wanted.key == "place":
            return _is_at(segment, wanted.value)
        if wanted.key == "title":
            return _marked(segment, segment.arrays["title.rows"][match(segment.titles, items_of(wanted.value))])
        if wanted.key in segment.listings:
            return _marked(segment, _rows_named(segment.listings[wanted.key], wanted.value))
    elif isinstance(wanted.value, Choice):
        return _is_chosen(segment, wanted.key, wanted.value.name)
    return None


def _is_chosen(segment: Segment, key: str, name: str) -> NDArray[np.bool_] | None:
    if key == "country":
        return is_in(segment.places, country_named(name))
    if key == "kind":
        return _marked(segment, _rows_named(segment.listings["kind"], Pattern(name)))
    return _has(segment, name) if key == "has" else None


def _is_at(segment: Segment, pattern: Pattern) -> NDArray[np.bool_]:
    """Return which rows (n,) are in the place that a name stands for, or have it written as a name of theirs."""
    found = _marked(segment, _rows_named(segment.listings["where"], pattern))
    known = look_up(pattern.text)
    if known and not pattern.is_wild:
        found |= is_in(segment.places, known[0])
    return found


def _has(segment: Segment, name: str) -> NDArray[np.bool_] | None:
    if name in _LISTED:
        return _marked(segment, segment.listings[_LISTED[name]].rows)
    if name in ("title", "caption", "text"):
        return _marked(segment, segment.arrays[f"{name}.rows"])
    if name == "place":
        is_known: NDArray[np.bool_] = segment.places.number != 0
        return is_known | _marked(segment, segment.listings["where"].rows)
    if name == "rating":
        is_rated: NDArray[np.bool_] = segment.arrays["rating"] != UNRATED
        return is_rated
    return None


def _marked(segment: Segment, rows: NDArray[np.integer]) -> NDArray[np.bool_]:
    found = np.zeros(len(segment), dtype=np.bool_)
    found[rows] = True
    return found


def _rows_named(listing: Listing, pattern: Pattern) -> NDArray[np.int64]:
    """Return the rows that a listing has under the names that a pattern matches."""
    is_wanted = name_condition(pattern)
    return listing.rows_of([number for number, name in enumerate(listing.folded) if is_wanted(name)])


def name_condition(pattern: Pattern) -> Callable[[str], bool]:
    """Return a predicate of folded names: whether a filter's pattern matches.

    Without wildcards it stands for whole words of a name, as "cat" does in "black cat" and not in "vacation"; with them
    for the whole name, or one of its levels, as in "animals/black cat".
    """
    if pattern.is_wild:
        expression = expression_of(items_of(pattern))

        def is_like(name: str) -> bool:
            return any(expression.fullmatch(part.encode()) for part in {name, *name.split(LEVELS)})

        return is_like
    text = fold_name(pattern.text).lower().strip()
    edges = text[:1], text[-1:]
    before, behind = (r"[^\W_]" if edge.isalnum() and not needs_no_blank(edge) else "" for edge in edges)
    words = re.compile(
        (f"(?<!{before})" if before else "") + re.escape(text) + (f"(?!{behind})" if behind else "")
    )  # fmt: skip
    return lambda name: words.search(name) is not None
