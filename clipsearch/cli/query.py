"""Implement clipsearch query."""

import stat
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsearch.cli.here import are_below, current_folder, index_here, should_index_here, within
from clipsearch.cli.index import is_terminal
from clipsearch.cli.options import (
    INTERRUPTED,
    AllowUrlOption,
    CatalogOption,
    DeviceOption,
    Invocation,
    JsonOption,
    ModelOption,
    PrecisionOption,
    RuntimeOption,
    TopKOption,
)
from clipsearch.cli.picture_argument import load_picture
from clipsearch.cli.place_hits import check_places, place_hits
from clipsearch.cli.query_arguments import read_query
from clipsearch.cli.query_output import QueryResult, find_facts, find_missing_albums, output_of, print_result
from clipsearch.cli.render import note, note_phrases, printable
from clipsearch.cli.terminal_images import check_thumbnails, print_thumbnails
from clipsearch.cli.viewing import check_sheet, open_file, write_sheet
from clipsearch.errors import ClipSearchError, InputError, QueryError
from clipsearch.images.locations import find_location
from clipsearch.paths import expand_user
from clipsearch.text import is_url
from clipsearch.types import Sort

if TYPE_CHECKING:
    from clipsearch.catalog import Catalog
    from clipsearch.query import Query
    from clipsearch.query.phrases import Phrase


def query(
    context: typer.Context,
    query_words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY...",
            help="Words, the path of a picture (with a folder or suffix, as in ./cat.jpg), with --allow-url its URL; "
            "several terms with + and -; filters such as taken:2024 or -path:backup. See 'clipsearch help filters'.",
        ),
    ] = None,
    catalog: CatalogOption = None,
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--more",
            metavar="PICTURE",
            help="Find more of a picture of the catalog, a file or a number such as 42; may be repeated, and QUERY "
            "left out.",
            show_default=False,
        ),
    ] = None,
    less: Annotated[
        list[str] | None,
        typer.Option(
            "--less",
            metavar="PICTURE",
            help="Omit a picture, and find less of it; may be repeated.",
            show_default=False,
        ),
    ] = None,
    not_itself: Annotated[
        bool, typer.Option("--not-itself", help="Omit the pictures that QUERY names, and copies of them.")
    ] = False,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    top_k: TopKOption = 10,
    min_relevance: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="R",
            help="Omit hits of lower relevance, 0 to 1; 0.3 keeps likely matches. Pictures whose writing has all the "
            "words are kept anyway, where they are ten or fewer.",
        ),
    ] = 0.0,
    confidence: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="C",
            help="Limit false positives: of word queries without a matching picture, at most 1 - C get a hit; 0.9: one "
            "in ten.",
            show_default=False,
        ),
    ] = None,
    diverse: Annotated[
        bool,
        typer.Option("--diverse", help="Rank diverse pictures first (maximal marginal relevance)."),
    ] = False,
    no_stacks: Annotated[
        bool,
        typer.Option("--no-stacks", help="Show each picture of a stack: burst, RAW and JPEG, live photo."),
    ] = False,
    no_written: Annotated[
        bool,
        typer.Option("--no-written", help="Ignore titles, captions, keywords and file names: rank by what is shown."),
    ] = False,
    sort: Annotated[
        Sort,
        typer.Option("--sort", help="Sort the likely matches: the newest or the last added first, or by name."),
    ] = "relevance",
    reverse: Annotated[bool, typer.Option("--reverse", help="Reverse the order.")] = False,
    text: Annotated[
        bool, typer.Option("--text", help="Take QUERY as plain words, without operators, dates and paths.")
    ] = False,
    add: Annotated[bool, typer.Option("-a", "--add", help="Index new files of the current folder first.")] = False,
    here: Annotated[bool, typer.Option("--here", help="Find only pictures below the current folder.")] = False,
    allow_url: AllowUrlOption = False,
    suggest: Annotated[bool, typer.Option("--suggest", help="Also print narrower and related queries.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print the parsed query and each term's contribution.")
    ] = False,
    paths: Annotated[bool, typer.Option("--paths", help="Print paths only, one per line.")] = False,
    print0: Annotated[bool, typer.Option("-0", "--print0", help="Print paths only, ended by NUL.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print a JSON object per line, for each hit.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    json: JsonOption = False,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Also write a contact sheet to FILE.html.", show_default=False),
    ] = None,
    copy_to: Annotated[
        str | None,
        typer.Option("--copy-to", metavar="FOLDER", help="Also copy the files to FOLDER.", show_default=False),
    ] = None,
    link_to: Annotated[
        str | None,
        typer.Option("--link-to", metavar="FOLDER", help="Also link the files in FOLDER.", show_default=False),
    ] = None,
    thumbnails: Annotated[bool, typer.Option("--thumbnails", help="Also show thumbnails in the terminal.")] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Also open the first hit or contact sheet.")] = False,
) -> int:
    """Find the pictures nearest to words or pictures.

    Prints rank, relevance, score (cosine) and path.

    'search' and 'find' are other names of it, and words without a command are a query: clipsearch "a cat".
    """
    from clipsearch.catalog import Catalog

    output = output_of(json=json, jsonl=jsonl, csv=csv, paths=paths, print0=print0)
    if suggest and output not in ("table", "json"):
        raise InputError("--suggest goes with the table or with --json")
    words = " ".join(query_words or ())
    sheet = check_sheet(html)
    places = check_places(copy_to, link_to)
    if thumbnails:
        check_thumbnails()
    is_plain = isinstance(context.obj, Invocation) and context.obj.is_plain
    if add or (is_plain and should_index_here(catalog, is_shown=output == "table")):
        is_done = index_here(directory=catalog, model=model, device=device, runtime=runtime, precision=precision)
        if not is_done:
            return INTERRUPTED
    with Catalog.open(
        catalog, model=model, device=device, runtime=runtime, precision=precision, show_progress=is_terminal()
    ) as opened:
        parsed, phrases = _parse(query_words or (), opened, text=text, has_marks=bool(more))
        parsed = within(parsed, current_folder()) if here else parsed
        _check_files(parsed)
        fetched = {
            url: load_picture(url, allow_url=allow_url, or_else="; use --text for words") for url in _urls(parsed)
        }
        min_relevance = max(min_relevance, opened.cutoff_for(confidence) if confidence is not None else 0.0)
        search = partial(
            opened.search,
            top_k=top_k,
            min_relevance=min_relevance,
            pictures=fetched,
            diverse=diverse,
            explain=explain,
            more=_marks(more),
            less=_marks(less),
            stacks=not no_stacks,
            sort=sort,
            reverse=reverse,
            written=not no_written,
        )
        wanted = opened.pictures.without_own(parsed) if not_itself else parsed
        hits = search(wanted)
        if here and not are_below(hits, current_folder()):  # else it need not be: that takes half a second for 100,000
            hits = search(opened.pictures.within(wanted, current_folder()))
        # Loaded only here: a query answered from the text cache needs no model.
        used = opened.model.name if json else ""
        suggestion = opened.suggest(parsed) if output in ("table", "json") else None
        suggestions = opened.suggestions(parsed, pictures=fetched) if suggest else None
        missing = () if hits else find_missing_albums(parsed, opened)
        indexed = opened.admin.folders() if places else ()
        facts = find_facts(hits, opened) if output in ("json", "jsonl", "csv") else {}
    for each in missing:
        note(f"clipsearch: {each}")
    if explain and query_words:
        note(f"parsed as: {printable(str(parsed))}")
    elif is_terminal():
        note_phrases(phrases)
    if sheet is not None:
        write_sheet(sheet, hits, words)
    if thumbnails:
        print_thumbnails(hits)
    result = QueryResult(words, parsed, phrases, hits, used, facts, suggestion, suggestions, min_relevance)
    print_result(result, output, ends_with_nul=print0)
    is_placed = place_hits(hits, places, indexed=indexed)
    if open_it and (sheet is not None or hits):
        open_file(hits[0].path if sheet is None else str(sheet))
    return 0 if is_placed else ClipSearchError.exit_code


