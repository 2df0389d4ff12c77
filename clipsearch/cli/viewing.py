"""Results outside of the terminal: contact sheets, drawings, and files in the programs they belong to."""

import io
from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clipsearch.cli.render import note, printable, shown_path
from clipsearch.errors import InputError
from clipsearch.files import is_replaced, write_file
from clipsearch.paths import expand_user
from clipsearch.search.hits import SearchHit

if TYPE_CHECKING:
    from PIL import Image


def check_sheet(file: str | None) -> Path | None:
    """Where --html writes, before the query is answered; errors as in `contact_sheet.sheet_path`."""
    if file is None:
        return None
    from clipsearch.gallery.contact_sheet import sheet_path

    return sheet_path(file)


def write_sheet(path: Path, hits: Sequence[SearchHit], query: str) -> None:
    from clipsearch.gallery.contact_sheet import write_contact_sheet

    write_contact_sheet(path, hits, query=query)
    note(f"contact sheet: {shown_path(str(path))}")


def check_drawing(name: str, *, kind: str, suffixes: Container[str], force: bool) -> Path:
    """Where a drawing is written, before it is made.

    Args:
        kind: what it is, with its article.
        suffixes: in lower case; the name must end in one of them.
        force: replace a file that is there.

    Raises:
        InputError: it can't be written there.
    """
    path = expand_user(name)
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{kind} is a picture: call it {printable(path.name)}.png instead of {printable(path.name)}")
    try:
        if not path.parent.is_dir():
            raise InputError(f"no folder {printable(str(path.parent))} to write {printable(path.name)} in")
        if is_replaced(path) and not force:
            raise InputError(f"{printable(name)} is there already: --force replaces it")
    except (OSError, ValueError) as error:
        raise InputError(f"can't write {printable(name)}: {getattr(error, 'strerror', None) or error}") from error
    return path


def write_drawing(path: Path, drawing: "Image.Image", kind: str) -> None:
    """Writes a drawing at once and whole, in a format of Pillow.

    Raises:
        InputError: it can't be written.
    """
    content = io.BytesIO()
    drawing.save(content, kind)
    try:
        write_file(path, content.getvalue())
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or error}") from error


def open_file(path: str) -> None:
    """Opens a file as a double click would, and does not wait.

    Raises:
        InputError: it is not there, or there is nothing to open it with.
    """
    if not Path(path).exists():
        raise InputError(f"can't open {printable(path)}: it is not there, or on a drive that is not mounted")
    if typer.launch(path) != 0:
        raise InputError(f"can't open {printable(path)}: there is no program here that opens files")
