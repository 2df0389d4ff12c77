"""Implement clipsearch cluster."""

from dataclasses import asdict
from typing import Annotated

import typer

from clipsearch.cli.index import is_terminal
from clipsearch.cli.labels import LABELS_HELP
from clipsearch.cli.options import CatalogOption, DeviceOption, JsonOption, ModelOption, PrecisionOption, RuntimeOption
from clipsearch.cli.render import note, out, print_json, printable, shown_path
from clipsearch.quantities import count

_SHOWN = 3


def cluster(
    folders: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FOLDER]...", help="Indexed folders or subfolders of them. Default: all pictures."),
    ] = None,
    groups: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--groups",
            min=1,
            metavar="N",
            help="Set the number of groups. Default: the square root of half the pictures, 50 at most.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        str, typer.Option("--labels", metavar="NAME", help=f"Name groups by labels. {LABELS_HELP}")
    ] = "lvis",
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    json: JsonOption = False,
) -> None:
    """Group pictures by what they show.

    Prints each group with its labels and its most typical pictures.
    """
    from clipsearch.catalog import Catalog

    with Catalog.open(
        catalog, model=model, device=device, runtime=runtime, precision=precision, show_progress=is_terminal()
    ) as opened:
        found = opened.clusters(*(folders or []), count=groups, labels=labels)
    if json:
        print_json({"labels": labels, "groups": [asdict(each) for each in found]})
        return
    for each in found:
        out(f"{count(len(each.paths), 'picture')}: {printable(', '.join(each.names))}")
        for path in each.paths[:_SHOWN]:
            out(f"    {shown_path(path)}")
        if len(each.paths) > _SHOWN:
            out(f"    … and {len(each.paths) - _SHOWN:,} more")
    if not found:
        note("clipsearch: no pictures to group")
