"""Implement clipsearch save, saved list | remove."""

from typing import Annotated, Any

import typer

from clipsearch.cli.options import CatalogOption, JsonOption
from clipsearch.cli.query_arguments import read_query
from clipsearch.cli.render import note, out, print_json, printable
from clipsearch.errors import InputError, NameTakenError
from clipsearch.store.records import SavedSearch

app = typer.Typer(help="List and remove saved searches.", no_args_is_help=False, rich_markup_mode=None)


def save(
    query_words: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME QUERY...",
            help="The name, of letters, digits, - and _, case-insensitive; then the query, as for 'clipsearch query'. "
            "Pictures in it are named by number, as in id:42.",
        ),
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace a search of this name.")] = False,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Save a search under a name, for @NAME in queries."""
    from clipsearch.catalog import Catalog

    name, *words = query_words
    if not words:
        raise InputError("what to search for is missing: write NAME QUERY")
    read_query(words)  # its errors explain what a shell does to quotes
    with Catalog.open(catalog) as opened:
        try:
            saved = opened.saved.add(name, " ".join(words), replace=force)
        except NameTakenError as error:
            raise InputError(f"{error}; --force replaces it") from error
    if json:
        _print([saved], json=True)
    else:
        out(f"saved @{printable(saved.name)}: {printable(saved.query)}")


@app.callback(invoke_without_command=True)
def saved(context: typer.Context, catalog: CatalogOption = None, json: JsonOption = False) -> None:
    """List the saved searches."""
    if context.invoked_subcommand is None:
        list_(catalog, json)
    elif catalog is not None or json:  # not ignored: the default catalog is another one
        raise InputError(f"options go after the command: clipsearch saved {context.invoked_subcommand} …")


@app.command("list")
def list_(catalog: CatalogOption = None, json: JsonOption = False) -> None:
    """List the saved searches."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        found = opened.saved.list()
    if not json and not found:
        note("no saved searches: add one with 'clipsearch save NAME QUERY'")
    _print(found, json=json)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a saved search.")],
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a saved search."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        found = opened.saved.get(name)
        opened.saved.remove(found.name)
    if json:
        print_json({"removed": found.name})
    else:
        out(f"@{printable(found.name)} removed")


def _print(searches: list[SavedSearch], *, json: bool) -> None:
    if json:
        print_json({"saved": [_row(each) for each in searches]})
        return
    for each in searches:
        out(f"@{printable(each.name)}  {printable(each.query)}")


def _row(saved: SavedSearch) -> dict[str, Any]:
    return {"name": saved.name, "query": saved.query, "created_at": saved.created_at.isoformat(timespec="seconds")}
