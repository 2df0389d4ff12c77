"""Find the plain words of a query: without quotes, filters, signs and whatever else the language gives a meaning."""

import re
from dataclasses import dataclass

from clipsearch.query.filters import match_shape
from clipsearch.query.tokens import BLANKS, FILTER, NUMBERED, TOKEN, VALUE, find_concept, is_picture


@dataclass(frozen=True, slots=True)
class PlainRuns:
    """Where plain words stand.

    Attributes:
        spans: start and end of words that follow each other.
        has_signs: there are signs between terms.
    """

    spans: tuple[tuple[int, int], ...]
    has_signs: bool


def find_plain_runs(text: str) -> PlainRuns:
    """Find the plain words of a query that `parse_query` accepts."""
    spans: list[tuple[int, int]] = []
    has_signs, is_open, position = False, False, 0
    while (position := _after_blanks(text, position)) < len(text):
        end, is_plain, is_sign = _read_token(text, position)
        if is_plain and is_open:
            spans[-1] = spans[-1][0], end
        elif is_plain:
            spans.append((position, end))
        is_open, has_signs, position = is_plain, has_signs or is_sign, end
    return PlainRuns(tuple(spans), has_signs)


def _after_blanks(text: str, position: int) -> int:
    found = BLANKS.match(text, position)
    return position if found is None else found.end()


def _read_token(text: str, position: int) -> tuple[int, bool, bool]:
    """Return the end of a token, and whether it is a plain word, or a sign."""
    named = FILTER.match(text, position)
    if named is not None:
        begin = _after_blanks(text, named.end())
        value = match_shape(named["key"].lower(), text, begin) or VALUE.match(text, begin)
        return len(text) if value is None else value.end(), False, False
    found = TOKEN.match(text, position)
    if found is None:
        return len(text), False, False
    token = found[0]
    is_plain = (
        found["word"] is not None
        and not re.search(r'[:："“”„]', token)
        and not NUMBERED.match(token)
        and find_concept(token) is None
        and not is_picture(token)
    )
    return found.end(), is_plain, bool(found["sign"])
