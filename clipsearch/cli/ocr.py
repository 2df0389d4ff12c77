"""Implement clipsearch ocr."""

from dataclasses import asdict
from typing import Annotated

import typer

from clipsearch.cli.index import SKIPPED_UNDER_STRICT, ProgressBar
from clipsearch.cli.options import (
    INTERRUPTED,
    CatalogOption,
    JsonOption,
    MaxMegapixelsOption,
    MaxSecondsOption,
    StrictOption,
    WaitOption,
    decoding_limits,
)
from clipsearch.cli.render import note, print_json, print_texts
from clipsearch.settings import DEFAULT_MAX_SECONDS


def ocr(
    catalog: CatalogOption = None,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Also read with ONNX models of other languages in this folder, from now on; bundled: "
            "with those of the package alone.",
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Read all pictures again.")] = False,
    max_megapixels: MaxMegapixelsOption = None,
    max_seconds: MaxSecondsOption = DEFAULT_MAX_SECONDS,
    wait: WaitOption = False,
    strict: StrictOption = False,
    json: JsonOption = False,
) -> int:
    """Read the text in indexed pictures.

    Reads those in which that was not done yet; from then on 'index' reads new ones, too.
    """
    from clipsearch.catalog import Catalog

    limits = decoding_limits(max_megapixels, max_seconds)
    with ProgressBar() as bar, Catalog.open(catalog) as opened:
        report = opened.admin.read_texts(models=models, limits=limits, again=again, wait=wait, on_progress=bar.update)
    if json:
        print_json(asdict(report))
    else:
        print_texts(report)
        if report.interrupted:
            note("completed work is saved, the next run continues from there")
    if report.interrupted:
        return INTERRUPTED
    return SKIPPED_UNDER_STRICT if strict and report.skipped else 0
