"""Implement clipsearch concept add | list | show | remove."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipsearch.cli.options import CatalogOption, JsonOption
from clipsearch.cli.render import out, print_json, printable, shown_path
from clipsearch.errors import InputError
from clipsearch.quantities import count
from clipsearch.types import Concept

if TYPE_CHECKING:
    from clipsearch.catalog import Catalog

app = typer.Typer(help="Teach concepts by examples, for @NAME in queries.", no_args_is_help=True, rich_markup_mode=None)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name in queries: letters, digits, - and _. Case-insensitive.")
]


@app.command("add")
def add(
    name: NameArgument,
    pictures: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PICTURE]...",
            help="Pictures of the catalog that show it, three to twenty: files, or numbers like id:42.",
        ),
    ] = None,
    negatives: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="PICTURE", help="A picture that looks like it and is not. Repeatable."),
    ] = None,
    words: Annotated[
        str | None,
        typer.Option(
            "--words",
            metavar="TEXT",
            help="Words that describe it, '' for none. Default: the name, if it may be a word.",
            show_default=False,
        ),
    ] = None,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Teach a concept, or add examples to one.

    Then @NAME stands for it in queries: clipsearch query '@rex & snow'
    """
    from clipsearch.catalog import Catalog

    if not pictures and not negatives and words is None:
        raise InputError("name a picture that shows it, one that does not (--not), or words (--words)")
    with Catalog.open(catalog) as opened:
        concept = opened.concepts.add(name, pictures or (), negatives=negatives or (), words=words)
        _print(concept, opened, json=json)


@app.command("list")
def list_(catalog: CatalogOption = None, json: JsonOption = False) -> None:
    """List the concepts."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        concepts = opened.concepts.list()
        if json:
            print_json({"concepts": [_row(concept, opened) for concept in concepts]})
            return
    for concept in concepts:
        out(_line(concept))


@app.command("show")
def show(name: NameArgument, catalog: CatalogOption = None, json: JsonOption = False) -> None:
    """Print the words and the examples of a concept."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        concept = opened.concepts.get(name)
        _print(concept, opened, json=json)
        if json:
            return
        for sign, content_ids in (("+", concept.positives), ("-", concept.negatives)):
            paths = _paths(content_ids, opened)
            for content_id in content_ids:
                path = paths[content_id]
                out(f"{sign} id:{content_id}  {'(its file was removed)' if path is None else shown_path(path)}")


@app.command("remove")
def remove(
    name: NameArgument,
    pictures: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PICTURE]...", help="Examples to remove. Default: the whole concept."),
    ] = None,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a concept, or some of its examples."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        concept = opened.concepts.get(name)
        if pictures:
            removed = opened.concepts.remove_examples(name, pictures)
            if not removed:
                raise InputError(f"none of these pictures is an example of @{concept.name}")
            _print(opened.concepts.get(name), opened, json=json)
            return
        opened.concepts.remove(name)
    if json:
        print_json({"removed": concept.name})
    else:
        out(f"@{printable(concept.name)} removed")


def _print(concept: Concept, catalog: "Catalog", *, json: bool) -> None:
    if json:
        print_json(_row(concept, catalog))
    else:
        out(_line(concept))


def _line(concept: Concept) -> str:
    examples = count(len(concept.positives), "example")
    excluded = f", {len(concept.negatives):,} excluded" if concept.negatives else ""
    words = f', "{printable(concept.words)}"' if concept.words is not None else ""
    return f"@{printable(concept.name)}  {examples}{excluded}{words}"


def _row(concept: Concept, catalog: "Catalog") -> dict[str, Any]:
    def pictures(content_ids: tuple[int, ...]) -> list[dict[str, Any]]:
        paths = _paths(content_ids, catalog)
        return [{"id": content_id, "path": paths[content_id]} for content_id in content_ids]

    return {
        "name": concept.name,
        "words": concept.words,
        "positives": pictures(concept.positives),
        "negatives": pictures(concept.negatives),
    }


def _paths(content_ids: tuple[int, ...], catalog: "Catalog") -> dict[int, str | None]:
    """Return a path of each picture; None for one whose files were removed."""
    found = {each.content_id: each.paths[0] for each in catalog.pictures.list(content_ids)}
    return {content_id: found.get(content_id) for content_id in content_ids}
