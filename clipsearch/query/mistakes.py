"""Detect words that are a near-miss of a filter, and suggest the filter instead of searching for the words."""

import re

from clipsearch.errors import QueryError
from clipsearch.formats import TEXT_KINDS
from clipsearch.query.filters import EXAMPLES, KEYS, NAMED_FORM, SHAPES, SHORTHANDS, WRITTEN, parse_filter
from clipsearch.query.names import (
    LIMITS,
    OTHER_NAMES,
    RIGHT_FORMS,
    find_typo,
    find_unsupported,
    no_such_filter,
    normalise_name,
    write_alone,
)
from clipsearch.query.tokens import PATH, QUOTED, has_picture_suffix

_NAME = re.compile(r"[(\[{]*(?P<name>[^\W\d_][\w-]{0,20})")
_SIGNED = re.compile(
    rf"(?P<before>\s*)(?P<sign>[:：]|[<>!=]=|=[<>]|[<>=≤≥])(?P<behind>\s*)"
    rf"(?P<limit>(?:[<>]=?|=[<>]?|[≤≥])?)(?P<gap>\s*)(?P<value>(?:{QUOTED}|\S)+)",
    re.DOTALL,
)
_AS_LIMITS = {"=>": ">=", "=<": "<=", "≥": ">=", "≤": "<=", "==": "", "!=": "", "=": "", ":": "", "：": ""}

_NUMBER = re.compile(r'["“+\-.]*\d')
# After a blank, where "from: 9 to 5" and "place: 5th avenue" are words.
_NUMBER_APART = {
    "taken": re.compile(r'["“.]*(?:\d{4}|\d{1,2}[-/.]\d)'),
    "near": re.compile(r'["“+\-]*\d+(?:\.\d|,)'),
    "map": re.compile(r'["“]*[\d.]+,'),
}
_LIKE_A_PATH = re.compile(r"[/\\*\d]|\.\w{2,5}$")
_ORDERS = re.compile(r"date|time|taken|newest|oldest|latest|name|size|relevance|random|(?:asc|desc)\w*", re.IGNORECASE)
_INSIDE = re.compile(
    rf"(?<!\w)(?ai:(?:{'|'.join(key for key in KEYS if key not in SHAPES and key != 'kind')})[:：]\S"
    rf"|(?:{'|'.join(SHAPES)})[:：][<>=.]*\d|(?ai:{NAMED_FORM})[:：])"
)
_YES = re.compile(r"(?:yes|true|y|1|any|\*)", re.IGNORECASE)
_BRANDS = re.compile(
    r"(?:apple|canon|casio|dji|epson|fuji(?:film)?|gopro|hasselblad|htc|huawei|iphone|kodak|konica|leica|lumix|minolta"
    r"|motorola|nikon|nokia|olympus|oneplus|panasonic|pentax|ricoh|samsung|sigma|sony|xiaomi)",
    re.IGNORECASE,
)


def find_near_filter(token: str, following: str) -> str | None:
    """Explain a near-miss of a filter; None when the token is words.

    Args:
        following: the query after the token.
    """
    named = _NAME.match(token)
    rest = "" if named is None else token[named.end() :] + following
    signed = _SIGNED.match(rest)
    if named is None or signed is None or (signed["value"][0] in "+&" and len(signed["value"]) == 1):
        return None
    name, sign, value = normalise_name(named["name"]), signed["sign"], signed["value"]
    if token[0] in "([{":
        value = value.rstrip(")]}") or value
    limit = _AS_LIMITS.get(sign, sign) or _AS_LIMITS.get(signed["limit"], signed["limit"])
    is_apart = bool(signed["before"] or signed["behind"] or (signed["gap"] and not signed["limit"]))
    key = _key_of(name, value)
    if name == "is" and value.lower() in SHORTHANDS:
        return f"write is:{value.lower()}, without a blank; words with a colon go in quotes"
    if name == "is" and not _is_value("orientation", value):
        key = None
    if key == "kind" and sign in ":：" and not is_apart:
        return f"kind: takes {', '.join(TEXT_KINDS[:-1])} or {TEXT_KINDS[-1]}, not {value[:40]}"
    if key == "image" or (name in ("id", "image") and sign not in ":："):
        return _find_picture(named["name"], sign, value, is_apart)
    if key is not None:
        return _find_known(named["name"], key, sign, limit, value, is_apart)
    return _find_unknown(named["name"], sign, limit, value, is_apart, is_last=signed.end() == len(rest.rstrip()))


def _key_of(name: str, value: str) -> str | None:
    """Return the key of a filter by its name here or in other programs, where "kind:" stands for the type, too."""
    if name == "kind" and _is_value("type", value):
        return "type"
    return name if name in KEYS else OTHER_NAMES.get(name)


def has_filter_inside(token: str) -> bool:
    """Return whether a token contains a filter without a blank before it, as in "dog,path:x" or "path:x;type:png"."""
    return _INSIDE.search(token, 1) is not None


def may_be_words(key: str, value: str) -> bool:
    """Return whether a filter's name, its colon and a blank may be words, as in "the path: a story"."""
    return key in ("path", "camera", *WRITTEN) and not _fits(key, key, value, is_apart=True)


