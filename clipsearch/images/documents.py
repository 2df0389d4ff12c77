"""Count and render the pages of PDF documents with PDFium.

This build of PDFium runs no scripts and opens no other file or address; fonts that a document lacks are the system's.
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from PIL import Image

from clipsearch.errors import ImageReadError, InputError, MissingExtraError
from clipsearch.images.reasons import one_line

Source: TypeAlias = bytes | str | Path | BinaryIO
"""A document: its content, its path, or a file opened for reading bytes."""

# PDFium is not thread-safe. Source: https://pypdfium2.readthedocs.io, "Thread incompatibility"
_one_at_a_time = threading.Lock()

MAX_SIDE = 8192

# Longer side of a page in shorter ones: beyond, nothing could be recognised.
_MAX_ASPECT = 200


def page_count(source: Source) -> int:
    """Return the number of pages, at least 1.

    Raises:
        ImageReadError: it can't be opened, needs a password, or has no page; with a short reason without its path.
        MissingExtraError: the extra "pdf" is not installed.
    """
    with _opened(source) as document:
        return len(document)


def page_size(source: Source) -> tuple[float, float]:
    """Return width and height of the first page in points, 1/72 inch; errors as in `page_count`."""
    with _opened(source) as document, closing(document[0]) as page:
        return _size_of(page)


def render_page(source: Source, page: int, side: int) -> Image.Image:
    """Render a page upright on white, mode "RGB". Thread-safe, one page at a time in a process.

    Args:
        page: from 0.
        side: of the longer side in pixels, 1 to 8,192; the other is at least 1.

    Raises:
        InputError: the side is out of range, or the document has no such page.
        ImageReadError, MissingExtraError: as in `page_count`; the page is damaged, or has no area.
    """
    _check_side(side)
    with _opened(source) as document:
        if not 0 <= page < len(document):
            raise InputError(f"no page {page}: the document has pages 0 to {len(document) - 1}")
        return _render(document, page, side)


def render_pages(source: Source, side: int, *, most: int, max_seconds: float) -> Iterator[tuple[int, Image.Image]]:
    """Yield (page from 1, picture) as `render_page` renders them; damaged pages are left out.

    Args:
        most: pages that are looked at, from the first on.
        max_seconds: CPU time after which no more are rendered.

    Raises:
        InputError, ImageReadError, MissingExtraError: as in `render_page`.
    """
    _check_side(side)
    start = time.process_time()
    with _opened(source) as document:
        for page in range(min(len(document), most)):
            with suppress(ImageReadError):
                yield page + 1, _render(document, page, side)
            if time.process_time() - start > max_seconds:
                return


def _check_side(side: int) -> None:
    if not 1 <= side <= MAX_SIDE:
        raise InputError(f"the side of a page must be 1 to {MAX_SIDE:,} pixels, got {side}")


def _size_of(page: Any) -> tuple[float, float]:
    width, height = page.get_size()
    if not all(0 < length < math.inf for length in (width, height)):  # NaN is rejected too
        raise ImageReadError("damaged: the page has no area")
    if max(width, height) > _MAX_ASPECT * min(width, height):
        raise ImageReadError("not supported: a page too long for its width")
    return width, height


def _render(document: Any, page: int, side: int) -> Image.Image:
    import pypdfium2

    try:
        opened = document[page]
    except pypdfium2.PdfiumError as error:
        raise ImageReadError(_reason(str(error))) from error
    with closing(opened):
        width, height = _size_of(opened)
        with closing(opened.render(scale=side / max(width, height), may_draw_forms=False)) as bitmap:
            # A copy: the pixels are PDFium's.
            return _fitted(bitmap.to_pil().convert("RGB").copy(), side)


def _fitted(image: Image.Image, side: int) -> Image.Image:
    """Cut the row or column that PDFium adds where a side is a fraction of a pixel longer."""
    return image.crop((0, 0, min(image.width, side), min(image.height, side)))


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    """Open a document, and hold the lock of PDFium."""
    try:
        import pypdfium2
    except ImportError as error:
        raise MissingExtraError("a PDF document", "pypdfium2", "clipsearch[pdf]") from error
    with _one_at_a_time:
        try:
            with closing(pypdfium2.PdfDocument(source)) as document:
                if len(document) < 1:
                    raise ImageReadError("damaged: it has no page")
                yield document
        except pypdfium2.PdfiumError as error:
            raise ImageReadError(_reason(str(error))) from error


def _reason(message: str) -> str:
    if "assword" in message:
        return "not supported: protected by a password"
    return f"damaged: {one_line(message)}" if "format" in message.lower() else "damaged"
