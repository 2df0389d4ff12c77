"""Choose crops of a picture, which find small things that a view of the whole does not show.

A vision tower sees a square of some 224 pixels: of a panorama its middle, of a page of four pictures each at a quarter
of the detail.
"""

import math

from clipsearch.parts import Box

# A picture that is this many times as long as it is wide is judged by squares along its length, detail or not.
_LONG = 2.0

# Squares along a long picture overlap by a quarter: a thing of that size is whole in one of them.
_LONG_STEP = 0.75
_MOST_SQUARES = 16

# Sides of crops as a share of the shorter side, and their distance at most, as a share of their own: five to nine of a
# picture up to 2:1. Source: `python -m tests.benchmarks.detail`.
_SHARE = 0.55
_STEP = 0.9


def crop_boxes(width: int, height: int, *, needed_side: int, detail: bool) -> tuple[Box, ...]:
    """Return the crops of an upright picture to embed besides the whole; none for most.

    Args:
        width: pixels, like `height`.
        needed_side: what the model resizes the shorter side of a picture to, in pixels; crops of less than half show
            nothing that the whole does not.
        detail: also crop pictures that are not long.
    """
    short, long = sorted((width, height))
    if long > _LONG * short:
        if 2 * short < needed_side:
            return ()
        count = min(_MOST_SQUARES, 1 + math.ceil((long / short - 1) / _LONG_STEP))
        along, across = _starts(long, short, count), [0.0]
        side = float(short)
    elif detail:
        side = _SHARE * short
        if 2 * side < needed_side:
            return ()
        along = _starts(long, side, 1 + math.ceil((long / side - 1) / _STEP))
        across = _starts(short, side, 2)
    else:
        return ()
    corners = [(x, y) for y in across for x in along]
    if len(across) > 1:  # what lies in the middle is cut by all of them, or nearly
        corners.append(((long - side) / 2, (short - side) / 2))
    if height > width:
        corners = [(x, y) for y, x in corners]
    return tuple(
        (x / width, y / height, min(1.0, (x + side) / width), min(1.0, (y + side) / height)) for x, y in corners
    )


def _starts(length: float, side: float, count: int) -> list[float]:
    """Return where `count` squares start that are spread evenly over a length."""
    return [place * (length - side) / (count - 1) for place in range(count)]


def side_for_crops(needed_side: int) -> int:
    """Return what a picture's shorter side has to be so that its crops have `needed_side` pixels."""
    return math.ceil(needed_side / _SHARE)


def box_within(outer: Box, inner: Box) -> Box:
    """Return a box given as shares of another one in its units."""
    left, top, right, bottom = outer
    width, height = right - left, bottom - top
    return left + inner[0] * width, top + inner[1] * height, left + inner[2] * width, top + inner[3] * height
