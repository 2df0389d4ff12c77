"""Join the ranking of pictures by what they show with that by what is written about them.

Only a query that is one text, without operators, is looked for in the writing, and only pictures whose writing has all
its words, stop words apart, count. Both rankings are joined by reciprocal rank fusion: a picture's worth is the sum of
1 / (60 + rank) over the rankings that have it. Where no picture has the words, all stays as it is, and pictures without
them always keep their order.

How often the words occur decides what they count. Where up to `FEW` pictures have them, these come before all others.
Else pictures that are equally good in writing share their last rank: of a hundred pictures in a folder "beach", each
gains as much as one on rank 100. Words that more than `MOST_MATCHES` pictures have are left to the model.

Pictures that have the words only in text that was read in them come behind those that likely match by what they show,
and before all others: a sign that says "cat" is no cat, but nothing shows "total amount" better than a receipt.

Source: Cormack, Clarke, Buettcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
SIGIR 2009 (k = 60).
"""

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

from clipsearch.parts import Part
from clipsearch.query import Query
from clipsearch.query.filters import Filter, Pattern, listed
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.search.hits import SearchHit
from clipsearch.search.stacks import stack_keys
from clipsearch.session.session import Session
from clipsearch.store.written_rows import Writing
from clipsearch.text import fold_words
from clipsearch.written.documents import FIELDS, WRITING, Document, Words, texts_of, words_of
from clipsearch.written.quotes import quote_writing
from clipsearch.written.words import WrittenWords

K = 60
"""Constant of reciprocal rank fusion. Source: as above."""

FEW = 10
"""Pictures with the words up to which they come first."""

MOST_MATCHES = 500
"""Pictures with the words beyond which these say too little."""

DEPTH = 300
"""Ranks of the ranking by what pictures show that count: constant, so that a longer list begins as a shorter one."""

_N_WRITING = len(WRITING)


@dataclass(frozen=True, slots=True)
class Matches:
    """Pictures whose writing has all words of a query.

    Attributes:
        words: of the query.
        ranks: rank, from 1, by content id.
        read: likewise, of pictures that have the words only with text that was read in them.
    """

    words: Words
    ranks: Mapping[int, int]
    read: Mapping[int, int] = field(default_factory=dict)

    @property
    def are_few(self) -> bool:
        """Whether so few pictures have the words that they are hits, whatever their relevance."""
        return len(self.ranks) <= FEW

    def needed(self, least: float, asked: float) -> list[tuple[Collection[int], float]]:
        """Return the ids in the writing and in what was read, with the relevance that a hit of them needs.

        Args:
            least: that hits by what they show need. asked: as in `Catalog.search`.
        """
        needed = (self.ranks, 0.0 if self.are_few else least), (self.read, 0.0 if len(self.read) <= FEW else asked)
        return [(ids, relevance) for ids, relevance in needed if ids]

    @property
    def places(self) -> Mapping[int, int]:
        """Rank by content id, of both."""
        return {**{number: len(self.ranks) + rank for number, rank in self.read.items()}, **self.ranks}


def find_matches(
    query: Query, session: Session, *, filters: Sequence[Filter] = (), newest: int | None = None
) -> Matches | None:
    """Find the pictures whose writing has all words of a query; None without any, or with too many.

    Args:
        filters: they have to pass. newest: highest content id; None: any.
    """
    wanted = searched_words(query)
    found = None if wanted is None else session.written.ask(lambda words: _find(words, wanted))
    if wanted is None or found is None:
        return None
    ids = [number for number in found if newest is None or number <= newest]
    if filters:
        passing = [*filters, listed(ids)]
        ids = session.columns.ask(lambda columns: columns.select_ids(passing)).tolist()
    written: dict[int, Document] = {}
    read: dict[int, Document] = {}
    for number in ids:
        document = found[number]
        (written if _has_all(document[:_N_WRITING], wanted) else read)[number] = document
    ranks = rank_documents(written, wanted), rank_documents(read, wanted)
    return Matches(wanted, *ranks) if any(ranks) else None


def _has_all(texts: Sequence[str], wanted: Words) -> bool:
    return all(any(word in text for text in texts) for word in wanted.words)


def searched_words(query: Query) -> Words | None:
    """Return the words of a query that is one text; None for any other, or for one of stop words alone."""
    terms = [term for group in query.groups for term in group]
    return words_of(terms[0].value) if len(terms) == 1 and terms[0].kind == "words" else None


def _find(words: WrittenWords, wanted: Words) -> Mapping[int, Document] | None:
    """Return the documents that have all words in the writing, and those that have them with what was read."""
    for fields in (FIELDS, WRITING):  # where too many have them with what was read, the writing alone counts
        ids = words.find(wanted.words, MOST_MATCHES, fields)
        if len(ids) <= MOST_MATCHES:
            return words.documents(ids.tolist()) or None
    return None


def rank_documents(documents: Mapping[int, Document], wanted: Words) -> dict[int, int]:
    """Return the rank of documents that have all words, from 1; equally good ones share one, see above."""
    levels: dict[int, list[int]] = {}
    for number, document in documents.items():
        levels.setdefault(_level(document, wanted), []).append(number)
    ranks: dict[int, int] = {}
    for _, numbers in sorted(levels.items()):
        rank = len(ranks) + (1 if len(documents) <= FEW else len(numbers))
        ranks |= dict.fromkeys(numbers, rank)
    return ranks


