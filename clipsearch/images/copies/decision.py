"""Whether two pictures are copies of one, decided by their pixels.

A copy was resized, compressed, cut or framed a little, turned, made brighter or grey: all of it shows the same, block
by block, once one is laid over the other. Two pages of text, two chats or two frames of a burst differ somewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.images.copies.alignment import (
    Grey,
    Map,
    correlation,
    explained,
    find_map,
    finer_map,
    laid_over,
    shrunk,
    zoom,
)
from clipsearch.images.copies.residuals import is_same_detail
from clipsearch.images.copies.views import PictureView

Likeness = Literal["copy", "similar"]
Pixels: TypeAlias = NDArray[np.uint8]
Level = TypeVar("Level", np.uint8, np.float32)

# `python -m tests.benchmarks.duplicates FOLDER` measures what these find, and what they take for a copy wrongly.

VIEW_SIDE = 1536
"""Longest side of the views, in pixels; a smaller picture sets the size for both."""

# Photographs are compared at this longest side, pages at the whole one: a single other digit is another page.
_PHOTO_SIDE = 768
_SMALLEST_SIDE = 32

# Correlation of the grey pictures, one laid over the other at the coarse size: of whatever is looked at closer.
COARSE_SIDE = 96
_COARSE_BLOCK = 6
_LEAST_COARSE = 0.75

# Where one lies on the other is made finer at these, and at a larger one where that was not enough.
_SIDES = (96, 192)
_PHOTO_LAST_SIDE, _PAGE_LAST_SIDE = 384, 768

# Pages are first held against each other at this longest side. Half of the blocks of a copy leave at most 0.33 of their
# contrast unexplained there, one with a frame, and those of another slide at least 0.53.
_PAGE_FIRST_SIDE = 384

# Pixels of a block of a page; a photograph has so many blocks a side.
_PAGE_BLOCK = 8
_PHOTO_BLOCKS = 32

# Pixels that are left out at the edges.
_EDGE = 3

# Share of its contrast that the other picture leaves unexplained in the worst block of a copy, and in 99 % of the
# blocks of a page: one that is compressed more does not show its letters. In blocks without contrast noise counts,
# which is held against a share of the whole picture's contrast, in grey levels.
_MOST_UNEXPLAINED = 0.75
_MOST_ON_PAGE, _USUAL_ON_PAGE = 0.5, 0.25
_NOISE_SHARE, _LEAST_NOISE, _MOST_NOISE = 0.2, 5.0, 12.0

# Of similar pictures: share of the blocks that may differ, and the correlation.
_MOST_DIFFERENT, _LEAST_CORRELATION = 0.4, 0.8

# Blocks whose contrast is less, in grey levels, say nothing; pictures with few others are blank.
_LEAST_CONTRAST = 5.0
_LEAST_TELLING = 0.06

# On a page, that is text, a chart or a screen, two narrow ranges of grey levels, paper and what lies behind or on it,
# have much of all pixels, and so much of most blocks that show anything.
_RANGE_LEVELS = 9
_PAPER, _PAPER_OF_BLOCK, _BLOCKS_WITH_PAPER = 0.4, 0.3, 0.6

# Of the first picture must be in a copy, and of a copy in the first, unless the rest is a frame of one colour; and by
# what share of the longer side it may seem to lie outside.
_LEAST_OF_FIRST, _LEAST_OF_SECOND, _SLACK = 0.6, 0.995, 0.002
_FRAME_LEVELS, _FRAME_SHARE = 8.0, 0.9

# Colours: levels by which a block may differ once they were made as strong; less than this has none.
_COLOUR_BLOCKS = 24
_MOST_COLOUR = 45.0
_NO_COLOUR = 4.0


@dataclass(frozen=True, slots=True)
class Pose:
    """How the second of two pictures is turned to lie as the first: mirrored from left to right or not, then by
    quarters counter-clockwise; where it lies on the first then, to a pixel of 96 or so; and how alike the two are,
    at most 1."""

    quarters: int
    is_mirrored: bool
    place: Map
    score: float


def coarse_view(view: PictureView) -> Pixels:
    """Grey, uint8, at most 96 pixels wide and high: all that `find_pose` needs."""
    return np.asarray(np.rint(shrunk(_grey(view.pixels), COARSE_SIDE)), dtype=np.uint8)


def find_pose(first: Pixels, second: Pixels) -> Pose | None:
    """From `coarse_view` of both; None when the two can't be copies, nor similar."""
    one, other = first.astype(np.float32), second.astype(np.float32)
    best = _pose(one, other, 0, False)
    if best is not None:
        return best
    mine = _thumbnail(one)
    alike, quarters, is_mirrored = max(
        (correlation(mine, _thumbnail(_posed(other, quarters, is_mirrored))), quarters, is_mirrored)
        for is_mirrored in (False, True)
        for quarters in range(4)
    )
    is_turned = quarters > 0 or is_mirrored
    return _pose(one, other, quarters, is_mirrored) if is_turned and alike >= _LEAST_COARSE else None


