"""Scale a picture to what is read of it, and divide long ones into pieces."""

import math
from typing import NamedTuple

from PIL import Image

SIDE = 2000
"""Pixels of the longer side of a picture that is read; lines are cut out of it."""

# Pictures that are longer than this many times their width are read in pieces of that length, as scrolled screenshots
# are: the share of a piece that it has in common with its neighbours, and the highest number of pieces.
_MOST_ASPECT, _OVERLAP, _MOST_PIECES = 2.5, 0.15, 20


def fit(image: Image.Image) -> Image.Image:
    """Return a picture scaled down to what is read of it; a smaller one stays as it is."""
    long, short = max(image.size), max(1, min(image.size))
    side = round(SIDE * min(_MOST_PIECES, max(1.0, long / short / _MOST_ASPECT)))
    if long > side:
        image = image.copy()
        image.thumbnail((side, side), reducing_gap=3.0)
    return image


class Piece(NamedTuple):
    """Part of a picture that is read at once.

    Attributes:
        box: in pixels, with what neighbours show too.
        begin, end: of its own part along the longer side, as shares.
    """

    box: tuple[int, int, int, int]
    begin: float
    end: float


def pieces_of(width: int, height: int) -> list[Piece]:
    long, short = max(width, height), max(1, min(width, height))
    count = 1
    if long > _MOST_ASPECT * short:
        count = min(_MOST_PIECES, math.ceil(long / (_MOST_ASPECT * short * (1 - _OVERLAP))))
    found, margin = [], long / count * _OVERLAP / 2
    for number in range(count):
        first, last = (
            max(0, round(long * number / count - margin)),
            min(long, round(long * (number + 1) / count + margin)),
        )
        box = (first, 0, last, height) if width > height else (0, first, width, last)
        end = 2.0 if number == count - 1 else (number + 1) / count  # a line may end at the edge
        found.append(Piece(box, number / count, end))
    return found
