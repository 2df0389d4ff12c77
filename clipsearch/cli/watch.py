"""Implement clipsearch watch."""

import signal
import threading
from typing import Annotated

import typer

from clipsearch.cli.index import is_terminal
from clipsearch.cli.options import (
    CatalogOption,
    DeviceOption,
    FoldersArgument,
    JsonOption,
    MaxMegapixelsOption,
    MaxSecondsOption,
    ModelOption,
    PrecisionOption,
    RuntimeOption,
    decoding_limits,
)
from clipsearch.cli.render import discard_without_streams, note, print_line, print_report, report_json
from clipsearch.settings import DEFAULT_MAX_SECONDS


def watch(
    folders: FoldersArgument = None,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    ocr: Annotated[
        bool | None,
        typer.Option("--ocr/--no-ocr", help="Also read the text in pictures; or not.", show_default=False),
    ] = None,
    rescan: Annotated[
        float | None,
        typer.Option(
            "--rescan",
            metavar="SECONDS",
            min=1,
            help="Scan network drives and the like this often. Default: 30.",
            show_default=False,
        ),
    ] = None,
    max_megapixels: MaxMegapixelsOption = None,
    max_seconds: MaxSecondsOption = DEFAULT_MAX_SECONDS,
    json: JsonOption = False,
) -> None:
    """Index folders, then what changes in them.

    Runs until Ctrl-C. Folders that vanish are indexed when they are back.
    """
    from clipsearch.catalog import Catalog
    from clipsearch.indexing.watch import has_changes

    discard_without_streams()
    limits = decoding_limits(max_megapixels, max_seconds)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Catalog.open(
        catalog,
        model=model,
        device=device,
        runtime=runtime,
        precision=precision,
        create=True,
        show_progress=is_terminal(),
    ) as opened:
        is_first = True
        for report in opened.admin.watch(*(folders or []), stop=stop, ocr=ocr, limits=limits, rescan_s=rescan):
            if is_first or has_changes(report):
                print_line(report_json(report)) if json else print_report(report)
            if is_first and not report.interrupted:
                note("watching for changes; Ctrl-C ends it")
            is_first = False