def _marks(pictures: Sequence[str] | None) -> list[int | str]:
    """Return marked pictures as the library takes them: numbers as content ids."""
    return [int(each) if each.isascii() and each.isdecimal() else each for each in pictures or ()]


def _parse(
    arguments: Sequence[str], catalog: "Catalog", *, text: bool, has_marks: bool
) -> "tuple[Query, tuple[Phrase, ...]]":
    """Parse the words of the query, or return an empty one next to pictures marked with --more.

    Returns:
        The query, and the phrases among its plain words.

    Raises:
        QueryError: invalid query, or none.
    """
    from clipsearch.query import Query, words_query

    if arguments and text:
        return words_query(" ".join(arguments)), ()
    if arguments:
        read_query(arguments)  # its errors explain what a shell does to quotes
        understanding = catalog.understand(" ".join(arguments), may_name_files=True)
        return understanding.query, understanding.phrases
    if not has_marks:
        raise QueryError("what to look for is missing: write QUERY, or --more PICTURE")
    return Query(), ()


def _urls(query: "Query") -> list[str]:
    terms = [term for group in query.groups for term in group]
    return [term.value for term in terms if term.kind == "picture" and is_url(term.value)]


def _check_files(query: "Query") -> None:
    """Check the picture terms of a query before a model is loaded.

    Raises:
        QueryError: a missing file, or a folder.
    """
    for name in (term.value for group in query.groups for term in group if term.kind == "picture"):
        path = expand_user(name)
        try:
            is_file = is_url(name) or not stat.S_ISDIR(Path(find_location(name).path).stat().st_mode)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a NUL in the name
            raise QueryError(f"no picture {path}: the file does not exist (use --text for words)") from error
        except OSError as error:
            raise QueryError(f"can't access {path}: {error.strerror or error} (use --text for words)") from error
        if not is_file:
            raise QueryError(f"{path} is not a picture (use --text for words)")
