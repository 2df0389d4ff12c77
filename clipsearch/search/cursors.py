"""Encode and decode cursors: where the next page of a listing begins."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from blake3 import blake3

from clipsearch.errors import QueryError
from clipsearch.text import check_top_k

Item = TypeVar("Item")

MOST_HITS = 10_000
"""Upper limit of the hits of all pages: each page searches all hits before it again."""


def cursor_key(*parts: object) -> str:
    """Return a hash of what a listing depends on: a cursor is valid for the listing with the same one."""
    return blake3(" ".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def encode_cursor(key: str, *numbers: int) -> str:
    text = json.dumps([*numbers, key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, key: str, count: int) -> list[int]:
    """Return the `count` numbers of an untrusted cursor, each at least 1.

    Raises:
        QueryError: it is damaged, or belongs to another listing.
    """
    try:
        *values, cursor_key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        numbers = [int(value) for value in values]
    except (ValueError, TypeError, binascii.Error, RecursionError, OverflowError):
        raise QueryError("invalid page cursor: leave 'after' out for the first page") from None
    if cursor_key != key or len(numbers) != count or not all(0 < number < 1 << 62 for number in numbers):
        raise QueryError("the page cursor belongs to another search: leave 'after' out for the first page")
    return numbers


@dataclass(frozen=True, slots=True)
class Slice(Generic[Item]):
    """One page of a listing.

    Attributes:
        start: number of items before it.
        next: cursor of the next page; None on the last one.
    """

    items: Sequence[Item]
    start: int
    next: str | None


def find_slice(
    find: Callable[[int], Sequence[Item]], *, page_size: int, after: str | None, key: str, most: int = MOST_HITS
) -> Slice[Item]:
    """Return a page of a listing that is made anew for each page.

    Args:
        find: returns the first items, up to a number.
        after: cursor of the page before; None: the first page.
        key: see `cursor_key`.
        most: items of all pages.

    Raises:
        QueryError: the cursor is invalid, or `page_size` is out of range.
    """
    check_top_k(page_size)
    [start] = [0] if after is None else decode_cursor(after, key, 1)
    # One more than the page shows, to know whether there is a next page.
    found = find(min(start + page_size + 1, most))[start:]
    is_last = len(found) <= page_size
    return Slice(found[:page_size], start, None if is_last else encode_cursor(key, start + page_size))
