"""Open the picture of a TIFF whose first directory holds a reduced copy of it, as scanners and TIFF/EP have it."""

import io
from typing import BinaryIO

from PIL import Image

from clipsearch.images.raw.containers import adopt_exif, read_exif
from clipsearch.images.raw.directories import read_directories


def open_beyond_copy(file: BinaryIO) -> Image.Image | None:
    """Open the first directory that is not a reduced copy, with the EXIF of the file, where that is not the first.

    Returns:
        None for every other file; its position changes.

    Raises:
        Exception: whatever Pillow raises for a directory that it can't read.
    """
    file.seek(0)
    start = file.read(4)
    if start not in (b"II*\0", b"MM\0*"):
        return None
    directories = read_directories(file)
    if not directories or not directories[0].is_copy:
        return None
    wanted = next((each for each in directories if each.has_colours and not each.is_copy), None)
    if wanted is None:
        return None
    file.seek(8)
    # Pillow opens the first directory: the header is changed to point to the wanted one.
    place = wanted.place.to_bytes(4, "little" if start.startswith(b"II") else "big")
    image = Image.open(io.BytesIO(start + place + file.read()), formats=("TIFF",))
    adopt_exif(image, read_exif(file, "TIFF"))
    return image
