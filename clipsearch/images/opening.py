"""Open a picture with a reader of its kind, without decoding it.

Only the formats in `_FORMATS` and the kinds of `readers` are tried: Pillow knows more, and some of them start other
programs (EPS starts Ghostscript).
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from clipsearch.errors import ImageReadError
from clipsearch.files import open_regular_file
from clipsearch.images.containers import read_code_points, read_png_code_points
from clipsearch.images.raw.small_copies import open_beyond_copy
from clipsearch.images.readers import open_rare_kind
from clipsearch.images.reasons import too_large, unidentified_error

# AVIF before HEIF: both readers take files of the brand "mif1", but only AVIF's rejects those that it can't read.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "AVIF", "HEIF", "JPEG2000", "PPM")


def suffix_of(source: bytes | str | Path | BinaryIO) -> str:
    """Return the suffix of a path in lower case, with its dot; "" for everything else, and where there is none."""
    return Path(source).suffix.lower() if isinstance(source, str | Path) else ""


@contextlib.contextmanager
def open_source(source: bytes | str | Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, str | Path):
        try:
            file = open_regular_file(source)
        except OSError as error:
            if error.errno is None:  # it exists, and is not a regular file
                raise ImageReadError(str(error)) from error
            raise
        with file:
            yield file
    else:
        yield source if source.seekable() else io.BytesIO(source.read())


def open_checked(file: BinaryIO, *, max_megapixels: float, suffix: str) -> Image.Image:
    """Open a picture and check its size; its `info` tells more of its colours than Pillow's own does.

    Raises:
        ImageReadError: it is empty, not a picture, or too large.
    """
    image = open_image(file, suffix)
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise too_large(megapixels, max_megapixels)
    _note_code_points(image, file)
    if image.format == "PPM":
        from clipsearch.images.pnm import use_fast_decoder  # loads more of Pillow

        use_fast_decoder(image)
    return image


def _note_code_points(image: Image.Image, file: BinaryIO) -> None:
    """Add the code points of colours that Pillow does not read, see `colours.coded.profile_of`."""
    read = {"AVIF": read_code_points, "PNG": read_png_code_points}.get(image.format or "")
    if read is None or image.info.get("icc_profile"):
        return
    place = file.tell()  # Pillow goes on reading a PNG there
    if (points := read(file)) is not None:
        image.info["cicp"] = points
    file.seek(place)


def open_image(file: BinaryIO, suffix: str) -> Image.Image:
    file.seek(0)
    if not file.read(1):
        raise ImageReadError("empty file")
    rare = open_rare_kind(file, suffix)
    if rare is not None:
        return rare
    file.seek(0)
    try:
        return open_beyond_copy(file) or Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise unidentified_error(file, _FORMATS) from error
    except ValueError as error:
        if "Exif" not in str(error):
            raise
        # libavif rejects pictures for invalid EXIF; without its name it is not found. Orientation is stored elsewhere.
        file.seek(0)
        return Image.open(io.BytesIO(file.read().replace(b"Exif", b"skip")), formats=("AVIF",))
