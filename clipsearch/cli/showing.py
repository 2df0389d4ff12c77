"""Results outside of the terminal: contact sheets, and files in the programs they belong to."""

from collections.abc import Sequence
from pathlib import Path

import typer

from clipsearch.cli.render import note, printable, shown_path
from clipsearch.errors import InputError
from clipsearch.types import SearchHit


def check_sheet(file: str | None) -> Path | None:
    """Where --html writes, before the query is answered; errors as in `contact_sheet.sheet_path`."""
    if file is None:
        return None
    from clipsearch.contact_sheet import sheet_path

    return sheet_path(file)


def write_sheet(path: Path, hits: Sequence[SearchHit], query: str) -> None:
    from clipsearch.contact_sheet import write_contact_sheet

    write_contact_sheet(path, hits, query=query)
    note(f"contact sheet: {shown_path(str(path))}")


def open_file(path: str) -> None:
    """Opens a file as a double click would, and does not wait.

    Raises:
        InputError: it is not there, or there is nothing to open it with.
    """
    if not Path(path).exists():
        raise InputError(f"can't open {printable(path)}: it is not there, or on a drive that is not mounted")
    if typer.launch(path) != 0:
        raise InputError(f"can't open {printable(path)}: there is no program here that opens files")
