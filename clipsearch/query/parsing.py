"""Parse the text of a query into a `Query`."""

import re
from dataclasses import dataclass, field, replace

from clipsearch.errors import QueryError, QuerySyntaxError
from clipsearch.parts import FRAGMENT
from clipsearch.query.continuations import find_continuation
from clipsearch.query.file_names import FileNames, IsFile
from clipsearch.query.filters import MOST_FILTERS, Filter, match_shape, parse_filter, unquoted
from clipsearch.query.mistakes import find_near_filter, has_filter_inside, may_be_words
from clipsearch.query.operators import (
    NO_BRACKETS,
    OPERATORS,
    closes_bracket,
    explain_list,
    explain_operator,
    find_first_word,
    find_mistaken_operator,
    is_and_of_filters,
)
from clipsearch.query.syntax import Query, Term, TermKind
from clipsearch.query.tokens import (
    BLANKS,
    FILTER,
    LONE_SIGN,
    NUMBERED,
    PATH,
    QUOTED,
    TOKEN,
    VALUE,
    find_concept,
    is_picture,
)
from clipsearch.text import is_url

MOST_TERMS = 32
"""Upper limit of terms in one query: work is quadratic, as each is shown with the query without it."""

MOST_CHARACTERS = 100_000
"""Upper limit of the length of a query; long texts are encoded in chunks of about 300 characters."""

# Outside of this range one term would dominate the sum, or have no effect.
_MIN_WEIGHT, _MAX_WEIGHT = 0.001, 1_000.0
_WEIGHT = re.compile(r"\d{1,9}(?:\.\d{0,20})?|\.\d{1,20}", re.ASCII)


def parse_query(text: str, *, is_file: IsFile | None = None) -> Query:
    """Parse the text of a query.

    Args:
        is_file: tells existing files, so that any name of one is a picture, even with blanks and signs. Pass it only
            for callers who may read this machine's files. None: pictures are recognised by their syntax alone.

    Raises:
        QuerySyntaxError: the query is invalid or too long; has the position.
    """
    if len(text) > MOST_CHARACTERS:
        raise QuerySyntaxError(f"a query has up to {MOST_CHARACTERS:,} characters", text, MOST_CHARACTERS)
    reader = _Reader(text, is_file)
    reader.read()
    parts = reader.parts
    if not parts:
        raise QuerySyntaxError("the query is empty: say what to look for, as in 'a red car in the snow'", text, 0)
    groups: list[tuple[Term, ...]] = []
    terms: list[Term] = []
    sign: _Part | None = None
    has_filter = False
    for part in parts:
        if part.filter is not None:
            if sign is not None and sign.sign != "&":
                reason = "two signs one after the other" if part.filter.is_negated else _SIGN_BEFORE_FILTER[sign.sign]
                raise QuerySyntaxError(reason, text, sign.position)
            sign, has_filter = None, True
        elif part.term is not None:
            minus = -1 if sign is not None and sign.sign == "-" else 1
            terms.append(
                replace(part.term, value=" ".join(part.words) or part.term.value, weight=minus * part.term.weight)
            )
            sign = None
        elif part.sign == "&":
            # A filter applies to all groups, and may stand between them.
            if terms or sign is not None or not has_filter:
                groups.append(_group(terms, sign, text, part.position))
            terms, sign, has_filter = [], part, False
        elif sign is not None and sign.sign != "&":
            raise QuerySyntaxError("two signs one after the other", text, part.position)
        else:
            sign = part
    if terms or sign is not None:
        groups.append(_group(terms, sign, text, len(text)))
    return Query(tuple(groups), tuple(part.filter for part in parts if part.filter is not None))


def _group(terms: list[Term], sign: "_Part | None", text: str, end: int) -> tuple[Term, ...]:
    if sign is not None:
        raise QuerySyntaxError(f"nothing follows the {sign.sign}: words with signs go in quotes", text, sign.position)
    if not terms:
        raise QuerySyntaxError("nothing stands before the &: words with signs go in quotes", text, end)
    if all(term.weight < 0 for term in terms):
        raise QuerySyntaxError("only excluded terms: add one to search for, as in 'beach - people'", text, end)
    return tuple(terms)