def compare(first: PictureView, second: PictureView, pose: Pose) -> Likeness | None:
    """What the second is to the first: a copy that shows no more, similar, or nothing.

    A copy that is mirrored, one that holds more frames or pages, and a colour picture of a grey one are similar.
    """
    is_less = pose.is_mirrored or _may_hold_more(first, second)
    colours = first.pixels, _posed(second.pixels, pose.quarters, pose.is_mirrored)
    greys = _grey(colours[0]), _grey(colours[1])
    found: Likeness | None = None
    if min(max(grey.shape) for grey in greys) < _SMALLEST_SIDE:
        is_same = colours[0].shape == colours[1].shape and (colours[0] == colours[1]).all()
        found = "copy" if is_same and greys[0].std() > _LEAST_CONTRAST else None
    else:
        is_page = any(map(_is_page, greys))
        for place in _places(*greys, pose.place, is_page=is_page):
            found = _compare_placed(colours, greys, place, is_page=is_page) or found
            if found == "copy":
                break
    return "similar" if found == "copy" and is_less else found


def _places(first: Grey, second: Grey, coarse: Map, *, is_page: bool) -> Iterator[Map]:
    """Where the second may lie on the first: as it is, as most copies do, and where it is found."""
    as_it_is = np.eye(2, 3)
    if not is_page or _may_be_page(first, second, as_it_is):
        yield as_it_is
    found = finer_map(first, second, coarse, sides=_SIDES)
    if found is None or (is_page and not _may_be_page(first, second, found)):
        return
    if not is_page:
        yield found
    found = finer_map(first, second, found, sides=(_PAGE_LAST_SIDE if is_page else _PHOTO_LAST_SIDE,))
    if found is not None:
        yield found


def _may_be_page(first: Grey, second: Grey, place: Map) -> bool:
    """Whether it is worth while to compare two pages closely."""
    small = shrunk(first, _PAGE_FIRST_SIDE), shrunk(second, round(_PAGE_FIRST_SIDE * zoom(place)))
    moved, is_shared = laid_over(*small, place, margin=_EDGE)
    different, is_telling = _differences(small[0], moved, is_shared, _PAGE_BLOCK)
    return bool(is_telling.any() and np.median(different[is_telling]) <= _MOST_ON_PAGE)


def _compare_placed(
    colours: tuple[Pixels, Pixels], greys: tuple[Grey, Grey], place: Map, *, is_page: bool
) -> Likeness | None:
    scale = zoom(place)
    side = min(VIEW_SIDE if is_page else _PHOTO_SIDE, max(greys[0].shape), max(greys[1].shape) / scale)
    small = shrunk(greys[0], round(side)), shrunk(greys[1], round(side * scale))
    found = _compare_blocks(*small, place, is_page=is_page)
    if found == "copy" and not (
        _is_covered(*small, place)
        and _has_same_colours(*colours, place)
        and is_same_detail(*colours, place, is_page=is_page)
    ):
        # Nothing is known of pages that can't be read: other texts look like that too.
        return None if is_page else "similar"
    return found


