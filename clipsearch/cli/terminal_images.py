"""Print thumbnails in the terminal: by graphics protocol (Sixel, Kitty), with coloured half blocks as a fallback."""

import io
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsearch.cli.render import note, printable
from clipsearch.errors import ImageReadError, MissingExtraError
from clipsearch.search.hits import SearchHit

# Size of a tile in terminal cells, which are about twice as high as wide.
_COLUMNS, _ROWS = 24, 10
_SIDE = 384


def check_thumbnails() -> None:
    """Check that thumbnails can be drawn.

    Raises:
        MissingExtraError: textual-image is not installed.
    """
    _terminal_image()


def print_thumbnails(hits: Sequence[SearchHit]) -> None:
    """Print thumbnails in a grid, with rank and name below; only a note when stdout is not a terminal."""
    if not _is_sized_terminal():
        note("clipsearch: no thumbnails: stdout is not a terminal")
        return
    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

    console = Console()
    across = max(1, console.width // (_COLUMNS + 2))
    grid = Table.grid(padding=(0, 2, 1, 0))
    for first in range(0, len(hits), across):
        row = hits[first : first + across]
        grid.add_row(
            *(Group(_picture(hit), Text(_caption(hit), no_wrap=True, overflow="ellipsis", end="")) for hit in row)
        )
    console.print(grid)


def _is_sized_terminal() -> bool:
    # A detached pseudo-terminal has 0 columns.
    return sys.stdout is not None and sys.stdout.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns > 0


def _caption(hit: SearchHit) -> str:
    name = printable(Path(hit.path).name)
    return f"{hit.rank} {name}"[:_COLUMNS]


def _picture(hit: SearchHit) -> Any:
    from PIL import Image
    from rich.text import Text

    from clipsearch.images.thumbnails import make_thumbnail

    try:
        thumbnail = make_thumbnail(hit.path, side=_SIDE, part=hit.part)
    except FileNotFoundError:
        return Text("file not found")
    except (OSError, ImageReadError, MemoryError) as error:
        return Text(printable(f"can't be read: {error}"))
    image = Image.open(io.BytesIO(thumbnail.jpeg))
    # The side that is longer in cells fills its tile.
    if thumbnail.width * 2 * _ROWS >= thumbnail.height * _COLUMNS:
        return _terminal_image()(image, width=_COLUMNS, height="auto")
    return _terminal_image()(image, width="auto", height=_ROWS)


def _terminal_image() -> Any:
    """Return the class that draws in this terminal; the first call queries the terminal's capabilities."""
    try:
        # Without a handler, its logs about terminals that do not answer would go to stderr.
        logging.getLogger("textual_image").addHandler(logging.NullHandler())
        from textual_image.renderable import Image
    except ImportError as error:
        raise MissingExtraError("--thumbnails", "textual-image", "clipsearch[terminal]") from error
    return Image