def check_query(query: Query) -> None:
    """Check the limits of a query that was not made by `parse_query`.

    Raises:
        QueryError: it has too many terms or filters, or a weight out of range.
    """
    terms = [term for group in query.groups for term in group]
    if len(terms) > MOST_TERMS:
        raise QueryError(f"{_TOO_MANY_TERMS}, not {len(terms):,}")
    if len(query.filters) > MOST_FILTERS:
        raise QueryError(f"{_TOO_MANY_FILTERS}, not {len(query.filters):,}")
    for term in terms:
        if not _MIN_WEIGHT <= abs(term.weight) <= _MAX_WEIGHT:
            raise QueryError(f"{_WEIGHT_RANGE}, not {term.weight}")


_WEIGHT_RANGE = f"a weight lies between {_MIN_WEIGHT:g} and {_MAX_WEIGHT:g}, as in 0.5:cat"
_MISSING_BLANK = "a blank is missing before a filter, as in dog path:x type:png; words with a colon go in quotes"
_ID_FORM = "id: takes the number of a picture, as in id:42, or a part of it, as in id:42#t=83.5"
_TOO_MANY_TERMS = f"a query has up to {MOST_TERMS} terms"
_TOO_MANY_FILTERS = f"a query has up to {MOST_FILTERS} filters"

_SIGN_BEFORE_FILTER = {
    "-": "remove the blank between the - and the filter, as in -path:backup",
    "+": "a filter takes no +: it always applies",
}


@dataclass(slots=True)
class _Part:
    """Sign, filter, or term whose words are still being collected."""

    position: int
    sign: str = ""
    filter: Filter | None = None
    term: Term | None = None
    words: list[str] = field(default_factory=list)