def _level(document: Document, wanted: Words) -> int:
    """Return how well a document fits, 0 best.

    0: the words stand in a row in the title, a keyword or a name. 1: all of them there, or in a row in a place or the
    creator. 2: in a row in the caption. 3: all somewhere but in the path. 4: in a row in the path. 5: anywhere. Of what
    was read: 4 in a row, 5 else.
    """
    title, names, caption, others, path, read = document
    phrase, words = wanted.phrase, wanted.words
    if phrase in title or phrase in names:
        return 0
    if phrase in others or all(word in title or word in names for word in words):
        return 1
    if phrase in caption:
        return 2
    if all(any(word in text for text in (title, names, caption, others)) for word in words):
        return 3
    return 4 if phrase in path or phrase in read else 5


def fuse(
    nearest: Sequence[SearchHit], matched: Sequence[SearchHit], matches: Matches, top_k: int, keys: "Keys"
) -> list[SearchHit]:
    """Return up to `top_k` hits, the best of both rankings first.

    Args:
        nearest: hits by what they show, best first, the first `DEPTH` or more.
        matched: all hits whose writing has the words, in the same order.
        keys: tells pictures of one stack.
    """
    written = _best_ranks(matches.ranks, keys)
    hits = dict(zip(keys([hit.content_id for hit in nearest]), nearest, strict=True))
    visual = {key: 1 / (K + rank) for rank, key in enumerate(list(hits)[:DEPTH], start=1)}
    for key, hit in zip(keys([hit.content_id for hit in matched]), matched, strict=True):
        hits.setdefault(key, hit)
    worth = {key: visual.get(key, 0.0) + (1 / (K + written[key]) if key in written else 0.0) for key in hits}
    first = written.keys() if matches.are_few else set[int]()
    best = sorted(hits, key=lambda key: (key not in first, -worth[key]))
    if matches.read:
        likely = {key for key in visual if hits[key].relevance >= DEFAULT_CUTOFF}.union(first)
        best = _insert_read(best, likely, _best_ranks(matches.read, keys))
    return [replace(hits[key], rank=rank) for rank, key in enumerate(best[:top_k], start=1)]


def _insert_read(best: Sequence[int], likely: Container[int], read: Mapping[int, int]) -> list[int]:
    """Move pictures in which the words were read up behind the last likely match."""
    end = max((place + 1 for place, key in enumerate(best) if key in likely), default=0)
    others = [key for key in best[end:] if key not in read]
    moved = sorted((key for key in best[end:] if key in read), key=lambda key: read[key])
    return [*best[:end], *moved, *others]


Keys = Callable[[Sequence[int]], list[int]]
"""Returns what tells pictures apart, by content ids: the pictures of one stack have the same."""


def keys_of(session: Session, *, stacks: bool) -> Keys:
    def keys(content_ids: Sequence[int]) -> list[int]:
        found = stack_keys(content_ids, session.store) if stacks else {}
        return [found.get(number, number) for number in content_ids]

    return keys


def _best_ranks(ranks: Mapping[int, int], keys: Keys) -> dict[int, int]:
    """Return the best rank of the pictures of each key."""
    found: dict[int, int] = {}
    ids = sorted(ranks, key=ranks.__getitem__)
    for key, number in zip(keys(ids), ids, strict=True):
        found.setdefault(key, ranks[number])
    return found


def quote_hits(
    hits: Sequence[SearchHit], matches: Matches | None, filters: Sequence[Filter], session: Session, keys: Keys
) -> list[SearchHit]:
    """Return hits with what is written about them, where it has the words of the query or of a filter."""
    wanted, asked = None if matches is None else matches.words, ""
    for each in filters if wanted is None else ():
        if each.key in ("written", "text") and isinstance(each.value, Pattern) and not each.is_negated:
            part = fold_words(each.value.text)
            wanted, asked = Words(tuple(part.split()), part), each.key
            break
    if wanted is None or not hits:
        return list(hits)
    source = {key: hit.content_id for key, hit in zip(keys([hit.content_id for hit in hits]), hits, strict=True)}
    if matches is not None:
        ids = sorted(matches.places, key=matches.places.__getitem__, reverse=True)
        of_key = dict(zip(keys(ids), ids, strict=True))  # the best member of a stack
        source = {key: of_key[key] for key in source if key in of_key}
    writings = session.store.written_rows.as_written(list(source.values()))
    found = []
    for key, hit in zip(keys([hit.content_id for hit in hits]), hits, strict=True):
        number = source.get(key, 0)
        writing = writings.get(number)
        found.append(hit if writing is None else _quoted(hit, number, writing, wanted, asked))
    return found


def _quoted(hit: SearchHit, number: int, writing: Writing, wanted: Words, asked: str) -> SearchHit:
    """Return a hit with a quotation of what is written about a content: its own, or another of its stack.

    Args:
        asked: "text": only of what was read, "written": only of what people wrote.
    """
    lines = [line.text for line in writing.lines]
    texts = texts_of(writing.description, [_shown(path) for path in writing.paths], lines)
    first = len(texts) - len(lines)  # the lines come last
    begin, end = (first if asked == "text" else 0), (first if asked == "written" else len(texts))
    quotation = quote_writing(texts[begin:end], wanted)
    if quotation is None:
        return hit
    place = begin + quotation.place - first
    if place < 0 or number != hit.content_id:
        return replace(hit, written=quotation.text)
    line = writing.lines[place]
    part = hit.part if line.page is None else Part("page", page=line.page)
    return replace(hit, written=quotation.text, line=line, part=part)


def quote_picture(hit: SearchHit, query: Query, session: Session) -> SearchHit:
    """Return a hit with what is written about the picture, where that has all words of the query."""
    wanted, matches = searched_words(query), None
    if wanted is not None:
        documents = session.written.ask(lambda words: words.documents([hit.content_id]))
        texts = " ".join(documents.get(hit.content_id, ()))
        if all(word in texts for word in wanted.words):
            matches = Matches(wanted, {hit.content_id: 1})
    return quote_hits([hit], matches, query.filters, session, list)[0]


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")
