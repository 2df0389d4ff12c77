"""Set Pillow's process-wide settings only while a picture is decoded.

Pillow's size limit and Python's warning filters are globals. Neither can be set for one call, and
`warnings.catch_warnings` is not thread-safe. So the first thread that starts to decode sets both and the last one to
finish restores them: outside of that, the host program sees its own settings.
"""

import contextlib
import ctypes
import logging
import re
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import PIL
from PIL import Image

_lock = threading.Lock()
_active_limits: list[float] = []  # megapixels, one for each picture that is being decoded
_max_pixels_before: int | None = None
_formats_are_registered = False

# Corrupt EXIF, odd palettes, large pictures: Pillow warns and continues. Inserted into the list directly:
# `warnings.filterwarnings` would also reset which warnings of the host program were already shown.
_IGNORE_WARNINGS: tuple[Any, ...] = ("ignore", None, Warning, re.compile(r"(PIL|pillow_heif)\."), 0)


@contextlib.contextmanager
def decoding_settings(max_megapixels: float) -> Iterator[None]:
    """Enable all formats, silence Pillow's warnings, and accept pictures up to a size. Thread-safe.

    With several limits at once the highest applies, so the size of an opened picture must still be checked.
    """
    with _lock:
        _start(max_megapixels)
    try:
        yield
    finally:
        with _lock:
            _finish(max_megapixels)


def _start(max_megapixels: float) -> None:
    global _max_pixels_before  # noqa: PLW0603
    _register_formats()
    if not _active_limits:
        _max_pixels_before = Image.MAX_IMAGE_PIXELS
        _remove_filter()
        _filters().insert(0, _IGNORE_WARNINGS)
    _active_limits.append(max_megapixels)
    _set_max_pixels()


def _finish(max_megapixels: float) -> None:
    _active_limits.remove(max_megapixels)
    if _active_limits:
        _set_max_pixels()
        return
    Image.MAX_IMAGE_PIXELS = _max_pixels_before
    _remove_filter()


def _remove_filter() -> None:
    """Remove the filter, if it is still in the list.

    Code that replaced the list meanwhile, as `warnings.catch_warnings` does, has dropped or restored it.
    """
    while _IGNORE_WARNINGS in _filters():
        _filters().remove(_IGNORE_WARNINGS)


def _set_max_pixels() -> None:
    # Never below the host program's limit, and never off: it also guards the tiles of a TIFF, which may be far larger
    # than the picture. Pillow warns beyond MAX_IMAGE_PIXELS and raises beyond twice as much.
    if _max_pixels_before is not None:
        Image.MAX_IMAGE_PIXELS = max(_max_pixels_before, int(min(max(_active_limits), 1e12) * 1e6 / 2) + 1)


def _filters() -> list[tuple[Any, ...]]:
    return cast(list[tuple[Any, ...]], warnings.filters)


def _register_formats() -> None:
    global _formats_are_registered  # noqa: PLW0603
    if _formats_are_registered:
        return
    import pillow_heif
    from PIL import AvifImagePlugin, Jpeg2KImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401

    Image.preinit()  # BMP, GIF, JPEG, PNG, PPM
    pillow_heif.register_heif_opener()
    # Without a handler, Pillow's log would go to stderr in a program that has not configured logging.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    _silence_libtiff()
    _formats_are_registered = True


def _silence_libtiff() -> None:
    """Silence libtiff, which prints to stderr past Python; Pillow raises an error all the same.

    Only the library inside Pillow's own wheels is found. Elsewhere a broken TIFF prints a line on stderr.
    """
    folder = Path(PIL.__file__).parent
    for path in (*folder.parent.glob("pillow.libs/libtiff*"), *folder.glob(".dylibs/libtiff*")):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(str(path)).TIFFSetErrorHandler(None)