class _Reader:
    """Parser of signs, terms and filters in their order."""

    def __init__(self, text: str, is_file: IsFile | None) -> None:
        self.parts: list[_Part] = []
        self._text = text
        self._files = FileNames(text, is_file)
        self._counts = {"terms": 0, "filters": 0}

    def read(self) -> None:
        text, position = self._text, 0
        operator: tuple[int, str] | None = None
        while position < len(text):
            if text[position].isspace():
                position += 1
                continue
            if (end := self._files.file_end(position)) and not self._files.is_minus(position):
                self._add_term(position, Term("picture", text[position:end]))
            elif (found := FILTER.match(text, position)) is not None:
                end = self._read_filter(found)
            elif (found := TOKEN.match(text, position)) is None:
                raise self._error("a quote that is not closed", position)
            elif found["sign"]:
                self.parts.append(_Part(position, sign=found[0][0]))
                end = found.end()
            elif found["word"] and (sign := self._read_operator(found)):
                self.parts.append(_Part(position, sign=sign))
                end = found.end()
            else:
                is_between = bool(self.parts or found[0] == "NOT") and self._after_blanks(found.end()) < len(text)
                if operator is None and found[0] in OPERATORS and is_between:
                    operator = position, found[0]
                term, end = self._read_term(found[0], position, is_first=self._words_before() is None)
                self._add_term(position, term)
            position = end
        others = " ".join(word for part in self.parts for word in part.words if word not in OPERATORS)
        if operator is not None and others != others.upper():
            raise self._error(explain_operator(operator[1]), operator[0])

    def _read_operator(self, found: re.Match[str]) -> str:
        """Return the sign that an operator next to a filter stands for; empty for words."""
        word, following = found[0], self._text[found.end() : found.end() + 100]
        follows_filter = bool(self.parts) and self.parts[-1].filter is not None
        if is_and_of_filters(word, following, follows_filter=follows_filter):
            return "&"
        reason = find_mistaken_operator(word, following, follows_filter=follows_filter)
        if reason is not None:
            raise self._error(reason, found.start())
        return ""

    def _error(self, reason: str, position: int) -> QuerySyntaxError:
        return QuerySyntaxError(reason, self._text, position)

    def _words_before(self) -> _Part | None:
        """Return the part that following words belong to, skipping filters; None after a sign or a picture."""
        last = next((part for part in reversed(self.parts) if part.filter is None), None)
        return last if last is not None and last.term is not None and last.term.kind == "words" else None

    def _add_term(self, position: int, term: Term) -> None:
        before = self._words_before()
        if term.kind == "words" and before is not None:
            # Quotes only escape signs; quoted words still belong to the same text.
            before.words.append(term.value)
            return
        self._counts["terms"] += 1
        if self._counts["terms"] > MOST_TERMS:
            raise self._error(_TOO_MANY_TERMS, position)
        self.parts.append(_Part(position, term=term, words=[term.value] if term.kind == "words" else []))

    def _after_blanks(self, position: int) -> int:
        found = BLANKS.match(self._text, position)
        return position if found is None else found.end()

    # ------------------------------------------------------------------ filters

    def _read_filter(self, found: re.Match[str]) -> int:
        """Parse a filter and return its end."""
        text, start, key = self._text, found.start(), found["key"].lower()
        begin = self._after_blanks(found.end())
        if (reason := find_first_word(key, text[max(0, start - 20) : start])) is not None:
            raise self._error(reason, start)
        value = match_shape(key, text, begin)
        if value is None:
            if (
                begin == len(text)
                or LONE_SIGN.match(text, begin)
                or (begin > found.end() and FILTER.match(text, begin))
            ):
                raise self._error(f"{key}: has no value", start)
            value = VALUE.match(text, begin)
        if value is None:
            raise self._error("a quote that is not closed", begin)
        if text[value.end() : value.end() + 1] == '"':
            raise self._error("a quote that is not closed", value.end())
        raw = value[0]
        try:
            parsed = parse_filter(key, _without_quotes(raw), is_negated=found["minus"] is not None)
        except QueryError as error:
            hint = "; words with a colon go in quotes" if begin > found.end() else ""
            raise self._error(f"{explain_list(key, raw) or error}{hint}", start) from error
        if not re.search(QUOTED, raw, re.DOTALL):
            self._check_plain(key, raw, found, value.end(), is_apart=begin > found.end())
        self._counts["filters"] += 1
        if self._counts["filters"] > MOST_FILTERS:
            raise self._error(_TOO_MANY_FILTERS, start)
        self.parts.append(_Part(start, filter=parsed))
        return value.end()

    def _check_plain(self, key: str, raw: str, found: re.Match[str], end: int, *, is_apart: bool) -> None:
        """Reject a value without quotes that may continue, or may not be a filter at all.

        Args:
            found: match of the filter's name.
            end: end of the value.
            is_apart: a blank stands between the colon and the value.
        """
        start = found.start()
        if key == "camera" and re.search(r"\w\+\w", raw):
            raise self._error(f'camera: names with blanks go in quotes, as in camera:"{raw.replace("+", " ")}"', start)
        if key in ("path", "camera"):
            if (reason := explain_list(key, raw)) is not None:
                raise self._error(reason, start)
            if (sign := re.match("[<>=:'‘’`«]+", raw)) is not None:
                raise self._error(f'{key}: takes a name, in quotes such as " where {sign[0]} is part of it', start)
            if has_filter_inside(raw):
                raise self._error(_MISSING_BLANK, start)
        if closes_bracket(self._text[:start], raw):
            raise self._error(NO_BRACKETS, end - 1)
        mistake = find_continuation(
            key,
            raw,
            self._text[end : end + 300],
            is_file=lambda offset: self._files.file_end(end + offset) > 0,
        )
        if mistake is not None:
            raise self._error(mistake.reason, end + mistake.offset)
        if is_apart and may_be_words(key, raw):
            raise self._error(f"write {key}:{raw}, without a blank; words with a colon go in quotes", start)

    # ------------------------------------------------------------------ terms

    def _read_term(self, token: str, position: int, *, is_first: bool) -> tuple[Term, int]:
        """Parse a term and return it with its end.

        Args:
            is_first: no words stand before it, so that it may begin with a weight.
        """
        weight = 1.0
        numbered = NUMBERED.match(token) if is_first else None
        if numbered is not None:
            rest = token[numbered.end() :]
            is_year = re.fullmatch(r"[12]\d{3}", numbered["number"]) is not None
            is_followed = self._after_blanks(position + len(token)) < len(self._text)
            if not rest and numbered["number"][-1].isdigit() and is_followed and not is_year:
                raise self._error(
                    "remove the blank after the colon of the weight, as in 2:cat; words with a colon go in quotes",
                    position,
                )
            if _is_weighted(numbered["number"], rest):
                weight = self._weight(numbered["number"], position)
                token, position = rest, position + numbered.end()
                if end := self._files.file_end(position):
                    return Term("picture", self._text[position:end], weight), end
        if is_first and (concept := find_concept(token)) is not None:
            return Term("concept", concept, weight), position + len(token)
        kind_and_value, end = self._read_what(token, position)
        return Term(*kind_and_value, weight), end

    def _weight(self, number: str, position: int) -> float:
        weight = float(number) if _WEIGHT.fullmatch(number) else 0.0
        if not _MIN_WEIGHT <= weight <= _MAX_WEIGHT:
            raise self._error(_WEIGHT_RANGE, position)
        return weight

    def _read_what(self, token: str, position: int) -> tuple[tuple[TermKind, str], int]:
        end = position + len(token)
        if re.fullmatch(QUOTED, token, re.DOTALL):
            words = unquoted(token)
            if not words.strip():
                raise self._error("the quotes are empty", position)
            return ("words", words), end
        if FILTER.match(token):
            raise self._error("a filter takes no weight", position)
        named = re.match(r"((?ai:id|image))[:：]", token)
        if named is not None:
            found = self._read_named(named[1].lower(), token[named.end() :], position, end)
            if found is not None:
                return found
        if not is_url(token):
            problem = find_near_filter(token, self._text[end : end + 300])
            if problem is not None:
                raise self._error(problem, position)
            if not PATH.match(token) and has_filter_inside(token):
                raise self._error(_MISSING_BLANK, position)
        if is_picture(token):
            end = self._files.picture_end(position, end)
            return ("picture", self._text[position:end]), end
        return ("words", token), end

    def _read_named(self, name: str, value: str, position: int, end: int) -> tuple[tuple[TermKind, str], int] | None:
        """Parse what `id:` or `image:` names and return it with its end; None when it is a word with a colon."""
        text = self._text
        if not value:
            begin = self._after_blanks(end)
            following = VALUE.match(text, begin)
            value = following[0] if following is not None and not LONE_SIGN.match(text, begin) else ""
            is_one = value.isdecimal() if name == "id" else is_picture(_without_quotes(value))
            is_one = is_one or (name == "image" and self._files.file_end(begin) > 0)
            if value and not is_one:
                return None
            end = begin + len(value)
        if name == "id":
            found = re.fullmatch(rf"([0-9]{{1,18}})(#(?:{FRAGMENT}))?", value, re.ASCII)
            if found is None:
                raise self._error(_ID_FORM, position)
            if re.match(r"\s*[,;]?\s*\d+\s*(?:$|[&+])", text[end : end + 100], re.ASCII):
                raise self._error(f"{_ID_FORM}; several are added, as in id:42 + id:43", position)
            return ("id", f"{int(found[1])}{found[2] or ''}"), end
        if not value:
            raise self._error("image: takes the path of a picture", position)
        begin = end - len(value)
        if file_end := self._files.file_end(begin):
            return ("picture", text[begin:file_end]), file_end
        longer = self._files.picture_end(begin, end, is_named=True)
        if longer > end:
            raise self._error(f'a name with blanks goes in quotes, as in image:"{text[begin:longer]}"', position)
        path = _without_quotes(value)
        if not path.strip():
            raise self._error("image: takes the path of a picture", position)
        return ("picture", path), end


def _is_weighted(number: str, rest: str) -> bool:
    """Return whether a number with a colon is a weight, not a ratio, a time or an emoticon."""
    if not rest or not re.search(r"[^\W_]|[^\x00-\x7f]|[\"/\\~]", rest):
        return False
    return not rest[0].isdigit() or is_picture(rest)


def _without_quotes(value: str) -> str:
    return re.sub(QUOTED, lambda found: unquoted(found[0]), value, flags=re.DOTALL)
