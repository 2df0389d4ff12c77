"""Align two grey pictures of the same content: one cropped, framed, stretched, or rotated by a few degrees.

Pictures are float32 (height, width), and coordinates go from 0 at the left or upper edge to the width or height.
A map is an affine transform, an array (2, 3): x, y, 1 in the first picture → x, y in the second.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.float32]
Map = NDArray[np.float64]

# Longest side at which the map is found, and maximum number of steps at that and at larger sizes.
_COARSE_SIDE, _STEPS = 40, 16

# The second picture may show less or more than the first, so the search starts from several scales.
_SCALES = (1.0, 0.93, 1.07, 0.85, 1.17)
_SURE = 0.95

# Beyond these it is another picture: minimum and maximum scale, and shear as a share of the width or height.
_MIN_SCALE, _MAX_SCALE, _MAX_TURN = 0.65, 1.55, 0.1

# Parameters of the map that are estimated, row by row: at the coarse size pictures are assumed upright.
_UPRIGHT, _TURNED = np.array([0, 2, 4, 5]), np.arange(6)

# Share of the first picture that must be in the second.
_MIN_SHARED = 0.4

# Share of the side that is ignored at the second's edges during refinement: the colour of a frame bleeds in there.
_MARGIN_SHARE = 1 / 64


def find_map(first: Grey, second: Grey, *, sides: Sequence[int] = ()) -> Map | None:
    """Find the map from the first picture to the second, both with sides of length 1.

    None where they have too little in common. Gauss-Newton steps for the six parameters of an affine map and for
    brightness and contrast, from coarse to fine.

    Args:
        sides: longest sides for refinement; without any it is accurate to a pixel of a picture 40 pixels wide.

    Source: B. Lucas, T. Kanade, "An Iterative Image Registration Technique with an Application to Stereo Vision", 1981.
    """
    small, other = shrink(first, _COARSE_SIDE), shrink(second, _COARSE_SIDE)
    best, best_score = None, 0.0
    for scale in _SCALES:
        middle = (1 - scale) / 2
        found = _refine(small, other, np.array([[scale, 0, middle], [0, scale, middle]]), _UPRIGHT)
        if found is None:
            continue
        moved, is_shared = overlay(small, other, found)
        score = correlation(small[is_shared], moved[is_shared])
        if score > best_score:
            best, best_score = found, score
        if score > _SURE:
            break
    return None if best is None else refine_map(first, second, best, sides=sides)


def refine_map(first: Grey, second: Grey, place: Map, *, sides: Sequence[int]) -> Map | None:
    """Refine a map that is nearly right; see `find_map`."""
    best: Map | None = place
    for side in sides:
        if best is not None:
            best = _refine(shrink(first, side), shrink(second, side), best, _TURNED)
    return best


def overlay(first: Grey, second: Grey, place: Map, *, margin: float = 1.0) -> tuple[Grey, NDArray[np.bool_]]:
    """Warp the second picture onto the first, and mask the overlap, without pixels within `margin` of its edge.

    Both results are (height, width) of the first. `place` is a map between sides of length 1.
    """
    width, height = first.shape[1], first.shape[0]
    pixels = _to_pixels(place, first, second)
    image = Image.fromarray(second).transform(
        (width, height), Image.Transform.AFFINE, tuple(pixels.ravel()), Image.Resampling.BILINEAR
    )
    return np.asarray(image), _mask_overlap(pixels, first.shape, second.shape, margin)


def _mask_overlap(
    pixels: Map, shape: tuple[int, ...], other_shape: tuple[int, ...], margin: float
) -> NDArray[np.bool_]:
    """Mask the pixels of a picture of `shape` that a map leads into one of `other_shape`.

    The map is affine, so that they are one run of columns in each row.
    """
    height, width = shape
    first, last = np.full(height, 0.0), np.full(height, width - 1.0)
    y = np.arange(height) + 0.5
    for (by_x, by_y, offset), side in zip(pixels, reversed(other_shape), strict=True):
        edges = np.stack([margin - offset - by_y * y, side - margin - offset - by_y * y])
        if by_x == 0:
            first[(edges[0] > 0) | (edges[1] < 0)] = width
            continue
        low, high = (edges if by_x > 0 else edges[::-1]) / by_x - 0.5
        first, last = np.maximum(first, np.ceil(low)), np.minimum(last, np.floor(high))
    columns = np.arange(width)
    return np.asarray((columns >= first[:, None]) & (columns <= last[:, None]))


def shrink(grey: Grey, side: int) -> Grey:
    """Shrink a picture to at most `side` pixels wide and high, and smooth it a little."""
    height, width = grey.shape
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = (
        grey if size == (width, height) else np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR))
    )
    return smooth(small)


def smooth(grey: Grey) -> Grey:
    """Smooth each pixel with its neighbours, by weights 1, 2, 1 both ways."""
    padded = np.pad(grey, 1, mode="edge")
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return np.asarray((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4, dtype=np.float32)


def correlation(one: Grey, other: Grey) -> float:
    """Return the correlation of two pictures, -1 to 1; 0 where one has no contrast."""
    if not one.size:
        return 0.0
    one, other = one - np.float32(one.mean()), other - np.float32(other.mean())
    norm = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / norm if norm else 0.0


def zoom(place: Map) -> float:
    """Return how many times larger the second's longer side must be to show the first's content in the same size."""
    return float(1 / np.sqrt(abs(np.linalg.det(place[:, :2]))))


def predict_levels(one: Grey, other: Grey, is_shared: NDArray[np.bool_]) -> Grey:
    """Predict this picture's levels from those of the other one: the mean level here for each level there."""
    bins = 32
    levels = np.clip(other, 0, 255)
    which = np.minimum((levels * (bins / 256)).astype(np.int64), bins - 1)[is_shared]
    counts = np.bincount(which, minlength=bins)
    is_used = counts > 0
    means = [np.bincount(which, each[is_shared], minlength=bins)[is_used] / counts[is_used] for each in (levels, one)]
    return np.asarray(np.interp(levels, means[0], means[1]), dtype=np.float32)


