"""Read the merged picture of OpenRaster and Krita files: a PNG in a zip file."""

import io
import zipfile
from typing import BinaryIO

from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.readers.base import not_supported
from clipsearch.images.reasons import truncated

# Source: OpenRaster 0.0.6, "File Layout"; Krita's files name theirs alike.
_MERGED = "mergedimage.png"
_FORMATS = {b"image/openraster": "ORA", b"application/x-krita": "KRA"}

# More than a PNG of 100 megapixels takes.
_MAX_BYTES = 256 << 20
_MAX_TYPE_BYTES = 64


def open_merged(file: BinaryIO) -> Image.Image:
    """Open the picture that the layers show together.

    Raises:
        ImageReadError: it is another kind of zip file, or has no such picture.
    """
    try:
        with zipfile.ZipFile(file) as members:
            with members.open("mimetype") as mimetype:
                kind = _FORMATS.get(mimetype.read(_MAX_TYPE_BYTES).strip())
            if kind is None:
                raise ImageReadError("not a picture of a kind that can be read")
            if members.NameToInfo.get(_MERGED) is None:
                raise not_supported(kind, "without a merged picture")
            with members.open(_MERGED) as merged:
                content = merged.read(_MAX_BYTES)
    except (zipfile.BadZipFile, EOFError) as error:
        raise truncated() from error
    image = Image.open(io.BytesIO(content), formats=("PNG",))
    image.format = kind
    return image
