"""Write hits as a contact sheet: one self-contained HTML file with embedded thumbnails."""

import base64
import hashlib
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from clipsearch.errors import ImageReadError, InputError
from clipsearch.files import is_replaced, write_file
from clipsearch.images.thumbnails import make_thumbnail
from clipsearch.parts import locate
from clipsearch.paths import expand_user
from clipsearch.processes import core_count
from clipsearch.scoring.relevance import DEFAULT_CUTOFF, has_match
from clipsearch.search.hits import SearchHit

_TEMPLATES = Path(__file__).parent / "templates"
_SUFFIXES = (".html", ".htm")

# Twice the width of a tile: sharp on dense screens, about 15 KB each.
_THUMBNAIL_SIDE = 384

# Marker near the start of each sheet: only a file with it may be overwritten.
_MARK = b'<meta name="generator" content="clipsearch">'
_MARK_WITHIN_BYTES = 2048


@dataclass(frozen=True, slots=True)
class _Tile:
    """Template data of a hit; `image` is a data URI, or "" when `reason` says why there is none."""

    hit: SearchHit
    name: str
    folder: str
    uri: str
    has_score: bool
    is_faint: bool
    image: str = ""
    width: int = 0
    height: int = 0
    reason: str = ""


def sheet_path(file: str | os.PathLike[str]) -> Path:
    """Check that a contact sheet can be written, and return its absolute path; called before a query runs.

    Raises:
        InputError: wrong suffix, missing folder, or an existing file that is not a contact sheet.
    """
    if "\0" in os.fspath(file):
        raise InputError("can't write a file with a NUL character in its name")
    path = Path(os.path.realpath(expand_user(file)))  # follows a symbolic link: its target is written
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"a contact sheet is an HTML file: call it {path.name}.html instead of {path.name}")
    try:
        if not path.parent.is_dir():
            raise InputError(f"no folder {path.parent} to write {path.name} in")
        if is_replaced(path) and not _is_sheet(path):
            raise InputError(f"{path} already exists and is not a contact sheet: choose another name")
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or error}") from error
    return path


def write_contact_sheet(
    file: str | os.PathLike[str], hits: Sequence[SearchHit], *, query: str, cutoff: float = DEFAULT_CUTOFF
) -> Path:
    """Write hits as one HTML file: thumbnails, scores, paths and the query, without scripts and external resources.

    Args:
        file: ends in .html or .htm; an existing contact sheet is replaced by an atomic write.
        hits: shown in this order; an unreadable picture gets a tile with the reason.
        query: the text of the query.
        cutoff: hits of lower relevance are shown faint.

    Returns:
        The absolute path of the file.

    Raises:
        InputError: as in `sheet_path`, or the write failed.
    """
    path = sheet_path(file)
    with ThreadPoolExecutor(min(8, core_count())) as pool:
        tiles = list(pool.map(lambda hit: _tile(hit, cutoff), hits))
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    style = (_TEMPLATES / "contact_sheet.css").read_text(encoding="utf-8")
    html = templates.get_template("contact_sheet.html").render(
        query=query,
        tiles=tiles,
        cutoff=cutoff,
        has_match=has_match((hit.relevance for hit in hits), cutoff),
        made=datetime.now().astimezone(),
        # A bundled stylesheet without a closing tag: the content security policy allows it by its hash alone.
        style=Markup(style),  # noqa: S704
        style_hash="sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
    try:
        write_file(path, html.encode("utf-8", "replace"))  # invalid UTF-8 in file names becomes "?"
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or error}") from error
    return path


def _is_sheet(path: Path) -> bool:
    with path.open("rb") as file:
        return _MARK in file.read(_MARK_WITHIN_BYTES)


def _tile(hit: SearchHit, cutoff: float) -> _Tile:
    path = Path(hit.path)
    tile = partial(
        _Tile,
        hit,
        name=path.name if hit.part is None else f"{path.name} · {hit.part.label}",
        folder=str(path.parent),
        uri=locate(path.as_uri(), hit.part),  # browsers open a film at its second, a document at its page
        has_score=not math.isnan(hit.score),
        is_faint=hit.relevance < cutoff,
    )
    try:
        thumbnail = make_thumbnail(hit.path, side=_THUMBNAIL_SIDE, part=hit.part)
    except FileNotFoundError:
        return tile(reason="file not found: moved, deleted, or on a drive that is not mounted")
    except OSError as error:
        return tile(reason=f"can't be opened: {error.strerror or error}")
    except (ImageReadError, MemoryError) as error:
        return tile(reason=f"can't be read: {error}")
    image = "data:image/jpeg;base64," + base64.b64encode(thumbnail.jpeg).decode("ascii")
    return tile(image=image, width=thumbnail.width, height=thumbnail.height)
