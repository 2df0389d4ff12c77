"""AND, OR, NOT and brackets, which other programs have: understood beside filters where one meaning is possible."""

import re

from clipsearch.query.filters import EXAMPLES, KEYS

OPERATORS = frozenset({"AND", "OR", "NOT", "|", "||"})
"""Between words, where they are refused."""

_KEY = rf"(?ai:{'|'.join(KEYS)})[:：]"

_BEFORE_FILTER = re.compile(rf"\s+(?:NOT\s+|not\s+|!\s*|[-−–—])?{_KEY}")
_BRACKET = re.compile(rf"[(\[{{]+[-!]?(?:NOT\s+)?{_KEY}")
_JOINED = re.compile(r"\w\|\|?\w")
_LISTS = {
    **dict.fromkeys(("type", "has", "orientation"), re.compile(r"[,;|/+]")),
    "camera": re.compile(r"[,|]"),
    "path": re.compile(r"[|]|,$"),
}
_OPEN, _CLOSED = frozenset("([{"), frozenset(")]}")
NO_BRACKETS = "no brackets stand around filters, all of which hold: path:2024 -type:png"
_INSTEAD = {
    "and": "no 'and' stands beside filters, all of which hold",
    "not": "a filter that must not hold has a - before it, as in -path:backup",
    **dict.fromkeys(("or", "|", "||"), "filters have no 'or', all of them hold: ask once for each"),
}

BESIDE_FILTERS = frozenset({*_INSTEAD, *_OPEN, *_CLOSED})
"""Words, in lower case, that are none beside a filter."""


# Before a filter: the names of some in other programs are two words.
_FIRST_WORD = {"taken": "date", "size": "file", "type": "file", "path": "file"}
FIRST_WORDS = frozenset(_FIRST_WORD.values())


def why_no_operator(word: str) -> str:
    """What to write instead of one of `OPERATORS`, in any case."""
    instead = {
        "AND": "what must both hold has an & between, as in dog & snow",
        "NOT": "what is not wanted has a - before it, as in dog - snow",
    }.get(word.upper(), "there is no 'or': ask twice, or for a sum, as in dog + cat")
    return f"{instead}; words in capitals go in quotes"


def is_and_of_filters(word: str, following: str, *, follows_filter: bool) -> bool:
    """Whether it says what holds anyway, as all filters do; between a filter and words only in capitals.

    Args:
        word: of the query.
        following: the query behind it.
        follows_filter: a filter stands before it.
    """
    if word.lower() != "and":
        return False
    precedes = _BEFORE_FILTER.match(following) is not None
    return (follows_filter or precedes) if word == "AND" else (follows_filter and precedes)


def find_mistaken_operator(word: str, following: str, *, follows_filter: bool) -> str | None:
    """Why a word is an operator or a bracket where there is none; None when it is a word.

    Args:
        word: of the query.
        following: the query behind it.
        follows_filter: a filter stands before it.
    """
    if word.isalpha() and word.lower() not in _INSTEAD:
        return None
    precedes = _BEFORE_FILTER.match(following) is not None
    if _BRACKET.match(word + following[:20]) or (word in _OPEN and precedes) or (word in _CLOSED and follows_filter):
        return NO_BRACKETS
    if re.match(r"!+\w", word):
        return f"what is not wanted has a - before it: -{word.lstrip('!')[:40]}; words with a ! go in quotes"
    if _JOINED.search(word):
        return why_no_operator("OR")
    if word.lower() not in _INSTEAD or not (follows_filter or precedes):
        return None
    return f"{_INSTEAD[word.lower()]}; words go before the filters, or in quotes"


def find_first_word(key: str, before: str) -> str | None:
    """Why the word before a filter belongs to its name elsewhere, as in "date taken:2019"; None when it does not.

    Args:
        before: the query before the filter, or the end of it.
    """
    word = _FIRST_WORD.get(key)
    if word is None or re.search(rf"(?:^|\s){word}\s+$", before, re.IGNORECASE) is None:
        return None
    return f"there is no {word} {key}: write {EXAMPLES[key]}; words go in quotes"


def why_no_list(key: str, value: str) -> str | None:
    """Why a value is several, as in type:jpg,png; None when it is one.

    Args:
        value: without quotes, as it was written.
    """
    form = _LISTS.get(key)
    found = form.search(value) if form is not None else None
    if found is None:
        return None
    quotes = f"; a name with {found[0]} in it goes in quotes" if key in ("camera", "path") else ""
    return f"{key}: takes one value, and filters have no 'or': ask once for each{quotes}"


def closes_bracket(before: str, value: str) -> bool:
    """Whether a value ends in a bracket that was opened before its filter.

    Args:
        before: the query before the filter.
        value: without quotes, as it was written.
    """
    opened = {")": "(", "]": "[", "}": "{"}.get(value[-1])
    return opened is not None and value.count(opened) < value.count(value[-1]) and opened in before
