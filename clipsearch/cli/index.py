"""clipsearch index"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

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
from clipsearch.cli.render import print_json, print_report, report_json
from clipsearch.settings import DEFAULT_MAX_SECONDS

if TYPE_CHECKING:
    from tqdm import tqdm

SKIPPED_UNDER_STRICT = 5


def index(
    folders: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FOLDER]...", help="Folders of pictures. Without any: those indexed before."),
    ] = None,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="What is not there any more is gone, not on a drive that is away.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Read files again that could not be read, though they have not changed.")
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="PATTERN",
            help="Leave this out from now on: a pattern as in .gitignore, relative to each FOLDER, also several times. "
            "'' takes all back.",
            show_default=False,
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Read all files anew; those with another content are embedded.")
    ] = False,
    where: Annotated[
        str | None,
        typer.Option(
            "--index",
            metavar="URL",
            help="Where the index is from now on: milvus://HOST:19530/NAME?type=HNSW, or 'files'. Default: as before.",
            show_default=False,
        ),
    ] = None,
    max_megapixels: MaxMegapixelsOption = None,
    max_seconds: MaxSecondsOption = DEFAULT_MAX_SECONDS,
    ann: Annotated[
        str | None,
        typer.Option(
            metavar="auto|off|SPEC",
            help="From now on: compare queries with all pictures (off), with those in the nearest of so many cells "
            "(IVF1024,SQfp16), or by how many there are (auto).",
            show_default=False,
        ),
    ] = None,
    runner: Annotated[
        str,
        typer.Option(
            metavar="local|ray",
            help="Where pictures are read and embedded: here, or on the machines of a Ray cluster; FOLDER may then be "
            "a URL such as s3://bucket/photos.",
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="The head of the Ray cluster, or 'auto'. Default: RAY_ADDRESS, else a Ray of its own on this machine.",
            show_default=False,
        ),
    ] = None,
    wait: WaitOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 5 when pictures were skipped.")] = False,
    json: JsonOption = False,
) -> int:
    """Index folders of pictures. Only what is new or has changed is read; what is gone is forgotten."""
    from clipsearch.catalog import Catalog

    limits = decoding_limits(max_megapixels, max_seconds)
    with (
        ProgressBar() as bar,
        Catalog.open(
            catalog, model=model, device=device, runtime=runtime, create=True, show_progress=is_terminal()
        ) as opened,
    ):
        if where is not None:
            opened.admin.use_index(where)
        report = opened.index(
            *(folders or []),
            prune=prune,
            retry=retry,
            again=again,
            exclude=exclude or (),
            limits=limits,
            ann=ann,
            runner=runner,
            address=address,
            wait=wait,
            on_progress=bar.update,
        )
    if json:
        print_json(report_json(report))
    else:
        print_report(report)
    if report.interrupted:
        return INTERRUPTED
    return SKIPPED_UNDER_STRICT if strict and report.skipped else 0


def is_terminal() -> bool:
    return sys.stderr.isatty()


class ProgressBar:
    """A bar on stderr, drawn only on a terminal and only when there is something to do."""

    def __init__(self, noun: str = "picture") -> None:
        self._noun = noun
        self._bar: "tqdm[None] | None" = None  # noqa: UP037 (the name exists for type checkers only)

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, done: int, total: int) -> None:
        if not is_terminal():
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=f" {self._noun}s", file=sys.stderr, dynamic_ncols=True)
        self._bar.total = total  # it grows while folders are still listed
        self._bar.update(done - self._bar.n)
