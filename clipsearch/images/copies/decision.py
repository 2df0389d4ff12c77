"""Decide by their pixels whether two pictures are copies of one.

A copy was resized, compressed, cropped or framed a little, rotated, made brighter or grey: all of it shows the same,
block by block, after alignment. Two pages of text, two chats or two frames of a burst differ somewhere.
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
    find_map,
    overlay,
    predict_levels,
    refine_map,
    shrink,
    zoom,
)
from clipsearch.images.copies.residuals import is_same_detail
from clipsearch.images.copies.views import PictureView

Likeness = Literal["copy", "similar"]
Pixels: TypeAlias = NDArray[np.uint8]
Level = TypeVar("Level", np.uint8, np.float32)

# `python -m tests.benchmarks.duplicates FOLDER` measures recall and false positives.

VIEW_SIDE = 1536
"""Longest side of the views, in pixels; a smaller picture sets the size for both."""

# Photographs are compared at this longest side, pages at full size: another page may differ in a single digit.
_PHOTO_SIDE = 768
_SMALLEST_SIDE = 32

# Minimum correlation of the grey pictures, aligned at the coarse size, for a closer comparison.
COARSE_SIDE = 96
_COARSE_BLOCK = 6
_MIN_COARSE = 0.75

# The alignment is refined at these sides, and at a larger one if that was not enough.
_SIDES = (96, 192)
_PHOTO_LAST_SIDE, _PAGE_LAST_SIDE = 384, 768

# Pages are first compared at this longest side. Half of the blocks of a copy leave at most 0.33 of their contrast
# unexplained there, also with a frame, and those of another slide at least 0.53.
_PAGE_FIRST_SIDE = 384

# Pixels per side of a block of a page; a photograph has this many blocks per side.
_PAGE_BLOCK = 8
_PHOTO_BLOCKS = 32

# Pixels ignored at the edges.
_EDGE = 3

# Largest share of its contrast that the other picture leaves unexplained in the worst block of a copy, and in 99 % of
# the blocks of a page: strong compression makes letters illegible. For blocks without contrast the noise level is
# used, a share of the whole picture's contrast, in grey levels.
_MAX_UNEXPLAINED = 0.75
_MAX_ON_PAGE, _USUAL_ON_PAGE = 0.5, 0.25
_NOISE_SHARE, _MIN_NOISE, _MAX_NOISE = 0.2, 5.0, 12.0

# Thresholds of similar pictures: share of the blocks that may differ, and the correlation.
_MAX_DIFFERENT, _MIN_CORRELATION = 0.4, 0.8

# Blocks with less contrast, in grey levels, are no evidence; pictures with few others are blank.
_MIN_CONTRAST = 5.0
_MIN_CONTRAST_SHARE = 0.06

# On a page, that is text, a chart or a screen, two narrow ranges of grey levels, the paper and the background or ink,
# have this share of all pixels, and of the pixels of most blocks with contrast.
_RANGE_LEVELS = 9
_PAPER, _PAPER_OF_BLOCK, _BLOCKS_WITH_PAPER = 0.4, 0.3, 0.6

# Share of the first picture that must be in a copy, and of a copy in the first, unless the rest is a frame of one
# colour; and the slack at the edges, as a share of the longer side.
_MIN_OF_FIRST, _MIN_OF_SECOND, _SLACK = 0.6, 0.995, 0.002
_FRAME_LEVELS, _FRAME_SHARE = 8.0, 0.9

# Colours: levels by which a block may differ after equal scaling; a picture with less than the last has no colours.
_COLOUR_BLOCKS = 24
_MAX_COLOUR = 45.0
_NO_COLOUR = 4.0


@dataclass(frozen=True, slots=True)
class Pose:
    """How the second of two pictures is rotated and aligned to match the first.

    Attributes:
        quarters: quarter turns counter-clockwise, after mirroring.
        is_mirrored: mirrored from left to right first.
        place: map from the first to the second picture so posed, accurate to a pixel of 96 or so.
        score: similarity, at most 1.
    """

    quarters: int
    is_mirrored: bool
    place: Map
    score: float


def coarse_view(view: PictureView) -> Pixels:
    """Make a grey uint8 view, at most 96 pixels wide and high, for `find_pose`."""
    return np.asarray(np.rint(shrink(_grey(view.pixels), COARSE_SIDE)), dtype=np.uint8)


def find_pose(first: Pixels, second: Pixels) -> Pose | None:
    """Find the pose from `coarse_view` of both; None when the two can be neither copies nor similar."""
    one, other = first.astype(np.float32), second.astype(np.float32)
    best = _pose(one, other, 0, False)
    if best is not None:
        return best
    mine = _thumbnail(one)
    alike, quarters, is_mirrored = max(
        (correlation(mine, _thumbnail(_apply_pose(other, quarters, is_mirrored))), quarters, is_mirrored)
        for is_mirrored in (False, True)
        for quarters in range(4)
    )
    is_turned = quarters > 0 or is_mirrored
    return _pose(one, other, quarters, is_mirrored) if is_turned and alike >= _MIN_COARSE else None


def compare(first: PictureView, second: PictureView, pose: Pose) -> Likeness | None:
    """Compare two pictures: the second is a copy of the first that shows no more, similar, or neither (None).

    A mirrored copy, one that holds more frames or pages, and a colour picture of a grey one are similar.
    """
    is_at_most_similar = pose.is_mirrored or _may_hold_more(first, second)
    colours = first.pixels, _apply_pose(second.pixels, pose.quarters, pose.is_mirrored)
    greys = _grey(colours[0]), _grey(colours[1])
    found: Likeness | None = None
    if min(max(grey.shape) for grey in greys) < _SMALLEST_SIDE:
        is_same = colours[0].shape == colours[1].shape and (colours[0] == colours[1]).all()
        found = "copy" if is_same and greys[0].std() > _MIN_CONTRAST else None
    else:
        is_page = any(map(_is_page, greys))
        for place in _places(*greys, pose.place, is_page=is_page):
            found = _compare_placed(colours, greys, place, is_page=is_page) or found
            if found == "copy":
                break
    return "similar" if found == "copy" and is_at_most_similar else found


def _places(first: Grey, second: Grey, coarse: Map, *, is_page: bool) -> Iterator[Map]:
    """Yield the possible maps to the second picture: the identity, as for most copies, and the one that is found."""
    identity = np.eye(2, 3)
    if not is_page or _may_be_page(first, second, identity):
        yield identity
    found = refine_map(first, second, coarse, sides=_SIDES)
    if found is None or (is_page and not _may_be_page(first, second, found)):
        return
    if not is_page:
        yield found
    found = refine_map(first, second, found, sides=(_PAGE_LAST_SIDE if is_page else _PHOTO_LAST_SIDE,))
    if found is not None:
        yield found


def _may_be_page(first: Grey, second: Grey, place: Map) -> bool:
    """Return whether two pages are similar enough for a close comparison."""
    small = shrink(first, _PAGE_FIRST_SIDE), shrink(second, round(_PAGE_FIRST_SIDE * zoom(place)))
    moved, is_shared = overlay(*small, place, margin=_EDGE)
    different, has_contrast = _differences(small[0], moved, is_shared, _PAGE_BLOCK)
    return bool(has_contrast.any() and np.median(different[has_contrast]) <= _MAX_ON_PAGE)


def _compare_placed(
    colours: tuple[Pixels, Pixels], greys: tuple[Grey, Grey], place: Map, *, is_page: bool
) -> Likeness | None:
    scale = zoom(place)
    side = min(VIEW_SIDE if is_page else _PHOTO_SIDE, max(greys[0].shape), max(greys[1].shape) / scale)
    small = shrink(greys[0], round(side)), shrink(greys[1], round(side * scale))
    found = _compare_blocks(*small, place, is_page=is_page)
    if found == "copy" and not (
        _is_covered(*small, place)
        and _has_same_colours(*colours, place)
        and is_same_detail(*colours, place, is_page=is_page)
    ):
        # Illegible pages are no evidence: other texts look like that too.
        return None if is_page else "similar"
    return found


def _compare_blocks(first: Grey, second: Grey, place: Map, *, is_page: bool) -> Likeness | None:
    moved, is_shared = overlay(first, second, place, margin=_EDGE)
    # Where a frame begins in the second, its colour has bled into the picture.
    is_shared[:_EDGE] = is_shared[-_EDGE:] = is_shared[:, :_EDGE] = is_shared[:, -_EDGE:] = False
    side = _PAGE_BLOCK if is_page else max(_PAGE_BLOCK, max(first.shape) // _PHOTO_BLOCKS)
    different, has_contrast = _differences(first, moved, is_shared, side)
    if not len(different) or has_contrast.mean() < _MIN_CONTRAST_SHARE:
        return None
    if correlation(first[is_shared], moved[is_shared]) < _MIN_CORRELATION:
        return None
    if is_page:
        is_legible = np.quantile(different[has_contrast], 0.99) <= _USUAL_ON_PAGE
        return "copy" if is_legible and different.max() <= _MAX_ON_PAGE else None
    if different.max() <= _MAX_UNEXPLAINED:
        return "copy"
    return "similar" if (different[has_contrast] > _MAX_UNEXPLAINED).mean() <= _MAX_DIFFERENT else None


def _differences(
    first: Grey, second: Grey, is_shared: NDArray[np.bool_], side: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Compare the blocks that are shared.

    Returns:
        For each block the share of its contrast that the other picture leaves unexplained, the smaller of both
        directions; and whether it has contrast.
    """
    is_whole = _blocks(is_shared, side).all(axis=1)
    unexplained, contrasts = [], []
    for one, other in ((first, second), (second, first)):
        noise = float(np.clip(_NOISE_SHARE * one[is_shared].std(), _MIN_NOISE, _MAX_NOISE)) if is_whole.any() else 0
        rest = _blocks(one - predict_levels(one, other, is_shared), side)[is_whole].std(axis=1)
        contrasts.append(_blocks(one, side)[is_whole].std(axis=1))
        unexplained.append(rest / np.maximum(contrasts[-1], noise))
    return np.minimum(*unexplained), np.maximum(*contrasts) > _MIN_CONTRAST


