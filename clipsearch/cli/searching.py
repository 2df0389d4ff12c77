"""clipsearch query"""

import errno
import os
import stat
from pathlib import Path
from typing import Annotated

import typer

from clipsearch.cli.indexing import is_terminal
from clipsearch.cli.options import (
    AllowUrlOption,
    CatalogOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    RuntimeOption,
    TopKOption,
)
from clipsearch.cli.render import hits_json, note, print_hits, print_json, print_paths
from clipsearch.cli.urls import is_url, picture_of
from clipsearch.errors import QueryError
from clipsearch.settings import expand_user
from clipsearch.types import FetchedPicture


def query(
    query_words: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY...",
            help="Words, or the path of a picture: with a folder or an ending in it, as in ./cat.jpg; "
            "with --allow-url also its URL.",
        ),
    ],
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    top_k: TopKOption = 10,
    text: Annotated[bool, typer.Option("--text", help="QUERY is words, even if a file has that name.")] = False,
    allow_url: AllowUrlOption = False,
    paths: Annotated[bool, typer.Option("--paths", help="Print paths only, a line each.")] = False,
    print0: Annotated[bool, typer.Option("-0", "--print0", help="Print paths only, ended by NUL.")] = False,
    json: JsonOption = False,
) -> None:
    """Find the pictures nearest to words or to a picture: rank, score (cosine), path."""
    from clipsearch.catalog import Catalog

    words = " ".join(query_words)
    with Catalog.open(catalog, model=model, device=device, runtime=runtime, show_progress=is_terminal()) as opened:
        hits = opened.search(words if text else _meaning(words, allow_url=allow_url), top_k=top_k)
        # Only here: a text that was asked for before needs no model.
        used = opened.model.name if json else ""
    if json:
        print_json(hits_json(words, used, hits))
    elif print0 or paths:
        print_paths((hit.path for hit in hits), end=b"\0" if print0 else b"\n")
    elif hits:
        print_hits(hits)
    else:
        note("clipsearch: the catalog holds no pictures yet: add some with 'clipsearch index FOLDER'")


def _meaning(query: str, *, allow_url: bool) -> str | Path | FetchedPicture:
    """Words, a picture's path, or the picture at a URL."""
    if is_url(query):
        return picture_of(query, allow_url=allow_url, or_else="; --text takes it as words")
    return Path(query) if is_picture_path(query) else query


def is_picture_path(query: str) -> bool:
    """True when a query means a file: it exists, or is written as a path.

    Raises:
        QueryError: it is written as a path and there is no such file.
    """
    path = expand_user(query)
    has_suffix = path.suffix != "" and _is_image_suffix(path.suffix)
    is_written_as_path = query.startswith((".", "~/", os.sep)) or (has_suffix and " " not in query)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        status = None
    except ValueError:  # holds a NUL: no path
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        if is_written_as_path or os.sep in query:
            raise QueryError(f"can't look at {path}: {error.strerror} (--text takes it as words)") from error
        return False
    if status is None:
        if is_written_as_path:
            raise QueryError(f"no picture {path} (--text takes it as words)")
        return False
    if stat.S_ISREG(status.st_mode) and (is_written_as_path or path.suffix or os.sep in query):
        return True
    if is_written_as_path:
        raise QueryError(f"{path} is no picture (--text takes it as words)")
    return False


def _is_image_suffix(suffix: str) -> bool:
    from clipsearch.images.find import IMAGE_SUFFIXES

    return suffix.lower() in IMAGE_SUFFIXES
