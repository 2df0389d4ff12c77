"""Terms, groups and filters of a parsed query, and their text form."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from clipsearch.query.filters import Filter, quoted
from clipsearch.query.operators import FIRST_WORDS, OPERATORS, OPERATORS_NEXT_TO_FILTERS
from clipsearch.query.tokens import find_concept, is_picture

TermKind: TypeAlias = Literal["words", "picture", "id", "concept"]


@dataclass(frozen=True, slots=True)
class Term:
    """Text or picture that pictures are compared with.

    Attributes:
        kind: words: `value` is a text for the model. picture: a path or URL. id: a content id, in digits, with the
            fragment of a part of it as in "42#t=83.5", see `content_id_of`.
            concept: the name of a taught concept, as folded by `concept_name`.
        value: never empty.
        weight: in the sum of its group; below 0 to exclude, never 0.
    """

    kind: TermKind
    value: str
    weight: float = 1.0

    def __str__(self) -> str:
        """Format the term without the sign of its weight."""
        weight = "" if abs(self.weight) == 1 else f"{abs(self.weight)!r}".removesuffix(".0") + ":"
        match self.kind:
            case "id":
                return f"{weight}id:{self.value}"
            case "concept":
                return f"{weight}@{self.value}"
            case "picture" if is_picture(self.value) and re.fullmatch(_PLAIN_PATH, self.value):
                return weight + self.value
            case "picture":
                return f"{weight}image:{quoted(self.value)}"
            case _:
                is_plain = _is_plain(self.value) and not (weight and not self.value[0].isalpha())
                return weight + (self.value if is_plain else quoted(self.value))


@dataclass(frozen=True, slots=True)
class Query:
    """Parsed query: groups of terms, and filters.

    Attributes:
        groups: a picture must match every group; the terms of a group are summed with their weights.
        filters: conditions on metadata, all of which must hold.
    """

    groups: tuple[tuple[Term, ...], ...] = ()
    filters: tuple[Filter, ...] = ()

    def __str__(self) -> str:
        """Format the query in the query language; `parse_query` returns an equal query."""
        groups = " & ".join(_group_text(group) for group in self.groups)
        # Before a filter, these words would be parsed as operators or as part of the filter's name.
        last_word = groups.rpartition(" ")[2].lower()
        is_ambiguous = bool(self.filters) and last_word in {*OPERATORS_NEXT_TO_FILTERS, *FIRST_WORDS}
        return " ".join([*([groups] if groups else []), *(["&"] if is_ambiguous else []), *map(str, self.filters)])


def content_id_of(value: str) -> int:
    """Return the content id of a term of the kind "id", whose value may have a part."""
    return int(value.partition("#")[0][:20])  # no id is longer


def words_query(text: str) -> Query:
    """Make a query of literal words; signs in them have no meaning."""
    return Query(((Term("words", text),),))


def picture_query(path: str) -> Query:
    """Make a query for pictures similar to the one at a path or URL."""
    return Query(((Term("picture", path),),))


# Characters that give a word a special meaning, and the pattern of a path that needs no quotes.
_SPECIAL = r'[\s:：<>=≤≥|"“”„]'
_PLAIN_PATH = r'(?:https?://)?[^\s:："“”„+\-&][^\s:："“”„]*'


def _is_plain(words: str) -> bool:
    """Return whether words need no quotes, as none of them has a special meaning."""
    return find_concept(words.partition(" ")[0]) is None and all(
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
