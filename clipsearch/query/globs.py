"""Wildcard patterns of filters as items, and what they match: as SQL's LIKE does, * stands for anything, / too."""

import os
import re
from collections.abc import Callable, Sequence

from clipsearch.query.filters import Filter, Pattern
from clipsearch.text import fold_name

STAR, ANY = -1, -2
"""Items of a pattern beside bytes: any string, and one character."""

Items = tuple[int, ...]

# Of paths: those below a folder have slashes on every system.
_SEPARATORS = {ord("/"), ord(os.sep)}

# One of UTF-8; possessive, as a part of one is none.
_ANY_CHARACTER = rb"(?:[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]*+)"


def items_of(pattern: Pattern) -> Items:
    """Return the items of a filter's pattern, folded: with wildcards for the whole string, else for a part of it."""
    items: list[int] = []
    for part in re.split(r"([*?])" if pattern.is_wild else r"(?!)", pattern.text):
        if pattern.is_wild and part in ("*", "?"):
            if part == "?":
                items.append(ANY)
            elif items[-1:] != [STAR]:
                items.append(STAR)
        else:
            # ASCII letters are compared without their case, on both sides.
            items += fold_name(part).encode("utf-8", "replace").lower()
    return tuple(items) if pattern.is_wild else (STAR, *items, STAR) if items else (STAR,)


def splits_of(items: Items) -> tuple[list[tuple[Items, Items]], list[tuple[Items, Items]]]:
    """Split a pattern into what a folder and what a name in it have to match, in all ways.

    A folder is empty or ends with a separator, and no name contains one.

    Returns:
        The splits at a *, the last first: where a folder matches the first part of one, what the later ones require of
        its names holds too where the first one does. And all other splits.
    """
    last_slash = max((place for place, item in enumerate(items) if item in _SEPARATORS), default=-1)
    # Without a folder, nothing or a * matches it.
    others = [(items[: last_slash + 1], items[last_slash + 1 :])]
    stars = []
    for place in range(len(items) - 1, last_slash, -1):
        if items[place] == STAR:
            stars.append((items[: place + 1], items[place:]))
        elif items[place] == ANY:
            others.append((items[: place + 1], items[place + 1 :]))
    return stars, others


def segments_of(items: Items) -> list[Items]:
    """Split items at each *."""
    segments: list[list[int]] = [[]]
    for item in items:
        if item == STAR:
            segments.append([])
        else:
            segments[-1].append(item)
    return [tuple(segment) for segment in segments]


def expression_of(items: Items) -> re.Pattern[bytes]:
    """Compile items to a regular expression; atomic groups keep it from trying all ways of a pattern with many *."""
    first, *others = [
        b"".join(_ANY_CHARACTER if item == ANY else re.escape(bytes([item])) for item in segment)
        for segment in segments_of(items)
    ]
    if not others:
        return re.compile(first, re.DOTALL)
    between = b"".join(b"(?>.*?%b)" % segment for segment in others[:-1])
    return re.compile(first + between + b".*" + others[-1], re.DOTALL)


def folded(name: str | bytes) -> bytes:
    """Return a name, or a path, as filters compare it."""
    return fold_name(os.fsdecode(name)).encode("utf-8", "replace").lower()


def folded_root(path: bytes) -> bytes:
    """Return an indexed folder as filters compare it, without a separator at the end."""
    return folded(path).rstrip(os.sep.encode())


def path_condition(filters: Sequence[Filter]) -> Callable[[bytes, bytes], bool]:
    """Return a predicate: whether a file passes all filters on paths; others are ignored.

    Its arguments are the path of an indexed folder and that of a file below it, as they are stored.
    """
    conditions = [
        (expression_of(items_of(each.value)), each.value.is_wild, each.is_negated)
        for each in filters
        if each.key == "path" and isinstance(each.value, Pattern)
    ]

    def passes(folder: bytes, below: bytes) -> bool:
        relative = folded(below)
        whole = folded_root(folder) + os.sep.encode() + relative
        return all(
            # A pattern with wildcards may match from the top, or from the indexed folder.
            bool(pattern.fullmatch(whole) or (is_wild and pattern.fullmatch(relative))) != is_negated
            for pattern, is_wild, is_negated in conditions
        )

    return passes
