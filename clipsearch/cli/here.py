"""Index the current folder before a query, when the user asks for it or agrees to it."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clipsearch.cli.index import ProgressBar, is_terminal
from clipsearch.cli.render import describe_report, note, printable
from clipsearch.errors import CatalogNotFoundError, InputError
from clipsearch.quantities import count
from clipsearch.trust import add_to_list, read_list

if TYPE_CHECKING:
    from clipsearch.query import Query
    from clipsearch.search.hits import SearchHit

# Time to count the pictures of the current folder.
_COUNT_S = 1.0

# Folders that the user does not want to be asked about again, in the user's configuration.
_DECLINED = "declined-folders"


def current_folder() -> str:
    """Return the real path of the current folder.

    Raises:
        InputError: it was deleted.
    """
    try:
        return os.path.realpath(Path.cwd())
    except OSError as error:
        raise InputError(f"the current folder can't be used: {error.strerror or error}") from error


def within(query: "Query", folder: str) -> "Query":
    """Limit a query to the files below a folder, or of a name that folds to the same.

    `Catalog.pictures.within` is exact; this one makes a file in the folder the first of its copies, and can be printed.
    """
    from dataclasses import replace

    from clipsearch.query.filters import Filter, Pattern

    below = Filter("path", Pattern(os.path.join(folder, "*")))  # noqa: PTH118 (keeps bytes that are not UTF-8)
    return replace(query, filters=(*query.filters, below))


def are_below(hits: "Sequence[SearchHit]", folder: str) -> bool:
    """Return whether all hits are files below a folder of exactly this name."""
    return all(hit.path.startswith(os.path.join(folder, "")) for hit in hits)  # noqa: PTH118


def should_index_here(catalog: str | None, *, is_shown: bool) -> bool:
    """Return whether the user wants the current folder to be indexed, which no indexed folder contains.

    Asks on a terminal. Elsewhere it says how to do it: with an error where there is no catalog.

    Args:
        is_shown: hits are printed for the user rather than for a program.
    """
    folder = current_folder()
    folders = _indexed_folders(catalog)
    # A folder around an indexed one, such as the home folder, was left out on purpose.
    if any(Path(folder).is_relative_to(each) or Path(each).is_relative_to(folder) for each in folders):
        return False
    if not (is_shown and sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()):
        if folders and is_shown:
            note("clipsearch: this folder is not indexed, others are searched; to add it: clipsearch index .")
        return False
    declined = quote(os.fsencode(folder))
    if folders and declined in read_list(_DECLINED):
        return False
    pictures, is_whole = _count_pictures(folder)
    if not pictures:
        return False
    more = "" if is_whole else " or more"
    question = f"{printable(folder)} is not indexed. Index its {count(pictures, 'picture')}{more} now?"
    print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    if folders:
        add_to_list(_DECLINED, declined)
    return False


def index_here(**options: Any) -> bool:
    """Index new and changed files of the current folder; return False when it was interrupted.

    Args:
        options: as in `Catalog.open`.
    """
    from clipsearch.catalog import Catalog

    with ProgressBar() as bar, Catalog.open(**options, create=True, show_progress=is_terminal()) as opened:
        report = opened.index(current_folder(), on_progress=bar.update)
    if report.embedded or report.moved or report.removed or report.skipped:
        note(f"clipsearch: {describe_report(report)}")
    return not report.interrupted


def _indexed_folders(catalog: str | None) -> tuple[str, ...]:
    from clipsearch.catalog import Catalog

    try:
        with Catalog.open(catalog) as opened:
            return opened.admin.folders()
    except CatalogNotFoundError:
        return ()


def _count_pictures(folder: str) -> tuple[int, bool]:
    """Count the pictures of a folder for about a second; return their number so far, and whether that is all."""
    from clipsearch.images.find import ImageWalk

    end, pictures = time.monotonic() + _COUNT_S, 0
    for part in ImageWalk(folder):
        pictures += len(part)
        if time.monotonic() > end:
            return pictures, False
    return pictures, True
