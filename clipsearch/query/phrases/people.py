"""Find people of the catalog in the words of a query: "Anna on the beach", "a photo of Anna and Bob"."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from clipsearch.query.phrases.dates import is_closed
from clipsearch.query.phrases.words import FUNCTION_WORDS, GENERIC, Word, vocabulary
from clipsearch.text import fold_name

_AND = vocabulary("and und et y e with mit avec con plus")
_OR = vocabulary("or oder ou o u")
_WITH = vocabulary("with mit avec con")
_OF = vocabulary("of von de d' du del")
# After these, someone is not in the picture.
_NOT_IN = vocabulary(
    "for to from by like für fuer wie als pour par comme para por como vs a an the ein eine un une una"
)
_WITHOUT = vocabulary("without no not nor ohne kein keine nicht sans sin ni ningún ninguna")
# What is of people whom it shows.
_PORTRAITS = GENERIC | vocabulary("portrait portraits selfie selfies closeup close-up video videos retrato porträt")
_TITLES = vocabulary(
    "mr mrs ms miss dr prof herr frau madame monsieur mme sir lady lord uncle aunt onkel tante tío tía oncle saint st "
    "st. santa san sankt sainte queen king princess prince lake mount villa hotel casa the little baby big old"
)
# Given names that are words too, besides the labels of pictures.
_WORDS = vocabulary(
    "rose lily mark sunny violet may april art grace june august summer autumn dawn hope faith joy iris ivy daisy "
    "jasmine olive ruby pearl amber crystal jade ginger holly hazel heather basil bill bob rob jack pat sue will frank "
    "rich dick robin jay drew chase hunter mason carter cooper taylor tyler angel christian dean duke earl melody "
    "harmony harper star sky skye rain river brook reed rusty sandy misty stormy candy cherry clementine coral dolly "
    "fern flora gale gene glen grant guy hank heath jean jersey jewel josh kitty lance lane lark laurel leo lotus "
    "mercy miles mike nick norm opal page paige penny peony poppy piper ray rex rocky sage scout sierra skip sterling "
    "teddy tiger trinity van victor vine wade ward wolf wren max charity chance clay cliff dale dusty eve gail gay "
    "happy honey jet juan justice king liberty love lucky magnolia major marina merry mia noel otto pepper phoenix "
    "prudence red royal sally savannah tom tony trip viola wendy willow winter blue mai marina sol luz paz cruz "
    "mercedes dolores rosa blanca stella luna klein ernst wolf stein blume linde rosé marguerite fleur claire blanche "
    "aimé pierre mare sole"
)


class PeopleNames:
    """Names of people, by their first word."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
        self.chinese = sorted({name for name in names if _is_chinese(name)}, key=len, reverse=True)
        for name in names:
            if words := tuple(_folded(name).replace("/", " ").split()):
                self._names[words[0]].append(words)

    def find(self, words: Sequence[Word], at: int) -> int:
        """Return the number of words at a position that are a whole name, or its first ones; 0 for none."""
        first = _folded(words[at].key)
        if first not in self._names:
            return 0
        best = 0
        for name in self._names[first]:
            count = 0
            while (
                count < len(name)
                and at + count < len(words)
                and _folded(words[at + count].key) == name[count]
                and not (count and words[at + count].follows_break)
            ):
                count += 1
            is_name = count == len(name) or not (count == 1 and (first in _TITLES or first in FUNCTION_WORDS))
            if count > best and is_name and len(first) > 1:
                best = count
        return best


@lru_cache(maxsize=2)
def people_names(names: tuple[str, ...]) -> PeopleNames:
    """Return the names of people by their first words; kept, as a catalog may have thousands."""
    return PeopleNames(names)


def _folded(name: str) -> str:
    return fold_name(name).casefold()


def _is_chinese(name: str) -> bool:
    return len(name) > 1 and all("\u4e00" <= each <= "\u9fff" for each in name)


@lru_cache(maxsize=1)
def _label_words() -> frozenset[str]:
    from clipsearch.data import built_in_labels

    labels = " ".join(label for name in ("coco", "lvis", "scenes", "colours") for label in built_in_labels(name))
    return frozenset(labels.casefold().replace("(", " ").replace(")", " ").split())


def is_word(word: Word) -> bool:
    """Return whether a name is also a word, so that without more it may be anything."""
    return word.key in _WORDS or word.key in _label_words()


