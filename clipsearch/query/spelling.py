"""Correct typing errors: find the known word at the smallest weighted edit distance, when it is unambiguous.

There is no dictionary. The vocabulary is the words of texts about pictures; the caller excludes other words that are
correct. Rare words, names and other languages are left alone, because only edits that fingers make on a keyboard
(slips) are considered, and such words are rarely one slip away from a known word, while errors mostly are.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from clipsearch.data import BUILT_IN, bank_texts, built_in_labels

_WORD = re.compile(r"[^\W\d_]+")

# Minimum length of a word with two slips, with an unlikely one or one in its first letter, and with a likely one: short
# words are one letter away from others by chance.
_TWO_SLIPS, _UNLIKELY_SLIP, _LIKELY_SLIP = 8, 6, 3

# Endings of inflected and derived forms. Those that begin with a vowel replace a final e.
_ENDINGS = ("s", "es", "ed", "er", "ers", "est", "ing", "ings", "y", "ly", "ry", "ish", "ic", "al", "let", "less")
_KNOWN_ENDINGS = ("er", "or", "ed", "ing", "s")
_SHORTEST_STEM = 3

# A stem that doubles its last letter before a vowel: neither "swiming" nor "steerring" is a form of "swim" or "steer".
_DOUBLES = re.compile("[^aeiou]*[aeiou][^aeiouwxy]")

# Positions of keys, in key widths: each row is shifted against the one above it. Source: ISO/IEC 9995-1.
_KEYS = {
    key: (column + shift, row)
    for row, (shift, keys) in enumerate(((0.0, "qwertyuiop"), (0.25, "asdfghjkl"), (0.75, "zxcvbnm")))
    for column, key in enumerate(keys)
}
_VOWELS = frozenset("aeiouy")

# At equal distance the word with fewer unlikely slips wins. Likely slips are swapped, doubled and undoubled letters,
# which hardly ever turn one word into another.
_LIKELY, _UNLIKELY = 0, 1


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Lower-case words, their stems, and an index of them by first letter."""

    words: frozenset[str]
    stems: frozenset[str]
    by_start: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Vocabulary":
        """Collect the words of texts."""
        words = frozenset(word for text in texts for word in _WORD.findall(text.lower()))
        by_start: dict[str, list[str]] = {}
        for word in sorted(words):
            by_start.setdefault(word[0], []).append(word)
        forms = (word.removesuffix(ending) for word in words for ending in _KNOWN_ENDINGS if word.endswith(ending))
        stems = words.union(stem for stem in forms if len(stem) > _SHORTEST_STEM and stem[-1] != "s")
        return cls(words, stems, {start: tuple(found) for start, found in by_start.items()})

    def knows(self, word: str) -> bool:
        """Return whether the vocabulary has a lower-case word, or another form of it."""
        return word in self.stems or not self.stems.isdisjoint(stems_of(word))

    def find_nearest(self, word: str) -> str | None:
        """Find the known word that is the fewest slips away from an unknown lower-case word.

        None when no word is near, or when the nearest are tied.
        """
        nearest = self._find_nearest(word)
        if nearest is None and word.endswith("s"):
            single = self._find_nearest(word[:-1])
            return None if single is None else f"{single}s"
        return nearest

    def _find_nearest(self, word: str) -> str | None:
        best: list[str] = []
        least = (_TWO_SLIPS, 0)
        for start in dict.fromkeys(word[:2]):  # the first two letters may be swapped
            for known in self.by_start.get(start, ()):
                slips = _slips_in(min(len(word), len(known)))
                if abs(len(word) - len(known)) > slips:
                    continue
                cost = min(_costs(word, known, slips), default=None)
                if cost is not None and cost <= least:
                    best = [*best, known] if cost == least else [known]
                    least = cost
        if not best and len(word) >= _UNLIKELY_SLIP:
            best = sorted(self.words.intersection(_other_starts(word)))
        elif least[1] > 0 and max(map(len, (word, *best))) < _UNLIKELY_SLIP:
            return None
        return best[0] if len(best) == 1 else None


def known_words(texts: Iterable[str]) -> Vocabulary:
    """Build the vocabulary of a catalog's texts and the built-in ones."""
    own = list(texts)
    return Vocabulary.of([*_built_in_texts(), *own]) if own else built_in_words()


@cache
def built_in_words() -> Vocabulary:
    """Build the vocabulary of the text bank and the bundled label sets."""
    return Vocabulary.of(_built_in_texts())


def _built_in_texts() -> list[str]:
    return [*bank_texts(), *(label for name in BUILT_IN for label in built_in_labels(name))]


def stems_of(word: str) -> Iterator[str]:
    """Yield the possible stems of a word, with its endings removed."""
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < _SHORTEST_STEM or stem[-1] == ending[0]:
            continue
        if ending[0] not in _VOWELS:
            yield stem
            continue
        if ending == "es" or not _DOUBLES.fullmatch(stem):
            yield stem
        yield f"{stem}e"
        if stem[-1] == stem[-2] and _DOUBLES.fullmatch(stem[:-1]):
            yield stem[:-1]
        elif stem[-1] == "i":
            yield f"{stem[:-1]}y"


def _slips_in(length: int) -> int:
    return 2 if length >= _TWO_SLIPS else int(length >= _LIKELY_SLIP)


def _other_starts(word: str) -> Iterator[str]:
    """Yield corrections of the first letter, which is wrong in only 1 to 8 % of errors.

    Source: Pollock and Zamora, "Automatic spelling correction in scientific and scholarly text", CACM 27, 1984.
    """
    for key in _KEYS:
        yield key + word
        if are_near(key, word[0]):
            yield key + word[1:]


def _costs(typed: str, known: str, slips: int, before: str = "") -> Iterator[tuple[int, int]]:
    """Yield (slips, unlikely slips) of each edit path from one word to the other with at most `slips` slips.

    A Damerau-Levenshtein distance, restricted to the edits that fingers make on a keyboard.

    Args:
        before: the letter before both.
    """
    same = 0
    while same < min(len(typed), len(known)) and typed[same] == known[same]:
        same += 1
    if same:
        before = typed[same - 1]
    typed, known = typed[same:], known[same:]
    if not typed and not known:
        yield 0, 0
    elif slips:
        for typed_left, known_left, unlikely, letter in _slips(typed, known, before):
            for count, others in _costs(typed_left, known_left, slips - 1, letter):
                yield count + 1, others + unlikely


def _slips(typed: str, known: str, before: str) -> Iterator[tuple[str, str, int, str]]:
    """Yield the possible slips at the first difference: the rest of both words, the cost, and the letter before."""
    one, other = typed[:1], known[:1]
    if len(typed) > 1 and typed[:2] == known[1::-1]:
        yield typed[2:], known[2:], _LIKELY, known[1]
    if not before:  # see `_other_starts`
        return
    if one and (one == before or are_near(one, before) or are_near(one, other)):
        yield typed[1:], known, _LIKELY if one == before else _UNLIKELY, before
    if other:
        yield typed, known[1:], _LIKELY if other == before else _UNLIKELY, other
    if one and other and (are_near(one, other) or {one, other} <= _VOWELS):
        yield typed[1:], known[1:], _UNLIKELY, other


def are_near(one: str, other: str) -> bool:
    """Return whether two letters are adjacent on a QWERTY keyboard."""
    if one not in _KEYS or other not in _KEYS:
        return False
    (column, row), (other_column, other_row) = _KEYS[one], _KEYS[other]
    return one != other and abs(column - other_column) <= 1 and abs(row - other_row) <= 1
