"""Rewrite the plain words of a query: phrases become filters and minus terms of the query language."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from clipsearch.errors import QuerySyntaxError
from clipsearch.query.file_names import IsFile
from clipsearch.query.filters import quoted
from clipsearch.query.parsing import parse_query
from clipsearch.query.phrases.absence import find_absence, is_people, may_be_absence
from clipsearch.query.phrases.context import Context
from clipsearch.query.phrases.dates import find_date, is_closed
from clipsearch.query.phrases.file_facts import MAKERS, FoundFilter, find_camera, find_kind
from clipsearch.query.phrases.people import find_people, is_word
from clipsearch.query.phrases.places import find_place
from clipsearch.query.phrases.plain_runs import find_plain_runs
from clipsearch.query.phrases.ratings import find_rating
from clipsearch.query.phrases.this_day import find_this_day
from clipsearch.query.phrases.words import GENERIC, Word, split_words
from clipsearch.query.syntax import Query, Term
from clipsearch.query.times import on_this_day

# Longer texts are descriptions, not questions.
_MOST_CHARACTERS, _MOST_WORDS = 400, 40

# Each is offered with the query that it would make.
_MOST_PHRASES = 6


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of a query that mean a filter or something to exclude.

    Attributes:
        text: as they were written.
        meaning: in the query language: "taken:2023-07", "- people".
        is_applied: False: they stay words, as they may be part of the picture, and the meaning is offered.
        other: the query with the other choice for them: as words in quotes, or with the meaning applied.
    """

    text: str
    meaning: str
    is_applied: bool
    other: str


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a query means.

    Attributes:
        query: with the phrases that are applied.
        text: of it in the query language: the one that was written, if nothing is applied.
        phrases: in their order.
    """

    query: Query
    text: str
    phrases: tuple[Phrase, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """Phrase at a place of the text: filters of one key, or things and filters to exclude."""

    start: int
    end: int
    filter: str = ""
    things: tuple[str, ...] = ()
    is_sure: bool = True

    @property
    def key(self) -> str:
        return self.filter.removeprefix("-").partition(":")[0]

    @property
    def meaning(self) -> str:
        return " ".join([*(f"- {Term('words', thing)}" for thing in self.things), *filter(None, (self.filter,))])


def understand(text: str, context: Context, *, is_file: IsFile | None = None) -> Understanding:
    """Parse a query, with the meaning of phrases among its plain words.

    What stands in quotes, filters, and queries with terms of another kind than words are taken as they are.

    Args:
        is_file: as in `parse_query`.

    Raises:
        QuerySyntaxError: as `parse_query`, with positions in this text.
    """
    query = parse_query(text, is_file=is_file)
    if len(text) > _MOST_CHARACTERS or any(term.kind != "words" for group in query.groups for term in group):
        return Understanding(query, text)
    found = _find_phrases(text, query, context)
    applied = [each for each in found if each.is_sure]
    understood = _rewrite(text, applied, is_file)
    if understood is None:  # without anything wanted, nothing can be excluded
        found = [each for each in found if not each.things]
        applied = [each for each in found if each.is_sure]
        understood = _rewrite(text, applied, is_file)
    if understood is None:
        return Understanding(query, text)
    phrases = []
    for each in found:
        if each.is_sure:
            other = text[: each.start] + quoted(text[each.start : each.end]) + text[each.end :]
        else:
            rewritten = _rewrite(text, sorted([*applied, each], key=lambda one: one.start), is_file)
            if rewritten is None:
                continue
            other = rewritten[1]
        phrases.append(Phrase(text[each.start : each.end], each.meaning, each.is_sure, other))
    return Understanding(*understood, tuple(phrases))


def _find_phrases(text: str, query: Query, context: Context) -> list[_Found]:
    runs = find_plain_runs(text)
    with_absence = not runs.has_signs
    keys = {each.key for each in query.filters}
    found: list[_Found] = []
    for start, end in runs.spans:
        words = split_words(text, start, end)
        if len(words) <= _MOST_WORDS:
            found += _of_words(words, text, context, with_absence=with_absence)
            found += _of_chinese(text, start, end, context, with_absence=with_absence)
    # A filter that was written says more than words that mean another one.
    kept = [each for each in found if each.key not in keys]
    if any(each.key == "taken" for each in kept) and not context.find_whether_dated():
        kept = [each for each in kept if each.key != "taken"]
    return _with_one_of_each(_without_overlaps(kept)[:_MOST_PHRASES])


def _of_chinese(text: str, start: int, end: int, context: Context, *, with_absence: bool) -> Iterator[_Found]:
    if not any("\u4e00" <= each <= "\u9fff" for each in text[start:end]):
        return
    from clipsearch.query.phrases.chinese import find_chinese  # its patterns take 10 ms to compile

    for each in find_chinese(text, start, end, today=context.today):
        if each.is_this_day:
            yield _Found(each.start, each.end, on_this_day(context.today))
        elif each.date is not None:
            yield _Found(each.start, each.end, f"taken:{each.date}")
        elif with_absence:
            yield _Found(each.start, each.end, things=(each.thing,))
    from clipsearch.query.phrases.chinese_facts import find_chinese_facts

    for fact in find_chinese_facts(text, start, end, context):
        yield _Found(fact.start, fact.end, fact.filter, is_sure=fact.is_sure)


def _of_words(words: Sequence[Word], text: str, context: Context, *, with_absence: bool) -> Iterator[_Found]:
    is_start = bool(words) and not text[: words[0].start].strip()
    at = 0
    while at < len(words):
        count, found = _filter_at(words, at, context)
        if found is None and with_absence:
            count, found = _absence_at(words, at, text, context, is_start=is_start)
        if found is not None:
            yield found
        at += count


def _filter_at(words: Sequence[Word], at: int, context: Context) -> tuple[int, _Found | None]:
    """Find a filter at a word, and how many words it takes: 1 for none."""
    found = _candidates(words, at, context)
    # Of two that are as long, the first: "in May 2019" is no place.
    best = max(found, key=lambda each: each[0], default=None)
    if best is None:
        return 1, None
    count, meaning, is_sure = best
    return count, _Found(words[at].start, words[at + count - 1].end, meaning, is_sure=is_sure)


def _candidates(words: Sequence[Word], at: int, context: Context) -> Iterator[tuple[int, str, bool]]:
    """Yield the number of words, the filters, and whether they are sure, of what may stand at a word."""
    if days := find_this_day(words, at):
        yield days, on_this_day(context.today), is_closed(words, at + days)
        return
    dated = find_date(words, at, today=context.today)
    if dated is not None:
        yield dated.count, f"taken:{dated}", dated.is_sure
    for fact in (
        find_kind(words, at) or _camera_at(words, at, context),
        find_rating(words, at, context),
        find_place(words, at, context) if dated is None else None,
    ):
        if fact is not None:
            value = fact.value if fact.key == "rating" else _value(fact.value)
            yield fact.count, f"{fact.key}:{value}", fact.is_sure
    people = find_people(words, at, context)
    if people is not None:
        yield people.count, " ".join(f"person:{_value(name)}" for name in people.names), people.is_sure


def _camera_at(words: Sequence[Word], at: int, context: Context) -> FoundFilter | None:
    """Find a camera; alone, it stands at the end, or before a rating that does: "the rocket, Canon, 5 stars"."""
    found = find_camera(words, at, context)
    if found is not None or not words[at].follows_break:
        return found
    for end in range(at + 1, min(len(words), at + 4)):
        rating = find_rating(words, end, context) if words[end].follows_break else None
        if rating is not None and end + rating.count == len(words):
            return find_camera(words[:end], at, context)
    return None


def _value(text: str) -> str:
    return text if re.fullmatch(r"[\w-]+", text) else quoted(text)


def _absence_at(
    words: Sequence[Word], at: int, text: str, context: Context, *, is_start: bool
) -> tuple[int, _Found | None]:
    """Find what is excluded from a word on, up to a date, and how many words it takes: 1 for none."""
    if not may_be_absence(words[at]):
        return 1, None
    limit = next((place for place in range(at + 1, len(words)) if _starts_date(words, place, context)), len(words))
    absence = find_absence(words[:limit], at)
    if absence is None:
        return 1, None
    end = at + absence.count
    things, filters = list[str](), list[str]()
    for first, last in absence.things:
        excluded = _excluded_filter(words[first:last], context)
        if excluded:
            filters.append(excluded)
        elif words[first].key in MAKERS:  # a maker of cameras that the catalog has none of
            return 1, None
        else:
            things.append(_name_of(text[words[first].start : words[last - 1].end]))
    if things and at == 0 and is_start:  # "no parking"
        return 1, None
    return absence.count, _Found(words[at].start, words[end - 1].end, " ".join(filters), tuple(things))


def _excluded_filter(part: Sequence[Word], context: Context) -> str:
    """Return the filter that excludes a person or a camera of the catalog; "" for any other thing."""
    value = _value(" ".join(word.key for word in part))
    if context.people.find(part, 0) == len(part) and (len(part) > 1 or part[0].is_capital or not is_word(part[0])):
        return f"-person:{value}"
    is_made = part[0].key in MAKERS and context.cameras.find(part, 0) == len(part)
    return f"-camera:{value}" if is_made else ""


def _name_of(thing: str) -> str:
    return "people" if is_people(thing) else thing


def _starts_date(words: Sequence[Word], at: int, context: Context) -> bool:
    found = find_date(words, at, today=context.today)
    return found is not None and found.is_sure


_ONE_OF = (("taken",), ("place", "country"), ("rating",))
"""Keys of which a picture has one value: all filters of a query hold, of which two would leave nothing."""


def _with_one_of_each(found: list[_Found]) -> list[_Found]:
    """Offer dates instead of applying them where there are several, and places and ratings likewise."""
    several = [keys for keys in _ONE_OF if sum(each.key in keys for each in found) > 1]
    return [replace(each, is_sure=each.is_sure and not any(each.key in keys for keys in several)) for each in found]


def _without_overlaps(found: list[_Found]) -> list[_Found]:
    kept: list[_Found] = []
    for each in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
    return kept


def _rewrite(text: str, applied: Sequence[_Found], is_file: IsFile | None) -> tuple[Query, str] | None:
    """Return the query with phrases applied, in their order, and its text; None where the rest of it is no query."""
    if not applied:
        return parse_query(text, is_file=is_file), text
    rest, position = "", 0
    for each in applied:
        rest = _join(rest, text[position : each.start])
        position = each.end
    rest = _join(rest, text[position:]).strip()
    words = split_words(rest, 0, len(rest))
    if all(word.key in GENERIC for word in words) and not re.search(r'["“„:]', rest):
        rest = ""
    excluded = [f"- {Term('words', thing)}" for each in applied for thing in each.things]
    if excluded and not rest:
        return None
    rewritten = " ".join(filter(None, (rest, *excluded, *(each.filter for each in applied))))
    try:
        return parse_query(rewritten, is_file=is_file), rewritten
    except QuerySyntaxError:
        return None


_PUNCTUATION = " \t\n,;，、.!?？。/–—"
_LAST_CONJUNCTION = re.compile(r"(?:^|[\s,;]+)(?:and|or|but|und|oder|aber|et|ou|mais|y|o|pero)$", re.IGNORECASE)


def _join(before: str, after: str) -> str:
    """Join what stands before and after a phrase that is removed, with the punctuation that still separates words."""
    if not after.strip(_PUNCTUATION):
        return _LAST_CONJUNCTION.sub("", before.rstrip(_PUNCTUATION))
    if not before.strip(_PUNCTUATION):
        return after.lstrip(_PUNCTUATION)
    before = before.rstrip()
    if before[-1] in "([{" and after.lstrip()[0] in ")]}":
        return _join(before[:-1], after.lstrip()[1:])
    after = after.lstrip(_PUNCTUATION) if before[-1] in _PUNCTUATION else after.lstrip()
    return before + ("" if after[0] in _PUNCTUATION else " ") + after
