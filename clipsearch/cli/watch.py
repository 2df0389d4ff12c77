"""Implement clipsearch watch."""

import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

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
    OcrOption,
    PrecisionOption,
    RuntimeOption,
    decoding_limits,
)
from clipsearch.cli.render import discard_without_streams, hit_rows, note, print_line, print_report, report_json
from clipsearch.errors import InputError, QueryError
from clipsearch.quantities import count
from clipsearch.settings import DEFAULT_MAX_SECONDS
from clipsearch.types import IndexReport

if TYPE_CHECKING:
    from clipsearch.catalog import Catalog


def watch(
    folders: FoldersArgument = None,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    ocr: OcrOption = None,
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
    matches: Annotated[
        list[str] | None,
        typer.Option(
            "--matches",
            metavar="@NAME",
            help="Print a JSON line for each new picture that matches a saved search, once; may be repeated. Runs are "
            "reported on stderr.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Index folders, then what changes in them.

    Runs until Ctrl-C. Folders that vanish are indexed when they are back.
    """
    from clipsearch.catalog import Catalog
    from clipsearch.indexing.watch import has_changes

    discard_without_streams()
    if matches and json:
        raise InputError("--matches prints JSON lines of pictures, --json those of index runs: choose one")
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
        searches = [opened.saved.get(name).name for name in matches or ()]
        for name in searches:
            opened.saved.expand(f"@{name}")  # what can't be understood is told at once
        _print_matches(searches, opened)  # those that others have indexed
        is_first = True
        for report in opened.admin.watch(*(folders or []), stop=stop, ocr=ocr, limits=limits, rescan_s=rescan):
            if is_first or has_changes(report):
                _print(report, json=json, is_note=bool(searches))
            _print_matches(searches, opened)
            if is_first and not report.interrupted:
                note("watching for changes; Ctrl-C ends it")
            is_first = False


def _print(report: IndexReport, *, json: bool, is_note: bool) -> None:
    if json:
        print_line(report_json(report))
    elif is_note:
        note(f"clipsearch: {count(report.embedded, 'picture')} embedded in {report.seconds:.1f} s")
    else:
        print_report(report)


def _print_matches(searches: Sequence[str], catalog: "Catalog") -> None:
    """Print the new matches of saved searches; each is recorded as reported once it is printed."""
    for name in searches:
        try:
            for hit in catalog.saved.new_matches(name):
                (row,) = hit_rows([hit], catalog.pictures.summaries([hit.content_id]))
                print_line({"search": name} | row)
                sys.stdout.flush()
        except QueryError as error:  # it was changed or removed meanwhile: the folders are still to be watched
            note(f"clipsearch: {error}", is_error=True)
