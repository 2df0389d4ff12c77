"""Split plain text into words, with what stands around them."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

_BEFORE, _AFTER = "([{¿¡", ",.;:!?)]}…"
_BREAKS = ",;.!?…)"
# French words that an apostrophe joins to the next one are words of their own.
_TOKEN = re.compile(r"(?:[ld]|jusqu|aujourd)['’]|\S+", re.IGNORECASE)

_DIGIT = re.compile(r"\d")


def vocabulary(text: str) -> frozenset[str]:
    """Return the words of a text, as a set to look them up in."""
    return frozenset(text.split())


PhraseList: TypeAlias = dict[str, list[tuple[str, ...]]]
"""Phrases as their words, by the first of them, the longest first."""


def phrase_list(text: str) -> PhraseList:
    """Return the phrases of a text, with | between them."""
    by_first: PhraseList = {}
    for phrase in sorted((tuple(phrase.split()) for phrase in text.split("|")), key=len, reverse=True):
        by_first.setdefault(phrase[0], []).append(phrase)
    return by_first


# Words that do not go on with a name or a number before them, as a noun would.
FUNCTION_WORDS = vocabulary(
    "a an the at in on of with without and or by near from my our his her their no not ein eine einen einem "
    "einer der die das den dem mit ohne und oder bei an am im von mein meine kein keine un une le la les des "
    "avec sans et ou à au aux dans sur mon ma mes notre una el los las con sin y o en de del mi mis nuestro"
)

# Words that say no more than that pictures are looked for.
GENERIC = vocabulary(
    "a an ein eine un une una taken shot aufgenommen prises prise tomadas tomada photo photos photograph photographs "
    "picture pictures pic pics image images snapshot snapshots everything all my the of from shots foto fotos bild "
    "bilder aufnahme aufnahmen alle meine von imagen imágenes imagenes todas mis las de images photographies toutes "
    "mes des 照片 图片 的"
)


@dataclass(frozen=True, slots=True)
class Word:
    """Word of a query.

    Attributes:
        start, end: characters of the query, without punctuation around it.
        key: composed and casefolded, without punctuation around it.
        is_capital: it begins with a capital, as names do.
        follows_break: punctuation stands between it and the word before, or nothing stands before it.
        has_digit: there is a digit in it.
    """

    start: int
    end: int
    key: str
    follows_break: bool
    is_capital: bool = False
    has_digit: bool = False


def split_words(text: str, start: int, end: int) -> list[Word]:
    """Return the words of a part of a text; "l'été" is two words."""
    found: list[Word] = []
    follows_break = not text[:start].strip()
    for token in _TOKEN.finditer(text, start, end):
        raw = token[0]
        left = len(raw) - len(raw.lstrip(_BEFORE))
        core = raw[left:].rstrip(_AFTER)
        if not core:
            follows_break = follows_break or any(each in _BREAKS for each in raw)
            continue
        begin = token.start() + left
        key = unicodedata.normalize("NFC", core).casefold().replace("’", "'")
        found.append(
            Word(
                begin,
                begin + len(core),
                key,
                follows_break or left > 0,
                core[0].isupper(),
                _DIGIT.search(key) is not None,
            )
        )
        follows_break = any(each in _BREAKS for each in raw[left + len(core) :])
    return found


def matches(words: Sequence[Word], at: int, keys: Sequence[str]) -> bool:
    """Return whether these keys stand at a position, without a break between them."""
    part = words[at : at + len(keys)]
    return [word.key for word in part] == list(keys) and not any(word.follows_break for word in part[1:])


def longest(words: Sequence[Word], at: int, entries: PhraseList) -> int:
    """Return the number of words of the longest entry that stands at a position; 0 for none."""
    phrases = entries.get(words[at].key, ()) if at < len(words) else ()
    return next((len(phrase) for phrase in phrases if matches(words, at, phrase)), 0)


PhraseTable: TypeAlias = dict[str, list[tuple[tuple[str, ...], str]]]
"""Phrases as their words, each with a name, by the first of them, the longest first."""


def phrase_table(names: Mapping[str, str]) -> PhraseTable:
    """Return the name of each phrase of lists of phrases by name."""
    pairs = [(tuple(phrase.split()), name) for name, text in names.items() for phrase in text.split("|")]
    by_first: PhraseTable = {}
    for phrase, name in sorted(pairs, key=lambda pair: len(pair[0]), reverse=True):
        by_first.setdefault(phrase[0], []).append((phrase, name))
    return by_first


def look_up(words: Sequence[Word], at: int, table: PhraseTable) -> tuple[int, str] | None:
    """Return the number of words, and the name, of the longest phrase of a table that stands at a position."""
    phrases = table.get(words[at].key, ()) if at < len(words) else ()
    return next(((len(phrase), name) for phrase, name in phrases if matches(words, at, phrase)), None)


def words_of(table: PhraseTable) -> frozenset[str]:
    """Return the words of all phrases of a table."""
    return frozenset(word for phrases in table.values() for phrase, _ in phrases for word in phrase)


def skip_word(words: Sequence[Word], at: int, keys: Sequence[str]) -> int:
    """Return the next position if one of these keys stands at this one, else this one."""
    return at + 1 if at < len(words) and words[at].key in keys else at
