"""Implement clipsearch dupes."""

from dataclasses import asdict
from typing import Annotated

import typer

from clipsearch.cli.index import ProgressBar
from clipsearch.cli.options import CatalogOption, JsonOption
from clipsearch.cli.render import note, out, print_json, print_paths, shown_path
from clipsearch.errors import InputError
from clipsearch.quantities import count, size


def dupes(
    folders: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FOLDER]...", help="Indexed folders or subfolders of them. Default: all pictures."),
    ] = None,
    catalog: CatalogOption = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1,
            metavar="C",
            help="Compare pixels from this cosine on. Default: relative to the similarity of all pictures.",
            show_default=False,
        ),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Find only files with identical content.")] = False,
    paths: Annotated[
        bool,
        typer.Option("--paths", help="Print paths to delete: all exact ones and copies but the best of each group."),
    ] = False,
    print0: Annotated[bool, typer.Option("-0", "--print0", help="Print the same paths, ended by NUL.")] = False,
    json: JsonOption = False,
) -> None:
    """Find duplicate pictures: exact, copies, similar.

    Prints groups with the best picture first. Deletes nothing.
    """
    from clipsearch.catalog import Catalog

    if (paths or print0) + json > 1:
        raise InputError("choose one output format: --json, --paths or -0")
    with ProgressBar() as bar, Catalog.open(catalog) as opened:
        groups = opened.duplicates(
            *(folders or []),
            threshold=threshold,
            exact_only=exact,
            on_progress=bar.update,
        )
    if json:
        rows = [asdict(group) | {"spare_bytes": group.spare_bytes} for group in groups]
        print_json({"groups": rows})
        return
    if paths or print0:
        print_paths((each.path for group in groups for each in group.spare), end=b"\0" if print0 else b"\n")
        return
    for group in groups:
        for each in group.pictures:
            pixels = f"{each.width} × {each.height}"
            out(f"{each.kind:7}  {pixels:>13}  {size(each.size_bytes):>9}  {shown_path(each.path)}")
        out()
    if groups:
        spare = sum(len(group.spare) for group in groups)
        total = sum(group.spare_bytes for group in groups)
        out(f"{count(len(groups), 'group')}, {count(spare, 'spare copy', 'spare copies')}, {size(total)}")
    else:
        note("clipsearch: no duplicates found")
