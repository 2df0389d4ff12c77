"""Heat maps of pictures of the catalog."""

import io

from fastapi import HTTPException
from PIL import Image

from clipsearch.catalog import Catalog
from clipsearch.errors import ImageReadError
from clipsearch.gallery.details import LARGE_SIDE
from clipsearch.gallery.heat_map import HeatMap, overlay_png

# Of what is drawn: it is smooth, the browser makes it as large as the picture.
_SIDE = 512


def heat_map_png(catalog: Catalog, content_id: int, words: str) -> tuple[bytes, HeatMap]:
    """A PNG in the shape of the picture, and the map itself. It is made of the thumbnail: files are decoded by others.

    Raises:
        QueryError: there is no such picture, or no words.
        HTTPException: there is nothing to show of the picture.
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
