"""Pillow's settings for the whole process, changed only while a picture is decoded.

Pillow keeps its size limit in a global, and Python its warning filters. Neither can be set for one call, and
`warnings.catch_warnings` is not made for threads. So the first thread that starts to decode sets both and the last one
to finish puts them back: outside of that, the program around sees its own settings.
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

# Corrupt EXIF, odd palettes, large pictures: Pillow warns and goes on, and so do we. Put into the list of filters as it
# is: `warnings.filterwarnings` would also make Python forget which warnings of the program were shown already.
_QUIET: tuple[Any, ...] = ("ignore", None, Warning, re.compile(r"(PIL|pillow_heif)\."), 0)


@contextlib.contextmanager
def decoding_settings(max_megapixels: float) -> Iterator[None]:
    """Within it Pillow can read all formats, does not warn, and accepts pictures up to a size. Safe for threads.

    With several limits at once the highest holds, so what was opened must be measured all the same.
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
        _unquiet()
        _filters().insert(0, _QUIET)
    _active_limits.append(max_megapixels)
    _set_max_pixels()


def _finish(max_megapixels: float) -> None:
    _active_limits.remove(max_megapixels)
    if _active_limits:
        _set_max_pixels()
        return
    Image.MAX_IMAGE_PIXELS = _max_pixels_before
    _unquiet()


def _unquiet() -> None:
    """Whoever put another list of filters in place meanwhile, as `warnings.catch_warnings` does, has dropped ours or
    put it back."""
    while _QUIET in _filters():
        _filters().remove(_QUIET)


def _set_max_pixels() -> None:
    # Never lower than the program has it, and never off: the limit also guards the tiles of a TIFF, which may be far
    # larger than the picture. Pillow warns beyond MAX_IMAGE_PIXELS and refuses beyond twice as much.
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
    # Without a handler of its own, what Pillow logs would go to stderr in a program that has set up no logging.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    _silence_libtiff()
    _formats_are_registered = True


def _silence_libtiff() -> None:
    """libtiff writes what it finds wrong to stderr, past Python; Pillow raises an error for it all the same.

    Only the library inside Pillow's own wheels is found. Elsewhere a broken TIFF shows a line on stderr.
    """
    folder = Path(PIL.__file__).parent
    for path in (*folder.parent.glob("pillow.libs/libtiff*"), *folder.glob(".dylibs/libtiff*")):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(str(path)).TIFFSetErrorHandler(None)
