"""Implement clipsearch export and import-embeddings."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

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
    PrecisionOption,
    RuntimeOption,
    WaitOption,
    decoding_limits,
)
from clipsearch.cli.render import note, out, print_json, print_skipped, shown_path
from clipsearch.quantities import count, size
from clipsearch.settings import DEFAULT_MAX_SECONDS

if TYPE_CHECKING:
    from clipsearch.transfer.export import ExportReport
    from clipsearch.transfer.imports import ImportReport


def export(
    target: Annotated[
        str,
        typer.Argument(metavar="FOLDER", help="The folder to write, in clip-retrieval's layout, or FILE.parquet."),
    ],
    parts: Annotated[
        int, typer.Option("--parts", min=1, metavar="ROWS", help="Write ROWS rows in each part.")
    ] = 1_000_000,
    captions: Annotated[bool, typer.Option("--captions", help="Also write the stored captions.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write to a folder or file that is not an export.")] = False,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Export embeddings and metadata of all pictures.

    Writes .npy and Parquet files.
    """
    from clipsearch.catalog import Catalog

    with ProgressBar() as bar, Catalog.open(catalog) as opened:
        report = opened.export(target, part_rows=parts, captions=captions, force=force, on_progress=bar.update)
    if json:
        print_json(asdict(report))
        return
    more = f", {count(report.embeddings, 'embedding')}" if report.embeddings != report.pictures else ""
    more += f" and {count(report.captions, 'caption')}" if captions else ""
    more += "".join(f", {each}" for each in _of_users(report))
    out(
        f"{shown_path(report.path)}: {count(report.pictures, 'picture')}{more} of {report.model}, {report.dim} numbers "
        f"each, {count(report.parts, 'part')}, {size(report.size_bytes)}"
    )


def import_embeddings(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="An export of clipsearch, a folder of clip-retrieval or LAION, or a single file.",
        ),
    ],
    images: Annotated[
        str | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="Resolve relative paths in DIR, and index DIR from then on.",
            show_default=False,
        ),
    ] = None,
    roots: Annotated[
        list[str] | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Also index the export's folders below DIR; may be repeated.",
            show_default=False,
        ),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Trust the embeddings when no picture can verify them.")
    ] = False,
    captions: Annotated[bool, typer.Option("--captions", help="Also import captions.")] = False,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    max_megapixels: MaxMegapixelsOption = None,
    max_seconds: MaxSecondsOption = DEFAULT_MAX_SECONDS,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> int:
    """Import embeddings that the same model computed elsewhere.

    Their pictures are not embedded again.
    """
    from clipsearch.catalog import Catalog

    limits = decoding_limits(max_megapixels, max_seconds)
    with (
        ProgressBar("row") as bar,
        Catalog.open(
            catalog,
            model=model,
            device=device,
            runtime=runtime,
            precision=precision,
            create=True,
            show_progress=is_terminal(),
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
        f"{report.known:,} already known" if report.known else "",
        f"{report.missing:,} skipped: picture not found" if report.missing else "",
        f"{report.broken:,} skipped: invalid embedding" if report.broken else "",
        f"{len(report.skipped):,} skipped" if report.skipped else "",
    ]
    out(f"{', '.join(filter(None, parts))} of {count(report.rows, 'embedding')} in {report.seconds:.1f} s")
    if report.checked:
        out(f"  checked: {count(report.checked, 'picture')} embedded again, median cosine {report.cosine:.3f}")
    if captions:
        out(f"  {count(report.captions, 'caption')} added")
    if of_users := _of_users(report):
        out(f"  {', '.join(of_users)} added or extended")
    print_skipped(report.skipped)
    if report.without_file:
        where = f", {report.outside:,} of them outside indexed folders (see --root)" if report.outside else ""
        out(f"  {count(report.without_file, 'picture')} without a file{where}: searchable after 'clipsearch index'")
    if report.interrupted:
        note("completed work is saved, the next import continues from there")
    return INTERRUPTED if report.interrupted else 0


def _of_users(report: "ExportReport | ImportReport") -> list[str]:
    """Count what users have made, each with its noun; without what there is none of."""
    counts = {
        count(report.concepts, "concept"): report.concepts,
        count(report.albums, "album"): report.albums,
        count(report.saved_searches, "saved search", "saved searches"): report.saved_searches,
    }
    return [text for text, number in counts.items() if number]
