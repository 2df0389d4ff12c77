"""Render heat maps of catalog pictures, or of their parts, as PNG."""

import io

from fastapi import HTTPException
from PIL import Image

from clipsearch.catalog import Catalog
from clipsearch.errors import ImageReadError
from clipsearch.gallery.details import LARGE_SIDE
from clipsearch.gallery.heat_map import overlay
from clipsearch.parts import Box, Part, pixel_box

# Longer side of the overlay in pixels: it is smooth, and the browser scales it up.
_SIDE = 512

_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def heat_map_png(
    catalog: Catalog, content_id: int, words: str, part: Part | None = None
) -> tuple[bytes, tuple[float, float]]:
    """Render the heat map of a picture as PNG, and return it with the centre of the best place, as shares of the sides.

    Computed from the thumbnail, so that no file is decoded in this process.

    Args:
        part: its scene or page is rendered as a picture of its own; its crop at its place in the whole picture, which
            is clear around it.

    Raises:
        QueryError: unknown picture, or empty words.
        HTTPException: the picture can't be read (404).
    """
    try:
        jpeg = catalog.pictures.thumbnail(content_id, side=LARGE_SIDE, part=part)
    except ImageReadError as error:
        raise HTTPException(404, str(error)) from error
    left, top, right, bottom = box = (None if part is None else part.box) or _WHOLE
    with Image.open(io.BytesIO(jpeg)) as image:
        found = catalog.heat_map(image, words)
        # Of the whole picture: the crop is what its box is of that.
        sides = image.width / (right - left), image.height / (bottom - top)
    scale = min(1.0, _SIDE / max(sides))
    width, height = (max(1, round(side * scale)) for side in sides)
    place = pixel_box(box, width, height)
    drawn = Image.new("RGBA", (width, height))
    drawn.paste(overlay(found, place[2] - place[0], place[3] - place[1]), place)
    content = io.BytesIO()
    drawn.save(content, "PNG")
    across, down = found.peak
    return content.getvalue(), (left + across * (right - left), top + down * (bottom - top))
