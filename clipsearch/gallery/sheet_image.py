"""Draw several pictures as one JPEG: a contact sheet for a program that looks at pictures."""

import io
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from clipsearch.errors import ImageReadError, QueryError, UnknownPictureError
from clipsearch.parts import Part
from clipsearch.processes import core_count

MOST_TILES = 48
"""Pictures of one sheet: more would be too small to be told apart."""

# Longest side of a sheet, and of a tile.
_SIDE, _TILE_SIDE = 1536, 320

_CAPTION_HEIGHT, _GAP = 20, 4
_PAPER, _INK, _BLANK = (255, 255, 255), (0, 0, 0), (208, 208, 208)

# A sheet that is larger is saved again in the next quality.
_MOST_BYTES = 400_000
_QUALITIES = (80, 65, 50, 30)


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture of a sheet, or a part of it; its caption is "NUMBER: id CONTENT_ID"."""

    number: int
    content_id: int
    part: Part | None = None


def draw_sheet(tiles: Sequence[Tile], thumbnail: Callable[[Tile], bytes]) -> bytes:
    """Return a JPEG of pictures in rows, in their order, each above its number and id; at most 1,536 pixels a side.

    Args:
        thumbnail: reads a picture as a JPEG; one that can't be read is a grey tile.

    Raises:
        QueryError: there are no pictures, or more than `MOST_TILES`.
    """
    if not 1 <= len(tiles) <= MOST_TILES:
        raise QueryError(f"a contact sheet has 1 to {MOST_TILES} pictures, not {len(tiles)}")
    columns = math.ceil(math.sqrt(len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    side = min(_TILE_SIDE, (_SIDE - _GAP) // columns - _GAP, (_SIDE - _GAP) // rows - _GAP - _CAPTION_HEIGHT)
    sheet = Image.new("RGB", (columns * (side + _GAP) + _GAP, rows * (side + _CAPTION_HEIGHT + _GAP) + _GAP), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_CAPTION_HEIGHT - 5)

    def read(tile: Tile) -> Image.Image | None:
        try:
            with Image.open(io.BytesIO(thumbnail(tile))) as image:
                image.thumbnail((side, side), Image.Resampling.LANCZOS)
                return image.convert("RGB")
        except (ImageReadError, UnknownPictureError, OSError):
            return None

    with ThreadPoolExecutor(min(8, core_count()), thread_name_prefix="clipsearch") as pool:
        for place, (tile, image) in enumerate(zip(tiles, pool.map(read, tiles), strict=True)):
            row, column = divmod(place, columns)
            left, top = _GAP + column * (side + _GAP), _GAP + row * (side + _CAPTION_HEIGHT + _GAP)
            if image is None:
                draw.rectangle((left, top, left + side - 1, top + side - 1), fill=_BLANK)
            else:
                sheet.paste(image, (left + (side - image.width) // 2, top + (side - image.height) // 2))
            draw.text((left, top + side), f"{tile.number}: id {tile.content_id}", fill=_INK, font=font)
    return _save(sheet)


def _save(sheet: Image.Image) -> bytes:
    jpeg = b""
    for quality in _QUALITIES:
        content = io.BytesIO()
        sheet.save(content, "JPEG", quality=quality)
        jpeg = content.getvalue()
        if len(jpeg) <= _MOST_BYTES:
            break
    return jpeg
