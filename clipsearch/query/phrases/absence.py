"""Find what is not to be in a picture: "without people", "food, no meat", "ohne Autos", "sans neige", "sin gente"."""

from collections.abc import Sequence
from dataclasses import dataclass

from clipsearch.query.phrases.words import Word, longest, phrase_list, vocabulary


@dataclass(frozen=True, slots=True)
class FoundAbsence:
    """What is excluded.

    Attributes:
        count: words that the whole takes.
        things: first and last word, excluded, of each thing, as positions.
    """

    count: int
    things: tuple[tuple[int, int], ...]


# Words that exclude wherever they stand between others, and those that do only after a break or another such word: "no
# parking" is on a sign, "not" and "kein" are mostly of sentences.
_ANYWHERE = phrase_list(
    "without any | without | but no | but not | and no | with no | excluding | except for | ohne | aber kein | "
    "aber keine | aber keinen | aber nicht | und keine | mit keinen | sans aucun | sans aucune | sans | mais "
    "pas de | mais pas d' | mais pas | et pas de | sin ningún | sin ninguna | sin | pero no | pero sin | y sin"
)
_AFTER_BREAK = phrase_list(
    "no | not | not any | none of | kein | keine | keinen | nicht | pas de | pas d' | aucun | aucune"
)
# Of another language where the rest of the query is English.
_SPANISH = "sin"
_ENGLISH = vocabulary("a an the of with in on at and is are by from for")

_ARTICLES = vocabulary(
    "a an the any some of ein eine einen einem der die das den un une le la les l' des de du d' el los las una"
)
_AND = vocabulary("and or nor und oder noch et ou ni y o u")
# Words at which what is excluded ends; what follows is about the rest again.
_ENDS = vocabulary(
    "in on at near by from during with under over behind beside between through against next but while of for "
    "to into im am an auf bei mit unter über hinter neben zwischen vor nach aber von vom während dans sur avec "
    "sous près derrière entre pendant mais au aux à en con bajo sobre cerca detrás entre durante pero"
)
_MOST_WORDS = 4


def find_absence(words: Sequence[Word], at: int, *, is_start: bool) -> FoundAbsence | None:
    """Find what is excluded from a word on; not at the start of a query: "no parking"."""
    if at == 0 and is_start:
        return None
    lead = longest(words, at, _ANYWHERE) or (longest(words, at, _AFTER_BREAK) if words[at].follows_break else 0)
    if not lead or (words[at].key == _SPANISH and any(word.key in _ENGLISH for word in words)):
        return None
    place, things = at + lead, []
    while place < len(words) and (start := _skip(words, place)) < len(words):
        end = start
        while end < len(words) and end - start < _MOST_WORDS and not _ends(words, end, start):
            end += 1
        if end == start:
            break
        things.append((start, end))
        place = end
        follows = end < len(words) and words[end].key in _AND and not words[end].follows_break
        if not follows or (end + 1 < len(words) and longest(words, end, _ANYWHERE)):
            break
        place = end + 1
        place += longest(words, place, _AFTER_BREAK) if place < len(words) else 0
    return FoundAbsence(things[-1][1] - at, tuple(things)) if things else None


def _skip(words: Sequence[Word], at: int) -> int:
    while at < len(words) and words[at].key in _ARTICLES:
        at += 1
    return at


def _ends(words: Sequence[Word], at: int, start: int) -> bool:
    key = words[at].key
    is_lead = longest(words, at, _ANYWHERE) > 0
    return key in _ENDS or key in _AND or is_lead or (at > start and words[at].follows_break)
