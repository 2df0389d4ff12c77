"""Implement clipsearch index."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from clipsearch.cli.options import (
    INTERRUPTED,
    CatalogOption,
    DeviceOption,
    FoldersArgument,
    JsonOption,
    MaxMegapixelsOption,
    MaxSecondsOption,
    ModelOption,
    PrecisionOption,
    RuntimeOption,
    StrictOption,
    WaitOption,
    decoding_limits,
)
from clipsearch.cli.render import print_json, print_report, report_json, shows_progress
from clipsearch.settings import DEFAULT_MAX_SECONDS

if TYPE_CHECKING:
    from tqdm import tqdm

SKIPPED_UNDER_STRICT = 5


def index(
    folders: FoldersArgument = None,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove missing files, even if their drive seems unmounted.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Retry unreadable files that have not changed.")] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="PATTERN",
            help="Exclude files by pattern, persistently: as in .gitignore, relative to each FOLDER; may be repeated. "
            "'' removes all patterns.",
            show_default=False,
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Re-read all files, and embed changed content.")] = False,
    detail: Annotated[
        bool,
        typer.Option("--detail", help="Also embed five to nine crops of each picture, to find small things."),
    ] = False,
    ocr: Annotated[
        bool | None,
        typer.Option(
            "--ocr/--no-ocr",
            help="Also read the text in pictures, as later runs then do; or not in this run.",
            show_default=False,
        ),
    ] = None,
    index_url: Annotated[
        str | None,
        typer.Option(
            "--index",
            metavar="URL",
            help="Store the index here, persistently: milvus://HOST:19530/NAME?type=HNSW, or 'files'.",
            show_default=False,
        ),
    ] = None,
    max_megapixels: MaxMegapixelsOption = None,
    max_seconds: MaxSecondsOption = DEFAULT_MAX_SECONDS,
    ann: Annotated[
        str | None,
        typer.Option(
            metavar="auto|off|SPEC",
            help="Set the search method, persistently: exact (off), approximate with this number of cells "
            "(IVF1024,SQ4, or IVF1024,SQfp16 for more memory), or by the number of pictures (auto).",
            show_default=False,
        ),
    ] = None,
    runner: Annotated[
        str,
        typer.Option(
            metavar="local|ray",
            help="Read and embed pictures here or on a Ray cluster; with Ray, FOLDER may be a URL such as "
            "s3://bucket/photos.",
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Connect to this Ray head, or 'auto'. Default: RAY_ADDRESS, else a local Ray on this machine.",
            show_default=False,
        ),
    ] = None,
    wait: WaitOption = False,
    strict: StrictOption = False,
    json: JsonOption = False,
) -> int:
    """Index folders of pictures.

    Reads only new and changed files; missing ones are removed from the results.
    """
    from clipsearch.catalog import Catalog

    limits = decoding_limits(max_megapixels, max_seconds)
    with (
        ProgressBar() as bar,
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
        if index_url is not None:
            opened.admin.use_index(index_url)
        report = opened.index(
            *(folders or []),
            prune=prune,
            retry=retry,
            again=again,
            detail=detail,
            exclude=exclude or (),
            limits=limits,
            ann=ann,
            runner=runner,
            address=address,
            wait=wait,
            on_progress=bar.update,
            ocr=ocr,
        )
    if json:
        print_json(report_json(report))
    else:
        print_report(report)
    if report.interrupted:
        return INTERRUPTED
    skipped = report.skipped or (report.texts is not None and report.texts.skipped)
    return SKIPPED_UNDER_STRICT if strict and skipped else 0


def is_terminal() -> bool:
    """Return whether stderr is a terminal that shows notes and progress."""
    return shows_progress()


class ProgressBar:
    """Progress bar on stderr, drawn only on a terminal and from the first update on."""

    def __init__(self, noun: str = "picture") -> None:
        self._noun = noun
        self._bar: "tqdm[None] | None" = None  # noqa: UP037 (the name exists for type checkers only)

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, done: int, total: int) -> None:
        """Draw the progress."""
        if not is_terminal():
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=f" {self._noun}s", file=sys.stderr, dynamic_ncols=True)
        self._bar.total = total  # it grows while folders are being listed
        self._bar.update(done - self._bar.n)