def _to_pixels(place: Map, first: Grey, second: Grey) -> Map:
    """Convert a map between sides of length 1 to pixels."""
    pixels: Map = place / [first.shape[1], first.shape[0], 1.0] * [[second.shape[1]], [second.shape[0]]]
    return pixels


def _refine(first: Grey, second: Grey, place: Map, numbers: NDArray[np.int64]) -> Map | None:
    height, width = first.shape
    if min(height, width, *second.shape) < 8:
        return None
    x = ((np.arange(width) + 0.5) / width).astype(np.float32)
    y = ((np.arange(height) + 0.5) / height).astype(np.float32)[:, None]
    one = np.ones(1, dtype=np.float32)
    slope_x, slope_y = np.zeros_like(first), np.zeros_like(first)
    parts = ((slope_x, x), (slope_x, y), (slope_x, one), (slope_y, x), (slope_y, y), (slope_y, one))
    by = np.empty((len(numbers) + 2, height * width), dtype=np.float32)
    layers = by.reshape(-1, height, width)
    for _ in range(_STEPS):
        moved, is_shared = overlay(first, second, place, margin=max(1.0, _MARGIN_SHARE * max(height, width)))
        is_shared[[0, -1]] = is_shared[:, [0, -1]] = False
        if is_shared.mean() < _MIN_SHARED:
            return None
        # The edges are masked, so that central differences are enough; what is masked counts as 0 everywhere.
        slope_x[:, 1:-1] = (moved[:, 2:] - moved[:, :-2]) * np.float32(width / 2)
        slope_y[1:-1] = (moved[2:] - moved[:-2]) * np.float32(height / 2)
        slope_x *= is_shared
        slope_y *= is_shared
        for row, number in enumerate(numbers):
            np.multiply(parts[number][0], parts[number][1], out=layers[row])
        np.multiply(moved, is_shared, out=layers[-2])
        layers[-1] = is_shared
        products = (by @ by.T).astype(np.float64)
        # A little damping, for pictures that do not determine all of the parameters.
        products[np.diag_indices(len(products))] *= 1.001
        products[np.diag_indices(len(products))] += 1e-6
        try:
            *found, contrast, _ = np.linalg.solve(products, by @ first.ravel())
        except np.linalg.LinAlgError:
            return None
        if contrast < 0.1:
            return None
        step = np.zeros(9)
        step[numbers] = np.array(found) / contrast
        place = (np.vstack([place, [0, 0, 1]]) @ (np.eye(3) + step.reshape(3, 3)))[:2]
        scales, turns = place[[0, 1], [0, 1]], place[[0, 1], [1, 0]]
        if not (scales > _MIN_SCALE).all() or not (scales < _MAX_SCALE).all() or np.abs(turns).max() > _MAX_TURN:
            return None
        if np.abs(step).max() * max(width, height) < 0.02:
            break
    return place
