"""What is known of pictures besides their pixels, and tells that they are no copies: the time, and the text in them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clipsearch.ocr.lines import TextLine
from clipsearch.store import ContentDetails, Store
from clipsearch.store.backends.base import chunks
from clipsearch.text import fold_words, needs_no_blank

# Least confidence of lines that are compared, characters of a text that are enough to tell documents apart, and share
# of the words of the shorter text that copies have in common: those of 40 receipts, screenshots, pages and notes had
# 0.69 and more, also at a quarter of the size.
_SURE = 0.95
_LEAST_CHARACTERS = 40
_COMMON = 0.5

# Words and numbers of one content that are compared.
_MOST_WORDS, _MOST_NUMBERS = 1_000, 200

# Numbers of three digits at least, as prices and dates have, digits in which another one may differ, and how far apart
# their middles may be, as shares of the width and the height.
_NUMBER = re.compile(r"\d[\d.,:/-]*\d")
_LEAST_DIGITS, _MOST_OTHER_DIGITS = 3, 2
_APART = 0.02


class _Number(NamedTuple):
    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a content.

    Attributes:
        taken_at: as in `ImageMetadata`.
        reader: name of the models that have read it; None: none have.
        words: that were read surely, of scripts without blanks pairs of characters.
        characters: of all words.
        sure_numbers: that were read surely, and where they are.
        numbers: all that were read.
    """

    taken_at: datetime | None = None
    reader: str | None = None
    words: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    sure_numbers: tuple[_Number, ...] = ()
    numbers: frozenset[str] = frozenset()

    @classmethod
    def of(cls, taken_at: datetime | None, lines: Iterable[TextLine], *, reader: str | None) -> "Facts":
        words, sure, numbers = Counter[str](), list[_Number](), set[str]()
        for line in lines:
            found = [each for each in _NUMBER.findall(line.text) if sum(map(str.isdigit, each)) >= _LEAST_DIGITS]
            numbers.update(found)
            if line.confidence >= _SURE:
                left, top, right, bottom = line.box
                sure += [_Number(each, (left + right) / 2, (top + bottom) / 2) for each in found]
                words.update(_words(line.text))
        kept = Counter(dict(islice(words.items(), _MOST_WORDS)))
        characters = sum(len(word) * count for word, count in kept.items())
        return cls(taken_at, reader, kept, characters, tuple(sure[:_MOST_NUMBERS]), frozenset(numbers))


def read_facts(details: Mapping[int, ContentDetails], store: Store) -> dict[int, Facts]:
    """Return what is known of contents."""
    found = {}
    for chunk in chunks(list(details)):
        writings = store.written_rows.some(chunk)
        for content_id in chunk:
            writing, taken_at = writings.get(content_id), details[content_id].metadata.taken_at
            found[content_id] = (
                Facts(taken_at) if writing is None else Facts.of(taken_at, writing.lines, reader=writing.reader)
            )
    return found


def have_other_texts(first: Facts, second: Facts) -> bool:
    """Return whether the texts of two documents are not the same, whole or in part, with what was misread.

    Texts that different models have read are not compared: letters that look alike are others in each of them.
    """
    if not _are_comparable(first, second) or min(first.characters, second.characters) < _LEAST_CHARACTERS:
        return False
    least = min(first.words.total(), second.words.total())
    return (first.words & second.words).total() < _COMMON * least


def may_be_copies(first: Facts, second: Facts) -> bool:
    """Return whether pictures that look the same may be copies: not with another date, or another number in a place."""
    if None not in (first.taken_at, second.taken_at) and first.taken_at != second.taken_at:
        return False
    if not _are_comparable(first, second):
        return True
    only_first = [each for each in first.sure_numbers if each.text not in second.numbers]
    only_second = [each for each in second.sure_numbers if each.text not in first.numbers]
    return not any(_are_others(one, other) for one in only_first for other in only_second)


def _are_comparable(first: Facts, second: Facts) -> bool:
    return bool(first.reader) and first.reader == second.reader


def without_other_documents(pairs: NDArray[np.int64], facts: Mapping[int, Facts]) -> NDArray[np.int64]:
    """Return the pairs of contents (n, 2) but for those with other texts."""
    is_kept = [not have_other_texts(facts[first], facts[second]) for first, second in pairs.tolist()]
    return pairs[np.array(is_kept, dtype=np.bool_)]


def _words(text: str) -> Iterator[str]:
    for word in fold_words(text).split():
        if any(map(needs_no_blank, word)):
            yield from (word[at : at + 2] for at in range(max(1, len(word) - 1)))
        else:
            yield word


def _are_others(one: _Number, other: _Number) -> bool:
    """Return whether two numbers stand in one place, and differ in a few digits."""
    if len(one.text) != len(other.text) or max(abs(one.x - other.x), abs(one.y - other.y)) > _APART:
        return False
    pairs = [(a, b) for a, b in zip(one.text, other.text, strict=True) if a != b]
    return len(pairs) <= _MOST_OTHER_DIGITS and all(a.isdigit() and b.isdigit() for a, b in pairs)
