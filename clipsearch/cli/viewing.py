"""Write contact sheets and drawings, and open files in their default program."""

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
    """Check the file of --html before the query runs; errors as in `contact_sheet.sheet_path`."""
    if file is None:
        return None
    from clipsearch.gallery.contact_sheet import sheet_path

    return sheet_path(file)


def write_sheet(path: Path, hits: Sequence[SearchHit], query: str) -> None:
    """Write the contact sheet of hits."""
    from clipsearch.gallery.contact_sheet import write_contact_sheet

    write_contact_sheet(path, hits, query=query)
    note(f"contact sheet: {shown_path(str(path))}")


def check_drawing(name: str, *, kind: str, suffixes: Container[str], force: bool) -> Path:
    """Check that a drawing can be written, and return its path; called before it is drawn.

    Args:
        kind: noun of the drawing, with its article.
        suffixes: allowed suffixes, in lower case.
        force: replace an existing file.

    Raises:
        InputError: wrong suffix, missing folder, or an existing file without `force`.
    """
    path = expand_user(name)
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{kind} is a picture: call it {printable(path.name)}.png instead of {printable(path.name)}")
    try:
        if not path.parent.is_dir():
            raise InputError(f"no folder {printable(str(path.parent))} to write {printable(path.name)} in")
        if is_replaced(path) and not force:
            raise InputError(f"{printable(name)} already exists: use --force to replace it")
    except (OSError, ValueError) as error:
        raise InputError(f"can't write {printable(name)}: {getattr(error, 'strerror', None) or error}") from error
    return path


def write_drawing(path: Path, drawing: "Image.Image", kind: str) -> None:
    """Write a drawing by an atomic write, in one of Pillow's formats.

    Raises:
        InputError: the write failed.
    """
    content = io.BytesIO()
    drawing.save(content, kind)
    try:
        write_file(path, content.getvalue())
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or error}") from error


def open_file(path: str) -> None:
    """Open a file in its default program, without waiting.

    Raises:
        InputError: missing file, or no program to open it.
    """
    if not Path(path).exists():
        raise InputError(f"can't open {printable(path)}: the file is missing or on a drive that is not mounted")
    if typer.launch(path) != 0:
        raise InputError(f"can't open {printable(path)}: no program to open files was found")
