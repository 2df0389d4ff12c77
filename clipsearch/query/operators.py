"""Recognise AND, OR, NOT and brackets of other query languages: accept unambiguous ones, explain the others."""

import re

from clipsearch.query.filters import EXAMPLES, NAME_FORM
from clipsearch.query.tokens import QUOTED

OPERATORS = frozenset({"AND", "OR", "NOT", "|", "||"})
"""Operators that are rejected between words."""

_KEY = rf"{NAME_FORM}[:：]"

_BEFORE_FILTER = re.compile(rf"\s+(?:NOT\s+|not\s+|!\s*|[-−–—])?{_KEY}")
_BRACKET = re.compile(rf"[(\[{{]+[-!]?(?:NOT\s+)?{_KEY}")
_IN_QUOTES = re.compile(QUOTED, re.DOTALL)
_JOINED = re.compile(r"\w\|\|?\w")
_LISTS = {
    **dict.fromkeys(("type", "has", "orientation", "is"), re.compile(r"[,;|/+]")),
    "camera": re.compile(r"[,|]"),
    "path": re.compile(r"[|]|,$"),
}
_OPEN, _CLOSED = frozenset("([{"), frozenset(")]}")
NO_BRACKETS = "filters take no brackets, as all of them must match: path:2024 -type:png"
_INSTEAD = {
    "and": "filters need no 'and', as all of them must match",
    "not": "a - before a filter negates it, as in -path:backup",
    **dict.fromkeys(("or", "|", "||"), "filters have no 'or', all of them must match: run one query for each"),
}

OPERATORS_NEXT_TO_FILTERS = frozenset({*_INSTEAD, *_OPEN, *_CLOSED})
"""Lower-case words and brackets that are operators, not search words, next to a filter."""


# First word, before a filter, of names that are two words in other programs.
_FIRST_WORD = {"taken": "date", "size": "file", "type": "file", "path": "file"}
FIRST_WORDS = frozenset(_FIRST_WORD.values())


def explain_operator(word: str) -> str:
    """Say what to write instead of one of `OPERATORS`, in upper or lower case."""
    instead = {
        "AND": "terms that must all match are joined by &, as in dog & snow",
        "NOT": "a - before a term excludes it, as in dog - snow",
    }.get(word.upper(), "there is no 'or': run two queries, or one for a sum, as in dog + cat")
    return f"{instead}; words in capitals go in quotes"


def is_and_of_filters(word: str, following: str, *, follows_filter: bool) -> bool:
    """Return whether a word is a redundant AND of filters; between a filter and words only in capitals.

    Args:
        word: of the query.
        following: the query after it.
        follows_filter: a filter stands before it.
    """
    if word.lower() != "and":
        return False
    precedes = _BEFORE_FILTER.match(following) is not None
    return (follows_filter or precedes) if word == "AND" else (follows_filter and precedes)


def find_mistaken_operator(word: str, following: str, *, follows_filter: bool) -> str | None:
    """Explain an operator or a bracket that the language does not have; None when it is a word.

    Args:
        word: of the query.
        following: the query after it.
        follows_filter: a filter stands before it.
    """
    if word.isalpha() and word.lower() not in _INSTEAD:
        return None
    precedes = _BEFORE_FILTER.match(following) is not None
    if _BRACKET.match(word + following[:20]) or (word in _OPEN and precedes) or (word in _CLOSED and follows_filter):
        return NO_BRACKETS
    if re.match(r"!+\w", word):
        return f"a - before a term excludes it: -{word.lstrip('!')[:40]}; words with a ! go in quotes"
    if _JOINED.search(_IN_QUOTES.sub("", word)):
        return explain_operator("OR")
    if word.lower() not in _INSTEAD or not (follows_filter or precedes):
        return None
    return f"{_INSTEAD[word.lower()]}; words go before the filters, or in quotes"


def find_first_word(key: str, before: str) -> str | None:
    """Explain a two-word filter name of other programs, as in "date taken:2019"; None when the word is not part of one.

    Args:
        before: the query before the filter, or the end of it.
    """
    word = _FIRST_WORD.get(key)
    if word is None or re.search(rf"(?:^|\s){word}\s+$", before, re.IGNORECASE) is None:
        return None
    return f"there is no {word} {key}: write {EXAMPLES[key]}; words go in quotes"


def explain_list(key: str, value: str) -> str | None:
    """Explain that a filter takes no list, as in type:jpg,png; None when the value is a single one.

    Args:
        value: without quotes, as the user wrote it.
    """
    form = _LISTS.get(key)
    found = form.search(value) if form is not None else None
    if found is None:
        return None
    quotes = f"; a name with {found[0]} in it goes in quotes" if key in ("camera", "path") else ""
    return f"{key}: takes one value, and filters have no 'or': run one query for each{quotes}"


def closes_bracket(before: str, value: str) -> bool:
    """Return whether a value ends with a bracket that was opened before its filter.

    Args:
        before: the query before the filter.
        value: without quotes, as the user wrote it.
    """
    opened = {")": "(", "]": "[", "}": "{"}.get(value[-1])
    return opened is not None and value.count(opened) < value.count(value[-1]) and opened in before
