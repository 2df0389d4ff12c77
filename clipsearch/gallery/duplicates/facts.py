"""What is known of pictures besides their pixels, and tells that they are no copies: the time, and the text in them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from clipsearch.ocr.lines import TextLine
from clipsearch.store import ContentDetails, Store
from clipsearch.text import fold_words, needs_no_blank

# Least confidence of lines that are compared, characters of a text that are enough to tell documents apart, and share
# of the words of the shorter text that copies have in common: those of 40 receipts, screenshots, pages and notes had
# 0.69 and more, also at a quarter of the size.
_SURE = 0.95
_LEAST_CHARACTERS = 40
_COMMON = 0.5

# Numbers of two digits at least, as in prices and dates, and digits in which another number may differ.
_NUMBER = re.compile(r"\d[\d.,:/-]*\d")
_MOST_OTHER_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a content.

    Attributes:
        taken_at: as in `ImageMetadata`.
        words: that were read surely, of scripts without blanks pairs of characters.
        sure_numbers, numbers: that were read surely; that were read.
    """

    taken_at: datetime | None = None
    words: Counter[str] = field(default_factory=Counter)
    sure_numbers: Counter[str] = field(default_factory=Counter)
    numbers: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, taken_at: datetime | None, lines: Iterable[TextLine]) -> "Facts":
        words, sure_numbers, numbers = Counter[str](), Counter[str](), Counter[str]()
        for line in lines:
            found = _NUMBER.findall(line.text)
            numbers.update(found)
            if line.confidence >= _SURE:
                sure_numbers.update(found)
                words.update(_words(line.text))
        return cls(taken_at, words, sure_numbers, numbers)


def read_facts(details: Mapping[int, ContentDetails], store: Store) -> dict[int, Facts]:
    """Return what is known of contents."""
    writings = store.written_rows.some(list(details))
    return {
        content_id: Facts.of(each.metadata.taken_at, writings[content_id].lines if content_id in writings else ())
        for content_id, each in details.items()
    }


def have_other_texts(first: Facts, second: Facts) -> bool:
    """Return whether the texts of two documents are not the same, whole or in part, with what was misread."""
    texts = first.words, second.words
    if any(sum(map(len, words.elements())) < _LEAST_CHARACTERS for words in texts):
        return False
    return (texts[0] & texts[1]).total() < _COMMON * min(words.total() for words in texts)


def may_be_copies(first: Facts, second: Facts) -> bool:
    """Return whether pictures that look the same may be copies: not with another date, price or other number."""
    if None not in (first.taken_at, second.taken_at) and first.taken_at != second.taken_at:
        return False
    only_first, only_second = first.sure_numbers - second.numbers, second.sure_numbers - first.numbers
    return not any(_are_near(one, other) for one in only_first for other in only_second)


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


def _are_near(one: str, other: str) -> bool:
    return len(one) == len(other) and sum(map(str.__ne__, one, other)) <= _MOST_OTHER_DIGITS
