"""What a query is, and how it is written."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from clipsearch.query.filters import Filter, quoted
from clipsearch.query.operators import BESIDE_FILTERS, FIRST_WORDS, OPERATORS
from clipsearch.query.tokens import is_picture

TermKind: TypeAlias = Literal["words", "picture", "id"]


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
            case "picture" if is_picture(self.value) and re.fullmatch(_PLAIN_PATH, self.value):
                return weight + self.value
            case "picture":
                return f"{weight}image:{quoted(self.value)}"
            case _:
                is_plain = _is_plain(self.value) and not (weight and not self.value[0].isalpha())
                return weight + (self.value if is_plain else quoted(self.value))


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
        # Beside a filter they would be something else.
        is_near = bool(self.filters) and groups.rpartition(" ")[2].lower() in {*BESIDE_FILTERS, *FIRST_WORDS}
        return " ".join([*([groups] if groups else []), *(["&"] if is_near else []), *map(str, self.filters)])


def words_query(text: str) -> Query:
    """Words as they are, whatever signs are among them."""
    return Query(((Term("words", text),),))


def picture_query(path: str) -> Query:
    return Query(((Term("picture", path),),))


# Of a word that could mean something else, and of a path that goes without quotes.
_SPECIAL = r'[\s:：<>=≤≥|"“”„]'
_PLAIN_PATH = r'(?:https?://)?[^\s:："“”„+\-&][^\s:："“”„]*'


def _is_plain(words: str) -> bool:
    """Whether they mean themselves without quotes."""
    return all(
        word
        and word[0] not in "+-&!"
        and word not in OPERATORS
        and not re.search(_SPECIAL, word)
        and not is_picture(word)
        for word in words.split(" ")
    )


def _group_text(group: tuple[Term, ...]) -> str:
    first, *others = group
    signs = [f"{'-' if term.weight < 0 else '+'} {term}" for term in others]
    return " ".join([f"{'- ' if first.weight < 0 else ''}{first}", *signs])
