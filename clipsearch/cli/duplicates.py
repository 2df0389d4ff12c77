"""clipsearch dupes"""

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
        typer.Argument(metavar="[FOLDER]...", help="Indexed folders, or folders in them. Without any: all pictures."),
    ] = None,
    catalog: CatalogOption = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1,
            metavar="C",
            help="Cosine from which pixels are compared. Default: by how alike pictures are at all.",
            show_default=False,
        ),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Only files with the very same content.")] = False,
    paths: Annotated[
        bool,
        typer.Option("--paths", help="Print the paths of exact ones and copies, all but the best of each group."),
    ] = False,
    print0: Annotated[bool, typer.Option("-0", "--print0", help="The same, ended by NUL.")] = False,
    json: JsonOption = False,
) -> None:
    """Pictures that are there more than once: exact, copies, similar; the best of each first. Deletes nothing."""
    from clipsearch.catalog import Catalog

    if (paths or print0) + json > 1:
        raise InputError("results come in one form: --json, --paths or -0")
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
        out(f"{count(len(groups), 'group')}, {count(spare, 'copy', 'copies')} beside the best of each, {size(total)}")
    else:
        note("clipsearch: no picture is there twice")
