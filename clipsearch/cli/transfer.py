"""clipsearch export, import-embeddings"""

import math
from dataclasses import asdict
from typing import Annotated

import typer

from clipsearch.cli.index import ProgressBar, is_terminal
from clipsearch.cli.options import (
    INTERRUPTED,
    CatalogOption,
    DeviceOption,
    JsonOption,
    MaxMegapixelsOption,
    MaxSecondsOption,
    ModelOption,
    RuntimeOption,
    WaitOption,
    decoding_limits,
)
from clipsearch.cli.render import note, out, print_json, print_skipped, shown_path
from clipsearch.quantities import count, size
from clipsearch.settings import DEFAULT_MAX_SECONDS


def export(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="The folder to write, as clip-retrieval lays it out; or FILE.parquet for one file."
        ),
    ],
    parts: Annotated[int, typer.Option("--parts", min=1, metavar="ROWS", help="Rows in each part.")] = 1_000_000,
    captions: Annotated[bool, typer.Option("--captions", help="Write the stored captions too.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write into a folder, or replace a file, that is no export.")
    ] = False,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Write the embeddings of all pictures, with what is known of them, as .npy and Parquet."""
    from clipsearch.catalog import Catalog

    with ProgressBar() as bar, Catalog.open(catalog) as opened:
        report = opened.export(target, part_rows=parts, captions=captions, force=force, on_progress=bar.update)
    if json:
        print_json(asdict(report))
        return
    more = f" and {count(report.captions, 'caption')}" if captions else ""
    out(
        f"{shown_path(report.path)}: {count(report.pictures, 'picture')}{more} of {report.model}, {report.dim} numbers "
        f"each, {count(report.parts, 'part')}, {size(report.size_bytes)}"
    )


def import_embeddings(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="What 'clipsearch export' wrote, or a folder of clip-retrieval's or LAION's; or a file.",
        ),
    ],
    images: Annotated[
        str | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="Where the pictures lie: relative paths start here, and DIR is indexed from now on.",
            show_default=False,
        ),
    ] = None,
    roots: Annotated[
        list[str] | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Of the folders that the export names, index those below DIR from now on; may be given several times.",
            show_default=False,
        ),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="The embeddings come from the model, though no picture is here to check.")
    ] = False,
    captions: Annotated[bool, typer.Option("--captions", help="Take in captions too.")] = False,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    max_megapixels: MaxMegapixelsOption = None,
    max_seconds: MaxSecondsOption = DEFAULT_MAX_SECONDS,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> int:
    """Take in embeddings that the same model has made elsewhere: pictures that are there are not embedded again."""
    from clipsearch.catalog import Catalog

    limits = decoding_limits(max_megapixels, max_seconds)
    with (
        ProgressBar("row") as bar,
        Catalog.open(
            catalog, model=model, device=device, runtime=runtime, create=True, show_progress=is_terminal()
        ) as opened,
    ):
        report = opened.import_embeddings(
            source,
            images=images,
            roots=roots or (),
            trust=trust,
            captions=captions,
            limits=limits,
            wait=wait,
            on_progress=bar.update,
        )
    if json:
        print_json(asdict(report) | {"cosine": None if math.isnan(report.cosine) else report.cosine})
        return INTERRUPTED if report.interrupted else 0
    parts = [
        f"{report.added:,} added",
        f"{report.known:,} known already" if report.known else "",
        f"{report.missing:,} left out: not here" if report.missing else "",
        f"{report.broken:,} left out: no numbers" if report.broken else "",
        f"{len(report.skipped):,} skipped" if report.skipped else "",
    ]
    out(f"{', '.join(filter(None, parts))} of {count(report.rows, 'embedding')} in {report.seconds:.1f} s")
    if report.checked:
        out(f"  checked: {count(report.checked, 'picture')} embedded again, median cosine {report.cosine:.3f}")
    if captions:
        out(f"  {count(report.captions, 'caption')} added")
    print_skipped(report.skipped)
    if report.without_file:
        where = f", {report.outside:,} of them in no indexed folder (see --root)" if report.outside else ""
        out(f"  {count(report.without_file, 'picture')} without a file{where}: found once 'clipsearch index' meets it")
    if report.interrupted:
        note("what was done is kept, the next import goes on from there")
    return INTERRUPTED if report.interrupted else 0
