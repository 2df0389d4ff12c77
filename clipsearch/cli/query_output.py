"""Print the results of a query in the chosen format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipsearch.cli.render import (
    Facts,
    hits_json,
    note,
    print_csv,
    print_hit_lines,
    print_hits,
    print_json,
    print_paths,
    print_suggestions,
    printable,
)
from clipsearch.errors import InputError, UnknownAlbumError

if TYPE_CHECKING:
    from clipsearch.catalog import Catalog
    from clipsearch.query import Query
    from clipsearch.query.phrases import Phrase
    from clipsearch.search.hits import SearchHit
    from clipsearch.search.narrowing import Suggestions


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a query has found, and what is printed with it.

    Attributes:
        words: the query as it was written; `parsed` as it was understood, with `phrases` taken as filters.
        model: name, for JSON alone.
        facts: of the hits, for the formats that have them.
        suggestion, suggestions: a corrected query, and narrower and related ones; None where they are not printed.
    """

    words: str
    parsed: "Query"
    phrases: "tuple[Phrase, ...]"
    hits: "list[SearchHit]"
    model: str
    facts: Facts
    suggestion: str | None
    suggestions: "Suggestions | None"
    min_relevance: float


def print_result(result: QueryResult, output: str, *, ends_with_nul: bool) -> None:
    """Print the results of a query on stdout in a format of `output_of`."""
    match output:
        case "json":
            print_json(
                hits_json(
                    result.words,
                    result.model,
                    result.hits,
                    result.facts,
                    result.suggestion,
                    result.suggestions,
                    result.phrases,
                )
            )
        case "jsonl":
            print_hit_lines(result.hits, result.facts)
        case "csv":
            print_csv(result.hits, result.facts)
        case "paths":
            print_paths((hit.path for hit in result.hits), end=b"\0" if ends_with_nul else b"\n")
        case _:
            _print_table(result.hits, result.parsed, result.min_relevance, result.suggestion, result.suggestions)


def find_facts(hits: "Sequence[SearchHit]", catalog: "Catalog") -> Facts:
    """Return what is told of hits."""
    return catalog.pictures.summaries([hit.content_id for hit in hits])


def find_missing_albums(query: "Query", catalog: "Catalog") -> list[str]:
    """Say which albums that a query names are not there."""
    from clipsearch.query import Query

    found = []
    for each in catalog.saved.expand(query).filters:
        if each.key == "album" and not catalog.pictures.facets(Query(filters=(each,))).albums and not each.is_negated:
            try:
                catalog.albums.get(str(each.value))
            except UnknownAlbumError as error:
                found.append(str(error))
    return found


def output_of(*, json: bool, jsonl: bool, csv: bool, paths: bool, print0: bool) -> str:
    """Return the name of the output format.

    Raises:
        InputError: several were chosen.
    """
    chosen = {"json": json, "jsonl": jsonl, "csv": csv, "paths": paths or print0}
    names = [name for name, is_chosen in chosen.items() if is_chosen]
    if len(names) > 1:
        raise InputError("choose one output format: --json, --jsonl, --csv, --paths or -0")
    return names[0] if names else "table"


def _print_table(
    hits: "list[SearchHit]",
    parsed: "Query",
    min_relevance: float,
    suggestion: str | None,
    suggestions: "Suggestions | None",
) -> None:
    """Print the hits, and notes about their relevance or about an empty result."""
    from clipsearch.scoring.relevance import has_match

    if hits:
        print_hits(hits)
        if not has_match(hit.relevance for hit in hits) and not any(hit.written for hit in hits):
            note("clipsearch: nothing seems to match; these are the nearest pictures")
    elif min_relevance:
        note(f"clipsearch: no match: no picture has a relevance of {min_relevance:.3g} or more")
    elif parsed.filters:
        note(f"clipsearch: no picture passes the filters: {printable(' '.join(map(str, parsed.filters)))}")
    else:
        note("clipsearch: the catalog is empty: add pictures with 'clipsearch index FOLDER'")
    if suggestion is not None:
        note(f'clipsearch: did you mean "{suggestion}"?')
    if suggestions is not None:
        print_suggestions(suggestions)
