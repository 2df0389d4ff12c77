"""Implement clipsearch service install | status | remove."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipsearch.cli.options import (
    CatalogOption,
    DeviceOption,
    MaxMegapixelsOption,
    ModelOption,
    OcrOption,
    PrecisionOption,
    RuntimeOption,
)
from clipsearch.cli.render import out, printable
from clipsearch.errors import CatalogNotFoundError, InputError, ServiceError

if TYPE_CHECKING:
    from clipsearch.paths import CatalogPlace
    from clipsearch.service.managers import Manager, ManagerCommand

app = typer.Typer(help="Keep a catalog current in the background.", no_args_is_help=True, rich_markup_mode=None)


@app.command("install")
def install(
    folders: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FOLDER]...", help="Folders to watch. Default: those indexed, now or later."),
    ] = None,
    catalog: CatalogOption = None,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve",
            help="Also serve the page, as clipsearch serve --watch: no FOLDER, those that are indexed are watched.",
        ),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, metavar="N", help="With --serve: listen here.", show_default=False),
    ] = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    ocr: OcrOption = None,
    rescan: Annotated[
        float | None,
        typer.Option("--rescan", metavar="SECONDS", min=1, help="Scan network drives this often.", show_default=False),
    ] = None,
    max_megapixels: MaxMegapixelsOption = None,
    show: Annotated[bool, typer.Option("--print", help="Print the service's file only; write nothing.")] = False,
) -> None:
    """Install and start clipsearch watch, or serve --watch, as a service.

    A unit of systemd, an agent of launchd or a scheduled task, for this user and one catalog. It starts at every login,
    with low priority, and again when it fails. Installing replaces the catalog's service.
    """
    from clipsearch import paths
    from clipsearch.service import managers
    from clipsearch.service.definition import Service, absolute_model
    from clipsearch.service.find import find_manager

    options = {
        "--port": port,
        "--model": None if model is None else absolute_model(model),
        "--device": device,
        "--runtime": runtime,
        "--precision": precision,
        "--rescan": rescan,
        "--max-megapixels": max_megapixels,
    }
    place = paths.catalog_place(catalog)
    words = ["serve", "--watch"] if serve else ["watch", *paths.absolute_folders(folders or [])]
    of_watch = [*(folders or []), ocr, rescan, max_megapixels]
    if serve and any(value is not None for value in of_watch):
        raise InputError("--serve watches the folders that are indexed: leave folders and options of watch out")
    if port is not None and not serve:
        raise InputError("--port is of the page: use it with --serve")
    words += [word for name, value in options.items() if value is not None for word in (name, f"{value}")]
    if ocr is not None:
        words.append("--ocr" if ocr else "--no-ocr")
    manager, service = find_manager(), Service.of(place, words)
    if not serve:
        _check_folders(words[1 : 1 + len(folders or [])], catalog)
    if show:
        out(manager.text(service).rstrip("\n"))
        return
    path = managers.install(service, manager)
    out(f"written: {printable(str(path))}")
    _run(manager.start_commands(service.name))


@app.command("status")
def status(catalog: CatalogOption = None) -> None:
    """Show whether a catalog's service is installed and runs."""
    from clipsearch import paths
    from clipsearch.service.definition import name_of
    from clipsearch.service.find import find_manager

    place = paths.catalog_place(catalog)
    name, manager = name_of(place), find_manager()
    path = manager.path(name)
    out(f"catalog   {printable(str(place))}")
    if not path.exists():
        out(f"service   {name}, not installed: clipsearch service install")
    else:
        out(f"service   {name}, {printable(str(path))}")
        out(f"running   {_describe_state(manager, name)}")
    out(f"last run  {_describe_last_run(place)}")


@app.command("remove")
def remove(catalog: CatalogOption = None) -> None:
    """Stop a catalog's service, and delete it.

    The catalog stays.
    """
    from clipsearch import paths
    from clipsearch.service.definition import name_of
    from clipsearch.service.find import find_manager

    place = paths.catalog_place(catalog)
    name, manager = name_of(place), find_manager()
    path = manager.path(name)
    if not path.exists():
        raise InputError(f"the catalog {place} has no service: {path} is missing")
    try:
        _run(manager.stop_commands(name))
    finally:
        path.unlink()
        out(f"deleted: {printable(str(path))}")


def _check_folders(folders: Sequence[str], catalog: str | None) -> None:
    """Check that there is something to watch, before a service fails for want of it."""
    from pathlib import Path

    from clipsearch.catalog import Catalog

    for folder in folders:
        if not Path(folder).is_dir():
            raise InputError(f"no folder {folder}")
    if not folders:
        with Catalog.open(catalog) as opened:
            if not opened.admin.status().folders:
                raise InputError("no folder was indexed before: name one, as in 'clipsearch service install FOLDER'")


def _run(commands: "Sequence[ManagerCommand]") -> None:
    from clipsearch.service import managers

    managers.run_commands(commands)
    for command in commands:
        out(f"done: {printable(str(command))}")


def _describe_state(manager: "Manager", name: str) -> str:
    from clipsearch.service import managers

    try:
        state = manager.parse_state(managers.run_commands([manager.state_command(name)]))
    except ServiceError as error:
        return f"unknown: {printable(str(error))}"
    if not state.is_running:
        return "no"
    since = None if state.pid is None else _started_at(state.pid)
    return "yes" if since is None else f"since {since:%Y-%m-%d %H:%M}, process {state.pid}"


def _started_at(pid: int) -> datetime | None:
    import psutil

    try:
        return datetime.fromtimestamp(psutil.Process(pid).create_time()).astimezone()
    except psutil.Error:  # it has ended meanwhile
        return None


def _describe_last_run(place: "CatalogPlace") -> str:
    from clipsearch.catalog import Catalog
    from clipsearch.cli.status import describe_run

    location: Any = place.server or place.directory
    try:
        with Catalog.open(location) as opened:
            run = opened.admin.status().last_run
    except CatalogNotFoundError:
        run = None
    return "none" if run is None else describe_run(run)