def _find_picture(name: str, sign: str, value: str, is_apart: bool) -> str | None:
    """Explain a near-miss of `id:` or `image:`, such as `id=5` or `photo:x.jpg`; None when it is words."""
    is_one = has_picture_suffix(value) or PATH.match(value) is not None or value.isdecimal()
    if sign in ":：":
        if is_one:
            return f"there is no {name}: did you mean image:cat.jpg, or id:42 by its number?"
        return None if is_apart else write_alone(name, value)
    if not is_one or sign[0] in "<>!≤≥":
        return None
    return "a picture's name has a colon: write image:cat.jpg, or id:42 by its number"


def _find_known(name: str, key: str, sign: str, limit: str, value: str, is_apart: bool) -> str | None:
    """Explain a near-miss of the filter `key`, whose name, here or in other programs, is `name`."""
    plain = normalise_name(name)
    fits = _fits(plain, key, value, is_apart=is_apart)
    if sign not in ":：":
        # "camera = canon" is not a sentence, whatever the value.
        fits = fits or (plain == key and key in ("path", "camera") and (sign[0] in "=!" or not is_apart))
        is_filter = fits and (key in SHAPES or sign[0] in "=!" or (plain == key and key in ("path", "camera")))
        minus = "-" if sign == "!=" else ""
        return f"a filter has a colon: write {minus}{_form(plain, key, limit, value)}" if is_filter else None
    if plain == key:
        return f"remove the blank before the colon: write {_form(plain, key, limit, value)}" if fits else None
    return _did_you_mean(name, key, limit, value) if fits or not is_apart else None


def _find_unknown(name: str, sign: str, limit: str, value: str, is_apart: bool, *, is_last: bool) -> str | None:
    plain = normalise_name(name)
    is_number = _NUMBER.match(value) is not None
    key = _find_typo(plain, limit, value, is_apart)
    if key is not None:
        return _did_you_mean(name, key, limit, value)
    if sign not in ":：" and (is_apart or not is_number):
        return None
    if not is_apart or (is_last and (is_number or (plain.startswith("sort") and _ORDERS.fullmatch(value)))):
        reason = find_unsupported(plain, value)
        if reason is not None:
            return reason
    if sign not in ":：":
        return None
    if not is_apart and limit and is_number:
        return no_such_filter(name)
    is_path = not is_apart and "*" in value and has_picture_suffix(value)
    return _did_you_mean(name, "path", "", value) if is_path else None


def _find_typo(name: str, limit: str, value: str, is_apart: bool) -> str | None:
    """Find the filter whose name, here or in other programs, this is a typo of."""
    for other in find_typo(name):
        key = _key_of(other, value)
        if key is None:
            continue
        # "math:x" is not a typo of path, nor "makers:mark" of a name of camera.
        is_other_letter = other not in KEYS or (
            key in ("path", *WRITTEN) and len(name) == len(other) and sorted(name) != sorted(other)
        )
        if _is_likely(key, limit, value, is_apart or is_other_letter):
            return key
    return None


def _did_you_mean(name: str, key: str, limit: str, value: str) -> str:
    form = _form(normalise_name(name), key, limit, value)
    return f"there is no {name}: did you mean {form}? Words with a colon go in quotes"


def _form(name: str, key: str, limit: str, value: str) -> str:
    """Format the correct filter: with the user's value when only the name was wrong, else with an example."""
    if key == "near" and _YES.fullmatch(value):
        return "has:gps"
    if OTHER_NAMES.get(name) == "has":
        return "has:gps" if name == "hasgps" else f"-has:{value if _is_value('has', value) else 'gps'}"
    if name in RIGHT_FORMS:
        return RIGHT_FORMS[name]
    limit = (limit or LIMITS.get(name, "")) if key in SHAPES else ""
    if len(value) <= 40 and value.isprintable():
        try:
            parse_filter(key, re.sub(r'^"(.*)"$', r"\1", limit + value))
        except QueryError:
            pass
        else:
            return f"{key}:{limit}{value}"
    return f"{key}:, as in {EXAMPLES[key]}"


def _fits(name: str, key: str, value: str, *, is_apart: bool) -> bool:
    """Return whether a text could be a value of the filter.

    Args:
        is_apart: a blank stands before it, as often after a colon in a sentence.
    """
    if key in SHAPES:
        form = _NUMBER_APART.get(key, _NUMBER) if is_apart and name not in ("day", "month") else _NUMBER
        return form.match(value) is not None
    if key == "path":
        return not is_apart or _LIKE_A_PATH.search(value) is not None
    if key in WRITTEN:
        return not is_apart
    if key == "camera":
        return not is_apart or _BRANDS.fullmatch(value) is not None
    return _is_value(key, value)


def _is_likely(key: str, limit: str, value: str, is_apart: bool) -> bool:
    """Return whether a text is very likely a value of the filter, whose name has a typo."""
    if key in ("path", "camera", "image", *WRITTEN):
        return key != "image" and _fits(key, key, value, is_apart=is_apart)
    if not _is_value(key, limit + value):
        return False
    return key in ("taken", "near") or key not in SHAPES or bool(limit) or re.fullmatch(r"\d+", value) is None


def _is_value(key: str, value: str) -> bool:
    try:
        parse_filter(key, value)
    except QueryError:
        return False
    return True
