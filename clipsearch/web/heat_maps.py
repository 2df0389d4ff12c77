"""Render heat maps of catalog pictures as PNG."""

import io

from fastapi import HTTPException
from PIL import Image

from clipsearch.catalog import Catalog
from clipsearch.errors import ImageReadError
from clipsearch.gallery.details import LARGE_SIDE
from clipsearch.gallery.heat_map import HeatMap, overlay_png

# Longer side of the overlay in pixels: it is smooth, and the browser scales it up.
_SIDE = 512


def heat_map_png(catalog: Catalog, content_id: int, words: str) -> tuple[bytes, HeatMap]:
    """Render the heat map of a picture as PNG, and return it with the map.

    Computed from the thumbnail, so that no file is decoded in this process.

    Raises:
        QueryError: unknown picture, or empty words.
        HTTPException: the picture can't be read (404).
    """
    try:
        jpeg = catalog.pictures.thumbnail(content_id, side=LARGE_SIDE)
    except ImageReadError as error:
        raise HTTPException(404, str(error)) from error
    with Image.open(io.BytesIO(jpeg)) as image:
        found = catalog.heat_map(image, words)
        scale = min(1.0, _SIDE / max(image.size))
        width, height = (max(1, round(side * scale)) for side in image.size)
    return overlay_png(found, width, height), found
