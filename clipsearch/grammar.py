"""The language of queries: from what is written to what is meant, and back.

    query   =  group { "&" group }               all of them must hold
    group   =  [ sign ] term { sign term }       a weighted sum
    sign    =  "+" | "-"                         where a word begins: "rock-n-roll" is one word
    term    =  [ weight ":" ] what
    what    =  words  |  "words"  |  path or URL of a picture  |  image:PATH  |  id:NUMBER
    filter  =  [ "-" ] key ":" value             anywhere among them; see `filters`

Nothing is looked up here: whether a picture is there is seen when it is read.
"""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from clipsearch.errors import QueryError, QuerySyntaxError
from clipsearch.filters import KEYS, Filter, parse_filter, quoted, unquoted
from clipsearch.texts import is_url

TermKind: TypeAlias = Literal["words", "picture", "id"]

# Beyond them one term would decide alone, or count for nothing.
_MIN_WEIGHT, _MAX_WEIGHT = 0.001, 1_000.0

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(rf"(?P<sign>[+\-&])|(?P<quoted>{_QUOTED})|(?P<word>[^\s\"](?:{_QUOTED}|[^\s\"])*)", re.DOTALL)
_FILTER = re.compile(
    rf"(?P<minus>-?)(?P<key>{'|'.join(KEYS)}):(?P<value>{_QUOTED}|[^\s\"]\S*)", re.DOTALL | re.IGNORECASE
)
_KEY = re.compile(r"([^\W\d_]{2,}):(?=\S)")
_WEIGHT = re.compile(r"(\d{1,9}(?:\.\d{0,20})?|\.\d{1,20}):(?=\S)", re.ASCII)
_PATH = re.compile(r"\.{0,2}[/\\]\S|~[^\s/\\]*[/\\]\S|[A-Za-z]:[/\\]\S|https?://\S", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that pictures are compared with.

    Attributes:
        kind: words: `value` is a text for the model. picture: a path or URL. id: the number of a content, in digits.
        value: never empty.
        weight: in the sum of its group; below 0 for what is not wanted, never 0.
    """

    kind: TermKind
    value: str
    weight: float = 1.0

    def __str__(self) -> str:
        """Without the sign of the weight."""
        weight = "" if abs(self.weight) == 1 else f"{abs(self.weight)!r}".removesuffix(".0") + ":"
        match self.kind:
            case "id":
                return f"{weight}id:{self.value}"
            case "picture" if _is_picture(self.value) and not re.search(r'[\s"]', self.value):
                return weight + self.value
            case "picture":
                return f"{weight}image:{quoted(self.value)}"
            case _:
                return weight + (self.value if _is_plain(self.value) else quoted(self.value))


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for.

    Attributes:
        groups: a picture must fit every one of them; the terms of one are summed up by their weights.
        filters: what a picture must be like, whatever it shows.
    """

    groups: tuple[tuple[Term, ...], ...] = ()
    filters: tuple[Filter, ...] = ()

    def __str__(self) -> str:
        """In the language: `parse_query` makes the same of it."""
        groups = " & ".join(_group_text(group) for group in self.groups)
        return " ".join([*([groups] if groups else []), *map(str, self.filters)])


def words_query(text: str) -> Query:
    """Words as they are, whatever signs are among them."""
    return Query(((Term("words", text),),))


def picture_query(path: str) -> Query:
    return Query(((Term("picture", path),),))


@dataclass(slots=True)
class _Part:
    """A sign, or a term whose words are still being collected."""

    position: int
    sign: str = ""
    term: Term | None = None


def parse_query(text: str) -> Query:
    """
    Raises:
        QuerySyntaxError: it can't be understood; says where.
    """
    parts, filters = _read(text)
    if not parts and not filters:
        raise QuerySyntaxError("the query is empty: say what to look for, as in 'a red car in the snow'", text, 0)
    groups: list[tuple[Term, ...]] = []
    terms: list[Term] = []
    sign: _Part | None = None
    for part in parts:
        if part.term is not None:
            minus = -1 if sign is not None and sign.sign == "-" else 1
            terms.append(Term(part.term.kind, part.term.value, minus * part.term.weight))
            sign = None
        elif part.sign == "&":
            groups.append(_group(terms, sign, text, part.position))
            terms, sign = [], part
        elif sign is not None and sign.sign != "&":
            raise QuerySyntaxError("two signs one after the other", text, part.position)
        else:
            sign = part
    if parts:
        groups.append(_group(terms, sign, text, len(text)))
    return Query(tuple(groups), tuple(filters))


def _group(terms: list[Term], sign: _Part | None, text: str, end: int) -> tuple[Term, ...]:
    if sign is not None:
        raise QuerySyntaxError(f"nothing follows the {sign.sign}: words with signs go in quotes", text, sign.position)
    if not terms:
        raise QuerySyntaxError("nothing stands before the &: words with signs go in quotes", text, end)
    if all(term.weight < 0 for term in terms):
        raise QuerySyntaxError("only what is not wanted: say what is, as in 'beach - people'", text, end)
    return tuple(terms)


def _read(text: str) -> tuple[list[_Part], list[Filter]]:
    """Signs and terms in their order, and the filters that stood among them."""
    parts: list[_Part] = []
    filters: list[Filter] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        found = _FILTER.match(text, position)
        if found is not None:
            filters.append(_filter(found, text))
            position = found.end()
            continue
        found = _TOKEN.match(text, position)
        if found is None:
            raise QuerySyntaxError("a quote that is not closed", text, position)
        token, last = found[0], parts[-1] if parts else None
        if found["sign"]:
            parts.append(_Part(position, sign=token))
        else:
            term = _term(token, text, position, is_first=last is None or last.term is None or last.term.kind != "words")
            if last is not None and last.term is not None and last.term.kind == term.kind == "words":
                # Quotes only keep signs from being understood.
                last.term = Term("words", f"{last.term.value} {term.value}", last.term.weight)
            else:
                parts.append(_Part(position, term=term))
        position = found.end()
    return parts, filters


def _filter(found: re.Match[str], text: str) -> Filter:
    value = found["value"]
    try:
        return parse_filter(
            found["key"].lower(),
            unquoted(value) if value.startswith('"') else value,
            is_negated=found["minus"] != "",
        )
    except QueryError as error:
        raise QuerySyntaxError(str(error), text, found.start()) from error


def _term(token: str, text: str, position: int, *, is_first: bool) -> Term:
    """`is_first`: no words stand before it, so that what looks like a weight is one."""
    weight = 1.0
    weighed = _WEIGHT.match(token) if is_first else None
    if weighed is not None:
        weight = float(weighed[1])
        if not _MIN_WEIGHT <= weight <= _MAX_WEIGHT:
            raise QuerySyntaxError(f"a weight lies between {_MIN_WEIGHT:g} and {_MAX_WEIGHT:g}", text, position)
        token, position = token[weighed.end() :], position + weighed.end()
    if token.startswith('"') and re.fullmatch(_QUOTED, token, re.DOTALL):
        words = unquoted(token)
        if not words.strip():
            raise QuerySyntaxError("nothing stands between the quotes", text, position)
        return Term("words", words, weight)
    key = _KEY.match(token)
    if key is not None and not is_url(token):
        name, value = key[1].lower(), token[key.end() :]
        if name == "id":
            if not re.fullmatch("[0-9]{1,18}", value):
                raise QuerySyntaxError("id: takes the number of a picture, as in id:42", text, position)
            return Term("id", str(int(value)), weight)
        if name == "image":
            path = unquoted(value) if value.startswith('"') else value
            if not path:
                raise QuerySyntaxError("image: takes the path of a picture", text, position)
            return Term("picture", path, weight)
        if name in KEYS:
            raise QuerySyntaxError("a filter takes no weight", text, position)
        known = ", ".join(f"{known}:" for known in KEYS)
        raise QuerySyntaxError(f"there is no {name}: but {known}; words with a colon go in quotes", text, position)
    return Term("picture" if _is_picture(token) else "words", token, weight)


def _is_picture(token: str) -> bool:
    """Whether it is written as the path or URL of a picture."""
    if _PATH.match(token):
        return True
    _, dot, suffix = token.rpartition(".")
    if not dot:
        return False
    from clipsearch.images.find import IMAGE_SUFFIXES

    return f".{suffix.lower()}" in IMAGE_SUFFIXES


def _is_plain(words: str) -> bool:
    """Whether they mean themselves without quotes."""
    return all(
        word and word[0] not in "+-&" and not re.search(r'[\s":]', word) and not _is_picture(word)
        for word in words.split(" ")
    )


def _group_text(group: tuple[Term, ...]) -> str:
    first, *others = group
    signs = [f"{'-' if term.weight < 0 else '+'} {term}" for term in others]
    return " ".join([f"{'- ' if first.weight < 0 else ''}{first}", *signs])
