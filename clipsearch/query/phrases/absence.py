"""Find what is not to be in a picture: "without people", "food, no meat", "ohne Autos", "sans neige", "sin gente".

Only one or two words that end where the query, a clause or another phrase does: what goes on may be wanted again.
"""

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


# Words that exclude wherever they stand between others, and those that do only after a break: "no parking" is a sign.
_ANYWHERE = phrase_list(
    "without any | without | but no | and no | with no | ohne | aber kein | aber keine | aber keinen | und keine | "
    "sans aucun | sans aucune | sans | mais pas de | mais pas d' | sin ningún | sin ninguna | sin | pero sin | y sin"
)
_AFTER_BREAK = phrase_list("no | kein | keine | keinen | not a | not an | not the | aucun | aucune")
# "with or without", "with and without": both are wanted.
_WITH = vocabulary("with mit avec con")
# Of another language where the rest of the query is English.
_SPANISH = "sin"
_ENGLISH = vocabulary("an the of with in on at and is are by from for movie cardinal original mortal")

_ARTICLES = vocabulary(
    "a an the any ein eine einen einem der die das den un une le la les l' des de du d' el los las una"
)
_AND = vocabulary("and or nor und oder noch et ou ni y o u")
# Words at which what is excluded ends; what follows is about the rest again.
_ENDS = vocabulary(
    "in on at near by from during under over behind beside between through against next but while for into "
    "im am an auf bei unter über hinter neben zwischen vor nach aber von vom während "
    "dans sur sous près derrière entre pendant mais au aux à en bajo sobre cerca detrás durante pero"
)
# No things: what is said on signs, adverbs, and fixed terms.
_NO_THINGS = vocabulary(
    "parking smoking entry entrance allowed trespassing swimming exit war more one ones way matter doubt far only "
    "looking please yet even just very really so too quite always every all everyone here there it them him her "
    "me us you zutritt werbung parken fumar pasarán pasaran molestar serif abri fil fin souci salida frontières "
    "grenzen borders words end limits question problem"
)
_PEOPLE = vocabulary("anyone anybody people jemand jemanden nadie personne someone somebody")
_GERMAN = vocabulary("ohne kein keine keinen aber und")
_VERB_ENDINGS = ("ing", "ando", "iendo")
_MOST_WORDS = 2


def may_be_absence(word: Word) -> bool:
    """Return whether a word may begin an absence."""
    return word.key in _FIRST_WORDS


def find_absence(words: Sequence[Word], at: int) -> FoundAbsence | None:
    """Find what is excluded from a word on."""
    if words[at].is_capital and at > 0:
        return None
    lead = longest(words, at, _ANYWHERE) or (longest(words, at, _AFTER_BREAK) if words[at].follows_break else 0)
    lead = lead or _plain_lead(words, at)
    if not lead or _is_another_without(words, at):
        return None
    place, things = at + lead, list[tuple[int, int]]()
    while True:
        start = _skip_articles(words, place)
        end = _thing_end(words, start, is_german=words[at].key in _GERMAN)
        if end is None:
            return None
        things.append((start, end))
        place = end
        if end == len(words) or words[end].key not in _AND or words[end].follows_break:
            break
        following = end + 1
        if following < len(words) and words[following].key in _ARTICLES:  # "without a hat and a woman"
            break
        again = longest(words, following, _AFTER_BREAK) if following < len(words) else 0
        place = following + again
    # "without cars, people or bikes" goes on, or does not.
    if any(word.key in _AND for word in words[place:]) and place < len(words) and words[place].follows_break:
        return None
    return FoundAbsence(things[-1][1] - at, tuple(things))


# "beach no people": things that few signs forbid, without a comma before them.
_PLAIN = vocabulary(
    "people person persons humans person's text watermark watermarks faces menschen leute personen text personnes gens "
    "texte gente personas texto"
)
_PLAIN_LEADS = phrase_list("no | kein | keine | keinen | pas de | aucun | aucune | ningún | ninguna")
_FIRST_WORDS = frozenset((*_ANYWHERE, *_AFTER_BREAK, *_PLAIN_LEADS))
_NOT_AFTER = vocabulary(
    "are is was were there has have had says saying sign shows with hat ist sind gibt il y a hay n'a"
)


def _plain_lead(words: Sequence[Word], at: int) -> int:
    lead = longest(words, at, _PLAIN_LEADS)
    is_plain = lead and at + lead < len(words) and words[at + lead].key in _PLAIN and at > 0
    return lead if is_plain and words[at - 1].key not in _NOT_AFTER else 0


def is_people(thing: str) -> bool:
    """Return whether an excluded thing is anybody: "nobody" is no picture of anything."""
    return thing.casefold() in _PEOPLE


def _is_another_without(words: Sequence[Word], at: int) -> bool:
    before = [word.key for word in words[max(0, at - 2) : at]]
    is_both = len(before) == 2 and before[0] in _WITH and before[1] in _AND
    is_english = any(word.key in _ENGLISH for word in words) or before[-1:] == ["a"]
    return is_both or (words[at].key == _SPANISH and is_english)


def _skip_articles(words: Sequence[Word], at: int) -> int:
    while at < len(words) and words[at].key in _ARTICLES and not words[at].follows_break:
        at += 1
    return at


def _thing_end(words: Sequence[Word], start: int, *, is_german: bool) -> int | None:
    """Return the end of one or two words that nothing continues; None where they may go on, or are no thing."""
    end = start
    while end < len(words) and end - start < _MOST_WORDS and not _ends(words, end, is_first=end == start):
        if is_german and end > start and words[start].is_capital and not words[end].is_capital:
            break  # a verb, as nouns have capitals
        end += 1
    part = words[start:end]
    is_thing = part and not any(
        word.key in _NO_THINGS or word.key.endswith(_VERB_ENDINGS) or word.key[0].isdigit() for word in part
    )
    is_closed = end == len(words) or _ends(words, end, is_first=False)
    return end if is_thing and is_closed and not (part and part[0].follows_break) else None


def _ends(words: Sequence[Word], at: int, *, is_first: bool) -> bool:
    word = words[at]
    is_lead = longest(words, at, _ANYWHERE) > 0
    return word.key in _ENDS or word.key in _AND or is_lead or (word.follows_break and not is_first)
