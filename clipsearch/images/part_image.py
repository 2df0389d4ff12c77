"""Decode one part of a file: for thumbnails, and wherever a part is shown."""

import math
from typing import BinaryIO

from clipsearch.errors import ImageReadError
from clipsearch.images.decode import DEFAULT_MAX_MEGAPIXELS, DecodedImage, decode_image
from clipsearch.images.turns import Turn
from clipsearch.parts import Box, Part


def decode_part(
    source: bytes | BinaryIO,
    part: Part | None,
    *,
    needed_side: int,
    max_megapixels: float = DEFAULT_MAX_MEGAPIXELS,
    turn: Turn | None = None,
    suffix: str = "",
) -> DecodedImage:
    """Decode a part upright, or the whole picture for None; its metadata are those of the file.

    Arguments and errors as in `decode_image`; `needed_side` is of the part.
    """
    if part is None:
        return decode_image(source, needed_side=needed_side, max_megapixels=max_megapixels, turn=turn, suffix=suffix)
    if part.box is None:
        raise ImageReadError(f"it has no {part.kind}s")
    left, top, right, bottom = part.box
    share = min(right - left, bottom - top)
    decoded = decode_image(
        source,
        needed_side=math.ceil(needed_side / share),
        max_megapixels=max_megapixels,
        turn=turn,
        suffix=suffix,
    )
    image = decoded.image.crop(_pixels(decoded.image.size, part.box))
    return DecodedImage(image, (0, 0, *image.size), decoded.metadata)


def _pixels(size: tuple[int, int], box: Box) -> tuple[int, int, int, int]:
    """Return a box in whole pixels, at least one each way."""
    width, height = size
    left, top = min(width - 1, round(box[0] * width)), min(height - 1, round(box[1] * height))
    return left, top, max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))
