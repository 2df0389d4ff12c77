"""Rewrite the plain words of a query: phrases become filters and minus terms of the query language."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from clipsearch.errors import QuerySyntaxError
from clipsearch.query.file_names import IsFile
from clipsearch.query.filters import quoted
from clipsearch.query.parsing import parse_query
from clipsearch.query.phrases.absence import find_absence, is_people
from clipsearch.query.phrases.dates import find_date, is_closed
from clipsearch.query.phrases.file_facts import CameraNames, find_camera, find_kind
from clipsearch.query.phrases.plain_runs import find_plain_runs
from clipsearch.query.phrases.this_day import find_this_day
from clipsearch.query.phrases.words import Word, split_words, vocabulary
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


@dataclass(frozen=True)
class Context:
    """What the meaning of a query depends on; of the catalog only what a query turns out to need is read.

    Attributes:
        today: date that "last summer" is relative to.
        find_cameras: names of the catalog's cameras.
        find_whether_dated: whether any picture has a date; else dates stay words.
    """

    today: date
    find_cameras: Callable[[], Sequence[str]] = tuple
    find_whether_dated: Callable[[], bool] = lambda: True

    @cached_property
    def cameras(self) -> CameraNames:
        """Cameras by the words of their names."""
        return CameraNames(self.find_cameras())


@dataclass(frozen=True, slots=True)
class _Found:
    """Phrase at a place of the text: a filter, or things to exclude."""

    start: int
    end: int
    filter: str = ""
    things: tuple[str, ...] = ()
    is_sure: bool = True

    @property
    def key(self) -> str:
        return self.filter.partition(":")[0]

    @property
    def meaning(self) -> str:
        return self.filter or " ".join(f"- {Term('words', thing)}" for thing in self.things)


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
    return _with_one_date(_without_overlaps(kept)[:_MOST_PHRASES])


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
    """Find a date, a kind of file or a camera at a word, and how many words it takes: 1 for none."""
    if days := find_this_day(words, at):
        is_sure = is_closed(words, at + days)
        meaning = on_this_day(context.today)
        return days, _Found(words[at].start, words[at + days - 1].end, meaning, is_sure=is_sure)
    dated = find_date(words, at, today=context.today)
    fact = find_kind(words, at) or find_camera(words, at, context)
    if dated is not None and (fact is None or dated.count >= fact.count):
        count, meaning, is_sure = dated.count, f"taken:{dated}", dated.is_sure
    elif fact is not None:
        value = fact.value if re.fullmatch(r"[\w-]+", fact.value) else quoted(fact.value)
        count, meaning, is_sure = fact.count, f"{fact.key}:{value}", fact.is_sure
    else:
        return 1, None
    return count, _Found(words[at].start, words[at + count - 1].end, meaning, is_sure=is_sure)


def _absence_at(
    words: Sequence[Word], at: int, text: str, context: Context, *, is_start: bool
) -> tuple[int, _Found | None]:
    """Find what is excluded from a word on, up to a date, and how many words it takes: 1 for none."""
    absence = find_absence(words, at, is_start=is_start)
    if absence is None:
        return 1, None
    end = at + absence.count
    limit = next((place for place in range(at + 1, end) if _starts_date(words, place, context)), end)
    things = tuple(
        _name_of(text[words[first].start : words[min(last, limit) - 1].end])
        for first, last in absence.things
        if first < limit
    )
    return limit - at, _Found(words[at].start, words[limit - 1].end, things=things) if things else None


def _name_of(thing: str) -> str:
    return "people" if is_people(thing) else thing


def _starts_date(words: Sequence[Word], at: int, context: Context) -> bool:
    found = find_date(words, at, today=context.today)
    return found is not None and found.is_sure


def _with_one_date(found: list[_Found]) -> list[_Found]:
    """Offer dates instead of applying them where there are several: as filters both would have to hold."""
    dates = [each for each in found if each.key == "taken"]
    if len(dates) < 2:
        return found
    return [replace(each, is_sure=False) if each.key == "taken" else each for each in found]


def _without_overlaps(found: list[_Found]) -> list[_Found]:
    kept: list[_Found] = []
    for each in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
    return kept


# Words that say no more than that pictures are looked for.
_GENERIC = vocabulary(
    "taken shot aufgenommen prises prise tomadas tomada photo photos photograph photographs picture pictures pic "
    "pics image images snapshot snapshots everything all my the of from shots foto fotos bild bilder aufnahme "
    "aufnahmen alle meine von imagen imágenes imagenes todas mis las de images photographies toutes mes des 照片 图片 "
    "的"
)


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
    if all(word.key in _GENERIC for word in words) and not re.search(r'["“„:]', rest):
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