@dataclass(frozen=True, slots=True)
class FoundPeople:
    """People in words.

    Attributes:
        count: words that the whole takes, with "of" or "with" before them.
        names: names, casefolded.
        is_sure: False: it may be something else.
    """

    count: int
    names: tuple[str, ...]
    is_sure: bool


class KnowsPeople(Protocol):
    """Whatever knows the people, who are read when they are needed."""

    @property
    def people(self) -> PeopleNames:
        """People by the words of their names."""
        ...


def find_people(words: Sequence[Word], at: int, context: KnowsPeople) -> FoundPeople | None:
    """Find one or several people at a word; "Anna or Bob" is offered, as filters all have to hold."""
    joins = _AND if at > 0 else _WITH
    lead = int(at + 1 < len(words) and (words[at].key in joins or words[at].key in _OF))
    run = _run(words, at + lead, context.people) if not (lead and words[at + 1].follows_break) else None
    if run is None:
        return None
    before = words[at - 1] if at > 0 and not words[at].follows_break else None
    if before is not None and before.key in _WITHOUT:
        return None
    is_sure = not run.has_or and _fits(words, at, lead, before) and _may_end(words, run)
    single = [words[first] for first, last in run.parts if last - first == 1 and is_word(words[first])]
    if any(not word.is_capital for word in single):
        is_sure = False
        follows_word = before is not None and before.key in _NOT_IN | FUNCTION_WORDS - _AND
        if follows_word or not is_closed(words, run.end):
            return None
    is_all = len(single) == len(words)  # "Rose"
    if single and (is_all or _has_other_capitals(words, run) or not is_closed(words, run.end)):
        is_sure = False
    # "Anna and a dog": what is left begins with the dog.
    takes_and = at == 0 and is_sure and run.end < len(words) - 1 and words[run.end].key in _AND
    names = (" ".join(word.key for word in words[first:last]) for first, last in run.parts)
    return FoundPeople(run.end + takes_and - at, tuple(dict.fromkeys(names)), is_sure)


@dataclass(frozen=True, slots=True)
class _Run:
    """Names that are joined: the positions of each, the end, and whether by "or"."""

    parts: tuple[tuple[int, int], ...]
    end: int
    has_or: bool


def _run(words: Sequence[Word], start: int, people: PeopleNames) -> _Run | None:
    """Find the names that follow each other from a word on, with "and" or a comma between them."""
    count = people.find(words, start)
    if not count:
        return None
    parts, end, has_or = [(start, start + count)], start + count, False
    while end < len(words):
        is_joined = words[end].key in _AND or words[end].key in _OR
        following = end + is_joined
        if following == len(words) or not (is_joined or words[end].follows_break):
            break
        count = people.find(words, following)
        if not count or any(_is_plain_word(words, part) for part in (parts[0], (following, following + count))):
            break
        has_or = has_or or words[end].key in _OR
        parts.append((following, following + count))
        end = following + count
    return _Run(tuple(parts), end, has_or)


def _fits(words: Sequence[Word], at: int, lead: int, before: Word | None) -> bool:
    """Return whether what stands before a name leaves it one: not "Santa Anna", "for Anna", "the house of Anna"."""
    if lead and words[at].key in _OF:
        return all(word.key in _PORTRAITS | FUNCTION_WORDS for word in words[:at])
    if before is None:
        return True
    is_longer_name = not lead and (before.key in _TITLES or (before.is_capital and before.key not in GENERIC))
    return not is_longer_name and before.key not in _NOT_IN and before.key not in _OR


def _has_other_capitals(words: Sequence[Word], run: _Run) -> bool:
    named = {place for first, last in run.parts for place in range(first, last)}
    others = (word for place, word in enumerate(words) if place not in named and word.key not in GENERIC)
    return any(word.is_capital for word in others)


def _is_plain_word(words: Sequence[Word], part: tuple[int, int]) -> bool:
    """Return whether a name is a word in lower case."""
    first, last = part
    return last - first == 1 and not words[first].is_capital and is_word(words[first])


def _may_end(words: Sequence[Word], run: _Run) -> bool:
    """Return whether a name ends there: "Anna Karenina" is another one, "anna karenina" and "anna cake" may be."""
    end, is_capital = run.end, words[run.parts[-1][0]].is_capital
    if is_closed(words, end) or words[end].key in _AND:
        return True
    if words[end].is_capital:
        from clipsearch.places import mention

        found = mention([words[end].key])
        return found is not None and not found.is_ambiguous
    key = words[end].key
    return key not in _OR and (is_capital or key.endswith("ing") or key[0].isdigit())
