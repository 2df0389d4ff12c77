"""What is nearly right: what was likely meant instead, for whoever would else search it as words."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from clipsearch.errors import QueryError
from clipsearch.filters import EXAMPLES, KEYS, SHAPES, parse_filter
from clipsearch.grammar.tokens import FILTER, PATH, has_picture_suffix

# What other programs, and people, call the filters.
_OTHER_NAMES = {
    **dict.fromkeys(("folder", "dir", "directory", "file", "filename", "filepath", "album", "in"), "path"),
    **dict.fromkeys(("date", "year", "month", "day", "datetime", "when", "created", "shot"), "taken"),
    **dict.fromkeys(("before", "after", "since", "until"), "taken"),
    **dict.fromkeys(("gps", "geo", "location", "place", "lat", "latitude", "radius"), "near"),
    **dict.fromkeys(("make", "model", "device", "phone"), "camera"),
    **dict.fromkeys(("format", "ext", "extension", "filetype", "mime", "suffix"), "type"),
    **dict.fromkeys(("filesize", "bytes", "length"), "size"),
    **dict.fromkeys(("width", "wide"), "w"),
    **dict.fromkeys(("height", "high"), "h"),
    **dict.fromkeys(("orient", "aspect", "layout"), "orientation"),
    **dict.fromkeys(("picture", "img", "photo", "pic", "like", "similar", "url"), "image"),
}

# Filters of other programs for which there is none here.
_ABSENT = frozenset(
    {"tag", "tags", "label", "labels", "keyword", "keywords", "rating", "stars", "person", "face", "iso", "lens"}
)

_NEARLY = re.compile(r"(?P<name>[^\W\d_][\w-]{0,20})(?P<sign>[:：]|[<>]=?|=)?(?P<value>.*)", re.DOTALL)
_SEPARATE = re.compile(r"\s*(?P<sign>[:：]|[<>]=?|=)\s*(?P<value>\S+)")
_NUMBER = re.compile(r'[<>="“+\-.\s]*\d')
_LIKE_A_PATH = re.compile(r"[/\\*\d]|\.\w{2,5}$")

# Of cameras: words that go on with a model's name.
_SERIES = re.compile(
    r"(?=[\w.-]*\d)[\w.-]+|[A-Z][A-Z0-9-]+|[B-HJ-Z]|(?i:powershot|ixus|coolpix|finepix|lumix|alpha|cyber-?shot|optio|exilim"
    r"|pixel|galaxy|iphone|ipad|hero|rebel|stylus|easyshare|mavic)"
)
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|march|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_UNIT = r"(?:[kmgt]?i?b|[kmgt]|px|pixels?|km|bytes?)?"
_END = r"\s*(?=$|[&+])"

# How values of numbers seem to go on.
_GOING_ON = {
    "taken": rf"\s*(?:[-–—/]|to|until|till|bis)?\s*\d{{4}}(?:-\d{{1,2}}){{0,2}}(?=[\s&+]|$)|\s+(?:{_MONTHS})(?=\s|$)",
    "near": rf"\s+\d+(?:\.\d+)?{_END}|\s*[,;]\s*\d",
    "size": rf"\s*(?:[–—]|\bto\b)\s*\d|\s+-\s*\d[\d.,]*\s*{_UNIT}{_END}",
    "w": rf"\s*(?:[–—x×]|\bto\b)\s*\d|\s+-\s*\d[\d.,]*\s*{_UNIT}{_END}",
}
_GOING_ON["h"] = _GOING_ON["w"]


class Mistake(NamedTuple):
    """What is wrong, and how far from the beginning of what was looked at."""

    reason: str
    offset: int


def find_near_filter(token: str, following: str) -> str | None:
    """Why a word is nearly a filter; None when it is none.

    Args:
        following: the query behind it.
    """
    found = _NEARLY.fullmatch(token)
    if found is None:
        return None
    name, sign, value = found["name"].lower(), found["sign"], found["value"]
    is_apart = not value
    if is_apart and (separate := _SEPARATE.match((sign or "") + following)) is not None:
        sign, value = separate["sign"], separate["value"]
    if sign is None or not value or value[0] in "+&":
        return None
    key = name if name in KEYS else _OTHER_NAMES.get(name)
    if key is not None:
        return _find_known(name, key, sign, value, is_apart)
    return _find_unknown(name, value, is_apart) if sign in ":：" else None


def _find_known(name: str, key: str, sign: str, value: str, is_apart: bool) -> str | None:
    """`key`: of the filter that has this name, or another one elsewhere."""
    if key == "image":
        is_one = sign in ":：" and (has_picture_suffix(value) or PATH.match(value) is not None or value.isdecimal())
        return f"there is no {name}: did you mean image:cat.jpg, or id:42 by its number?" if is_one else None
    fits = _fits(key, value, is_apart)
    if sign not in ":：":
        return f"a filter has a colon: write {EXAMPLES[key]}" if fits and (key in SHAPES or sign == "=") else None
    if name == key:
        return f"no blank stands before the colon: write {EXAMPLES[key]}" if fits else None
    return _meant(name, key) if fits or not is_apart else None


def _find_unknown(name: str, value: str, is_apart: bool) -> str | None:
    if name in _ABSENT and not is_apart:
        return f"there is no {name}: but {', '.join(f'{known}:' for known in KEYS)}; words with a colon go in quotes"
    key = next((key for key in KEYS if _is_typo(name, key) and _fits(key, value, is_apart)), None)
    return None if key is None else _meant(name, key)


def find_going_on(key: str, raw: str, following: str) -> Mistake | None:
    """Why a value without quotes seems to go on behind the blank that ended it; None when it does not.

    Args:
        raw: the value as it was written.
        following: the query behind it.
    """
    if key in _GOING_ON:
        found = re.match(_GOING_ON[key], following, re.ASCII | re.IGNORECASE)
        if found is None or (key == "taken" and "." in raw and not re.match(r"\s*[-–—\d]", following)):
            return None
        offset = len(found[0]) - len(found[0].lstrip())
        return Mistake(f"{key}: seems to go on here: write {EXAMPLES[key]}; words go before it, or in quotes", offset)
    found = re.match(r"\s+(?P<next>\S+)(?P<others>.*)", following, re.DOTALL)
    if found is None or FILTER.match(found["next"]) or found["next"][0] in '+-&"“':
        return None
    word = found["next"]
    if key == "camera":
        goes_on = _SERIES.fullmatch(word) is not None
        if word.isdecimal() and re.match(r"\s+[^\W\d_A-Z]", found["others"]):
            goes_on = False  # "camera:canon 3 birds"
    else:
        goes_on = key == "path" and ("*" in word or (re.search(r"[/\\]", word) is not None and not PATH.match(word)))
    if not goes_on:
        return None
    return Mistake(
        f'{key}: seems to go on here: a value with blanks goes in quotes, as in {key}:"{raw} {word}", and words go '
        "before it, or in quotes",
        found.start("next"),
    )


def may_be_words(key: str, value: str) -> bool:
    """Whether, after other words, a name, its colon and a blank may belong to them, as in "the path: a story"."""
    return key in ("path", "camera") and not _fits(key, value, is_apart=True)


def why_no_operator(word: str) -> str:
    """What to write instead of one of `query.OPERATORS`."""
    instead = {
        "AND": "what must both hold has an & between, as in dog & snow",
        "NOT": "what is not wanted has a - before it, as in dog - snow",
    }.get(word, "there is no 'or': ask twice, or for a sum, as in dog + cat")
    return f"{instead}; words in capitals go in quotes"


def _meant(name: str, key: str) -> str:
    return f"there is no {name}: did you mean {key}:, as in {EXAMPLES[key]}? Words with a colon go in quotes"


def _fits(key: str, value: str, is_apart: bool) -> bool:
    """Whether it could be a value of the filter.

    Args:
        is_apart: there is a blank before it, as there often is behind a colon.
    """
    if key in SHAPES:
        return _NUMBER.match(value) is not None
    if key == "path":
        return not is_apart or _LIKE_A_PATH.search(value) is not None
    if key == "camera":
        return not is_apart
    try:
        parse_filter(key, value)
    except QueryError:
        return False
    return True


def _is_typo(word: str, key: str) -> bool:
    """Whether a letter is missing, doubled or swapped; of long names also another one: short words have neighbours."""
    return len(key) >= 4 and (
        word in _with_a_letter_less(key) or key in _with_a_letter_less(word) or _differ(word, key)
    )


def _with_a_letter_less(word: str) -> Iterator[str]:
    return (word[:place] + word[place + 1 :] for place in range(len(word)))


def _differ(word: str, key: str) -> bool:
    if len(word) != len(key):
        return False
    places = [place for place, (one, other) in enumerate(zip(word, key, strict=True)) if one != other]
    if len(places) == 2:
        first, second = places
        return second == first + 1 and word[first] == key[second] and word[second] == key[first]
    return len(places) == 1 and len(key) >= 5