def _blocks(values: NDArray[Any], side: int) -> NDArray[Any]:
    """Split (height, width) into blocks (n, side²)."""
    height, width = (length - length % side for length in values.shape)
    parts = values[:height, :width].reshape(height // side, side, width // side, side)
    return parts.swapaxes(1, 2).reshape(-1, side * side)


def _is_page(grey: Grey) -> bool:
    small = shrink(grey, _PHOTO_SIDE)
    counts = np.bincount(np.clip(small, 0, 255).astype(np.int64).ravel(), minlength=256).astype(np.float64)
    is_paper = np.zeros(small.shape, dtype=bool)
    for _ in range(2):
        start = int(np.convolve(counts, np.ones(_RANGE_LEVELS), mode="valid").argmax())
        is_paper |= (small >= start) & (small < start + _RANGE_LEVELS)
        counts[start : start + _RANGE_LEVELS] = 0
    side = max(_PAGE_BLOCK, max(small.shape) // 48)
    has_contrast = _blocks(small, side).std(axis=1) > _MIN_CONTRAST
    if is_paper.mean() < _PAPER or not has_contrast.any():
        return False
    has_paper = _blocks(is_paper, side)[has_contrast].mean(axis=1) > _PAPER_OF_BLOCK
    return bool(has_paper.mean() >= _BLOCKS_WITH_PAPER)


def _is_covered(first: Grey, second: Grey, place: Map) -> bool:
    """Return whether all of the second picture is in the first, and most of the first in the second."""
    _, in_second = overlay(first, second, place, margin=-_SLACK * max(second.shape))
    back = np.linalg.inv(np.vstack([place, [0, 0, 1]]))[:2]
    _, in_first = overlay(second, first, back, margin=-_SLACK * max(first.shape))
    if in_second.mean() < _MIN_OF_FIRST:
        return False
    if in_first.mean() >= _MIN_OF_SECOND:
        return True
    rest = second[~in_first]
    return float((np.abs(rest - np.median(rest)) <= _FRAME_LEVELS).mean()) >= _FRAME_SHARE


def _has_same_colours(first: NDArray[np.uint8], second: NDArray[np.uint8], place: Map) -> bool:
    """Return whether the second has the first's colours, stronger or weaker or tinted, or none at all."""
    planes = []
    for channel in (0, 2):
        one, other = (
            shrink(pixels[..., channel].astype(np.float32) - _grey(pixels), 2 * _COLOUR_BLOCKS)
            for pixels in (first, second)
        )
        moved, is_shared = overlay(one, other, place)
        planes.append((one[is_shared], moved[is_shared]))
    mine, theirs = (np.stack([plane[which] for plane in planes]) for which in (0, 1))
    strengths = [float(np.sqrt((each**2).mean())) for each in (mine, theirs)]
    if strengths[1] < _NO_COLOUR:
        return True
    if strengths[0] < _NO_COLOUR:
        return False
    mine_centred, theirs_centred = (each - each.mean(axis=1, keepdims=True) for each in (mine, theirs))
    gain = float((mine_centred * theirs_centred).sum() / max(1e-6, float((theirs_centred**2).sum())))
    rest = mine_centred - np.clip(gain, 0.3, 3.0) * theirs_centred
    tint = np.abs(mine.mean(axis=1) - theirs.mean(axis=1)).max()
    return bool(np.sqrt((rest**2).sum(axis=0)).max() <= _MAX_COLOUR and tint <= _MAX_COLOUR)


def _may_hold_more(first: PictureView, second: PictureView) -> bool:
    """Return whether the second's file may hold more than one picture, or the first is one of several frames."""
    return second.is_sequence or (first.is_sequence and first.format != "MPO")


def _pose(first: Grey, second: Grey, quarters: int, is_mirrored: bool) -> Pose | None:
    """Align a pose, or return None when the two pictures are not similar in it."""
    posed = _apply_pose(second, quarters, is_mirrored)
    place = find_map(first, posed, sides=(COARSE_SIDE,))
    if place is None:
        return None
    moved, is_shared = overlay(first, posed, place)
    score = correlation(first[is_shared], moved[is_shared])
    different, has_contrast = _differences(first, moved, is_shared, _COARSE_BLOCK)
    if score < _MIN_COARSE or not has_contrast.any():
        return None
    is_other = (different[has_contrast] > _MAX_UNEXPLAINED).mean() > _MAX_DIFFERENT
    return None if is_other else Pose(quarters, is_mirrored, place, score)


def _apply_pose(pixels: NDArray[Level], quarters: int, is_mirrored: bool) -> NDArray[Level]:
    return np.ascontiguousarray(np.rot90(pixels[:, ::-1] if is_mirrored else pixels, quarters))


def _thumbnail(grey: Grey) -> Grey:
    return np.asarray(Image.fromarray(grey).resize((16, 16), Image.Resampling.BILINEAR))


def _grey(pixels: NDArray[np.uint8]) -> Grey:
    # Source: ITU-R BT.601, as Pillow's mode "L".
    return pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)


def is_grey(view: PictureView) -> bool:
    """Return whether a picture has no colours."""
    grey = _grey(view.pixels)
    strengths = [np.sqrt(((view.pixels[..., channel] - grey) ** 2).mean()) for channel in (0, 2)]
    return bool(max(strengths) < _NO_COLOUR)