def _compare_blocks(first: Grey, second: Grey, place: Map, *, is_page: bool) -> Likeness | None:
    moved, is_shared = laid_over(first, second, place, margin=_EDGE)
    # Where a frame begins in the second, its colour has run into the picture.
    is_shared[:_EDGE] = is_shared[-_EDGE:] = is_shared[:, :_EDGE] = is_shared[:, -_EDGE:] = False
    side = _PAGE_BLOCK if is_page else max(_PAGE_BLOCK, max(first.shape) // _PHOTO_BLOCKS)
    different, is_telling = _differences(first, moved, is_shared, side)
    if not len(different) or is_telling.mean() < _LEAST_TELLING:
        return None
    if correlation(first[is_shared], moved[is_shared]) < _LEAST_CORRELATION:
        return None
    if is_page:
        is_legible = np.quantile(different[is_telling], 0.99) <= _USUAL_ON_PAGE
        return "copy" if is_legible and different.max() <= _MOST_ON_PAGE else None
    if different.max() <= _MOST_UNEXPLAINED:
        return "copy"
    return "similar" if (different[is_telling] > _MOST_UNEXPLAINED).mean() <= _MOST_DIFFERENT else None


def _differences(
    first: Grey, second: Grey, is_shared: NDArray[np.bool_], side: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Of each block that is shared: what share of its contrast in one picture the other leaves unexplained, the smaller
    of both ways; and whether it has contrast."""
    is_whole = _blocks(is_shared, side).all(axis=1)
    unexplained, contrasts = [], []
    for one, other in ((first, second), (second, first)):
        noise = float(np.clip(_NOISE_SHARE * one[is_shared].std(), _LEAST_NOISE, _MOST_NOISE)) if is_whole.any() else 0
        rest = _blocks(one - explained(one, other, is_shared), side)[is_whole].std(axis=1)
        contrasts.append(_blocks(one, side)[is_whole].std(axis=1))
        unexplained.append(rest / np.maximum(contrasts[-1], noise))
    return np.minimum(*unexplained), np.maximum(*contrasts) > _LEAST_CONTRAST


def _blocks(values: NDArray[Any], side: int) -> NDArray[Any]:
    """(height, width) → (n, side²)."""
    height, width = (length - length % side for length in values.shape)
    parts = values[:height, :width].reshape(height // side, side, width // side, side)
    return parts.swapaxes(1, 2).reshape(-1, side * side)


def _is_page(grey: Grey) -> bool:
    small = shrunk(grey, _PHOTO_SIDE)
    counts = np.bincount(np.clip(small, 0, 255).astype(np.int64).ravel(), minlength=256).astype(np.float64)
    is_paper = np.zeros(small.shape, dtype=bool)
    for _ in range(2):
        start = int(np.convolve(counts, np.ones(_RANGE_LEVELS), mode="valid").argmax())
        is_paper |= (small >= start) & (small < start + _RANGE_LEVELS)
        counts[start : start + _RANGE_LEVELS] = 0
    side = max(_PAGE_BLOCK, max(small.shape) // 48)
    is_telling = _blocks(small, side).std(axis=1) > _LEAST_CONTRAST
    if is_paper.mean() < _PAPER or not is_telling.any():
        return False
    has_paper = _blocks(is_paper, side)[is_telling].mean(axis=1) > _PAPER_OF_BLOCK
    return bool(has_paper.mean() >= _BLOCKS_WITH_PAPER)


def _is_covered(first: Grey, second: Grey, place: Map) -> bool:
    """Whether all that the second shows is in the first, and most of the first in the second."""
    _, in_second = laid_over(first, second, place, margin=-_SLACK * max(second.shape))
    back = np.linalg.inv(np.vstack([place, [0, 0, 1]]))[:2]
    _, in_first = laid_over(second, first, back, margin=-_SLACK * max(first.shape))
    if in_second.mean() < _LEAST_OF_FIRST:
        return False
    if in_first.mean() >= _LEAST_OF_SECOND:
        return True
    rest = second[~in_first]
    return float((np.abs(rest - np.median(rest)) <= _FRAME_LEVELS).mean()) >= _FRAME_SHARE


def _has_same_colours(first: NDArray[np.uint8], second: NDArray[np.uint8], place: Map) -> bool:
    """Whether the second has the first's colours, stronger or weaker or tinted, or none at all."""
    planes = []
    for channel in (0, 2):
        one, other = (
            shrunk(pixels[..., channel].astype(np.float32) - _grey(pixels), 2 * _COLOUR_BLOCKS)
            for pixels in (first, second)
        )
        moved, is_shared = laid_over(one, other, place)
        planes.append((one[is_shared], moved[is_shared]))
    mine, theirs = (np.stack([plane[which] for plane in planes]) for which in (0, 1))
    strengths = [float(np.sqrt((each**2).mean())) for each in (mine, theirs)]
    if strengths[1] < _NO_COLOUR:
        return True
    if strengths[0] < _NO_COLOUR:
        return False
    mine_less, theirs_less = (each - each.mean(axis=1, keepdims=True) for each in (mine, theirs))
    gain = float((mine_less * theirs_less).sum() / max(1e-6, float((theirs_less**2).sum())))
    rest = mine_less - np.clip(gain, 0.3, 3.0) * theirs_less
    tint = np.abs(mine.mean(axis=1) - theirs.mean(axis=1)).max()
    return bool(np.sqrt((rest**2).sum(axis=0)).max() <= _MOST_COLOUR and tint <= _MOST_COLOUR)


def _may_hold_more(first: PictureView, second: PictureView) -> bool:
    """Whether there may be more than the one picture in the second's file, or the first is one of several frames."""
    return second.is_sequence or (first.is_sequence and first.format != "MPO")


def _pose(first: Grey, second: Grey, quarters: int, is_mirrored: bool) -> Pose | None:
    """None when the two are not alike so."""
    posed = _posed(second, quarters, is_mirrored)
    place = find_map(first, posed, sides=(COARSE_SIDE,))
    if place is None:
        return None
    moved, is_shared = laid_over(first, posed, place)
    score = correlation(first[is_shared], moved[is_shared])
    different, is_telling = _differences(first, moved, is_shared, _COARSE_BLOCK)
    if score < _LEAST_COARSE or not is_telling.any():
        return None
    is_other = (different[is_telling] > _MOST_UNEXPLAINED).mean() > _MOST_DIFFERENT
    return None if is_other else Pose(quarters, is_mirrored, place, score)


def _posed(pixels: NDArray[Level], quarters: int, is_mirrored: bool) -> NDArray[Level]:
    return np.ascontiguousarray(np.rot90(pixels[:, ::-1] if is_mirrored else pixels, quarters))


def _thumbnail(grey: Grey) -> Grey:
    return np.asarray(Image.fromarray(grey).resize((16, 16), Image.Resampling.BILINEAR))


def _grey(pixels: NDArray[np.uint8]) -> Grey:
    # Source: ITU-R BT.601, as Pillow's mode "L".
    return pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)


def is_grey(view: PictureView) -> bool:
    """Whether a picture has no colours."""
    grey = _grey(view.pixels)
    strengths = [np.sqrt(((view.pixels[..., channel] - grey) ** 2).mean()) for channel in (0, 2)]
    return bool(max(strengths) < _NO_COLOUR)
