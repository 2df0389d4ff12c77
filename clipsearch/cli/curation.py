"""Implement clipsearch unusual and representative."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipsearch.cli.index import is_terminal
from clipsearch.cli.options import (
    CatalogOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    PrecisionOption,
    RuntimeOption,
    TopKOption,
)
from clipsearch.cli.query_arguments import read_query
from clipsearch.cli.render import note, out, print_json, print_paths, shown_path
from clipsearch.cli.viewing import check_sheet, write_sheet
from clipsearch.errors import InputError
from clipsearch.quantities import count
from clipsearch.search.hits import SearchHit

if TYPE_CHECKING:
    from clipsearch.gallery.curation import RepresentativePicture, UnusualPicture

_QueryArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[QUERY]...",
        help="Filters such as taken:2024, or a query whose likely matches are taken. Default: all pictures.",
    ),
]
_FolderOption = Annotated[
    list[str] | None,
    typer.Option("--folder", metavar="DIR", help="Take the pictures below this folder; repeat for several."),
]
_HtmlOption = Annotated[
    str | None,
    typer.Option("--html", metavar="FILE", help="Also write a contact sheet to FILE.html.", show_default=False),
]
_PathsOption = Annotated[bool, typer.Option("--paths", help="Print paths only, one per line.")]
_Print0Option = Annotated[bool, typer.Option("-0", "--print0", help="Print paths only, ended by NUL.")]


def unusual(
    query_words: _QueryArgument = None,
    folders: _FolderOption = None,
    top_k: TopKOption = 10,
    html: _HtmlOption = None,
    paths: _PathsOption = False,
    print0: _Print0Option = False,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    json: JsonOption = False,
) -> None:
    """Find pictures unlike the others.

    Prints rank, mean cosine to the 10 nearest pictures, and path; the most unusual first.
    """
    from clipsearch.catalog import Catalog

    sheet = _check_output(json, paths or print0, html)
    parsed = read_query(query_words) if query_words else None
    with Catalog.open(
        catalog, model=model, device=device, runtime=runtime, precision=precision, show_progress=is_terminal()
    ) as opened:
        found = opened.pictures.unusual(parsed, folders=folders or [], top_k=top_k)
    _write_sheet(sheet, found, f"Unusual: {' '.join(query_words or folders or ['all pictures'])}")
    if json:
        print_json({"query": " ".join(query_words or []), "pictures": [asdict(each) for each in found]})
    elif paths or print0:
        print_paths((each.path for each in found), end=b"\0" if print0 else b"\n")
    else:
        for each in found:
            out(f"{each.rank:>4}  {each.similarity:.3f}  {shown_path(each.path)}{_more(each.copies)}")
        _note_if_empty(found)


def representative(
    query_words: _QueryArgument = None,
    folders: _FolderOption = None,
    top_k: TopKOption = 10,
    html: _HtmlOption = None,
    paths: _PathsOption = False,
    print0: _Print0Option = False,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    json: JsonOption = False,
) -> None:
    """Choose pictures that represent the others.

    Prints rank, the number of pictures that each stands for, and path; the largest number first.
    """
    from clipsearch.catalog import Catalog

    sheet = _check_output(json, paths or print0, html)
    parsed = read_query(query_words) if query_words else None
    with Catalog.open(
        catalog, model=model, device=device, runtime=runtime, precision=precision, show_progress=is_terminal()
    ) as opened:
        found = opened.pictures.representative(parsed, folders=folders or [], top_k=top_k)
    _write_sheet(sheet, found, f"Representative: {' '.join(query_words or folders or ['all pictures'])}")
    if json:
        print_json({"query": " ".join(query_words or []), "pictures": [asdict(each) for each in found]})
    elif paths or print0:
        print_paths((each.path for each in found), end=b"\0" if print0 else b"\n")
    else:
        for each in found:
            out(f"{each.rank:>4}  {count(each.pictures, 'picture'):>14}  {shown_path(each.path)}{_more(each.copies)}")
        _note_if_empty(found)


def _check_output(json: bool, is_paths: bool, html: str | None) -> Path | None:
    """Check the output options, and return the file of the contact sheet."""
    if json and is_paths:
        raise InputError("choose one output format: --json, --paths or -0")
    return check_sheet(html)


def _write_sheet(path: Path | None, found: "Sequence[UnusualPicture | RepresentativePicture]", title: str) -> None:
    if path is not None:
        hits = [SearchHit(each.rank, math.nan, 1.0, each.path, each.content_id, each.copies) for each in found]
        write_sheet(path, hits, title)


def _more(copies: Sequence[str]) -> str:
    return f"  (+ {count(len(copies), 'copy', 'copies')})" if copies else ""


def _note_if_empty(found: Sequence[object]) -> None:
    if not found:
        note("clipsearch: no pictures to choose from")
