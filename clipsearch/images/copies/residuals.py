"""Check that the residual between two aligned pictures is only that of saving, scaling or retouching.

They are compared at the largest size that both have, which the less detailed picture decides. The first is fitted to
the tones, colours and sharpness of the second; the residual of a copy is as small and as spread as that of JPEG
compression, that of a moved subject or of another text is concentrated in a few windows, and that of an illegible page
is as strong as its detail.
"""

import io
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.images.copies.alignment import Grey, Map, overlay, predict_levels, refine_map

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# Shortest side in pixels below which nothing is evidence; it exceeds the reach of the octaves.
_MIN_SIDE = 16

# Largest residual share of the second and third finest octave. JPEG with quality 25 leaves at most 0.47 and 0.20, other
# illegible texts at least 0.31 and 0.4; tiny pages 0.31 and 0.11, tiny photographs 0.10 and 0.04.
_MAX_LEFT, _MAX_LEFT_OF_COARSER = 0.5, 0.25
_SMALL_SIDE, _MAX_LEFT_OF_SMALL = 150, 0.2

# A window of 6 × 6 pixels is a change when the residual exceeds 12 times the variance that compression leaves there,
# and a quarter of its contrast: copies reach 11 times, half-sized texts of 14 pixels 14 times or more, others 50.
_WINDOW = 6
_MAX_TIMES, _CHANGE_SHARE = 12.0, 0.25

# Variance in squared grey levels that rounding and resampling leave anywhere.
_ROUNDING = 8.0

# The residual is compared with that of the JPEG quality that leaves as much in the windows of most contrast, also in
# windows around each, because its blocks of 8 pixels may be offset.
_QUALITIES = (10, 20, 30, 45, 60, 75, 85, 92)
_STRONG_QUANTILE, _BLOCK_REACH = 0.7, 4

# The map is refined at this size before the full one; scales this close to 1 are left to it.
_MIDDLE_SIDE, _SAME_SCALE = 384, 0.02

# Pixels at the second's edges that are ignored.
_MARGIN = 2.0

# Steps in pixels of the smoothing by 1, 2, 1 that separates the octaves.
_STEPS = (1, 2, 4)

# Maximum number of pixels that the tones are fitted on; levels outside are clipped; damping as a share of a level².
_FITTED, _CLIPPED, _DAMPING = 60_000, (2, 253), 0.02

# Source: ITU-R BT.601, as Pillow's mode "L".
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def is_same_detail(first: Pixels, second: Pixels, place: Map, *, is_page: bool) -> bool:
    """Return whether the first picture explains the second's fine detail, everywhere.

    Args:
        first, second: uint8 (height, width, 3), at the full size of both.
        place: map from the first to the second, see `alignment.find_map`.
        is_page: whether each block of them was compared closely, so that a change would have been seen.
    """
    one, moved, is_shared = _align(first, second, place)
    if min(is_shared.shape) < _MIN_SIDE or not is_shared.any():
        return False
    target = moved @ _LUMA
    model = predict_levels(target, _match_tones(one, moved, is_shared) @ _LUMA, is_shared)
    residual = np.where(is_shared, target - model, np.float32(0))
    details, left = _octaves(target, is_shared), _octaves(residual, is_shared)
    most = _MAX_LEFT if max(is_shared.shape) >= _SMALL_SIDE else _MAX_LEFT_OF_SMALL
    if left[1] > most * details[1] or left[2] > _MAX_LEFT_OF_COARSER * details[2]:
        return False
    return is_page or not _has_change(model, target, residual, is_shared)


def _align(first: Pixels, second: Pixels, place: Map) -> tuple[NDArray[np.float32], NDArray[np.float32], Mask]:
    """Align both pictures, float32 (height, width, 3), and mask their overlap.

    Areas that the second does not show are cropped, because the colour of a frame would bleed in.
    """
    greys = first @ _LUMA, second @ _LUMA
    side = round(max(first.shape) * min(1.0, _scale(first, second, place)))
    for finer_side in dict.fromkeys((min(side, _MIDDLE_SIDE), side)):
        finer = refine_map(*greys, place, sides=(finer_side,))
        place = place if finer is None else finer
    scale = _scale(first, second, place)
    if abs(scale - 1) < _SAME_SCALE:
        scale = 1.0
    ones, moved = [], []
    for channel in range(3):
        ones.append(_resize(first[..., channel], min(1.0, scale)))
        other, is_shared = overlay(ones[-1], _resize(second[..., channel], min(1.0, 1 / scale)), place, margin=_MARGIN)
        moved.append(other)
    rows, columns = (np.flatnonzero(is_shared.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return np.stack(ones, axis=-1), np.stack(moved, axis=-1), is_shared
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return (
        np.stack([each[box] for each in ones], axis=-1),
        np.stack([each[box] for each in moved], axis=-1),
        is_shared[box],
    )


def _match_tones(first: NDArray[np.float32], second: NDArray[np.float32], is_shared: Mask) -> NDArray[np.float32]:
    """Fit the first picture to the tones, colours, sharpness and subpixel position of the second.

    By least squares over smoothed versions of the first, and its gradients; levels that the second clips are clipped,
    and not fitted.
    """
    height, width = is_shared.shape
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    places = np.flatnonzero(is_shared)
    places = places[:: len(places) // _FITTED + 1]
    luma = _layers(first @ _LUMA)
    matched = np.empty_like(second)
    for channel in range(3):
        level = first[..., channel]
        down, across = np.gradient(level)
        parts = [*_layers(level), *luma, across, across * x, across * y, down, down * x, down * y]
        wanted = second[..., channel].ravel()[places].astype(np.float64)
        is_fit = (wanted > _CLIPPED[0]) & (wanted < _CLIPPED[1])
        if is_fit.mean() < 0.25:
            is_fit[:] = True
        wanted = wanted[is_fit]
        values = np.stack([part.ravel()[places[is_fit]] for part in parts]).astype(np.float64)
        means, mean = values.mean(axis=1, keepdims=True), wanted.mean()
        values -= means
        products = values @ values.T + _DAMPING * len(wanted) * np.eye(len(parts))
        weights = np.linalg.solve(products, values @ (wanted - mean))
        total = np.full(level.shape, mean - weights @ means[:, 0], dtype=np.float32)
        for weight, part in zip(weights, parts, strict=True):
            total += np.float32(weight) * part
        matched[..., channel] = np.clip(total, 0, 255)
    return matched


def _has_change(model: Grey, target: Grey, residual: Grey, is_shared: Mask) -> bool:
    """Return whether the residual in some window is more than compression leaves there."""
    is_whole = _means(is_shared.astype(np.float32), _WINDOW) > 0.999
    if not is_whole.any():
        return True  # no evidence
    left = _variances(residual)[is_whole]
    contrast = np.maximum(_variances(model), _variances(target))[is_whole]
    is_strong = contrast >= np.quantile(contrast, _STRONG_QUANTILE)
    usual = float(np.median(left[is_strong]))
    lossy = _like_compression(model, usual, is_whole, is_strong)
    noise = _means(np.pad(lossy, _BLOCK_REACH, mode="edge"), 2 * _BLOCK_REACH + 1)[is_whole]
    is_change = (left > _CHANGE_SHARE * contrast) & (left > _MAX_TIMES * (_ROUNDING + noise))
    return bool(is_change.any())


def _like_compression(grey: Grey, usual: float, is_whole: Mask, is_strong: Mask) -> Grey:
    """Return the residual variance per window of the JPEG quality that leaves about as much as is usual here.

    The residual decreases with quality, so that a binary search needs only a few of them.
    """
    tried: dict[int, tuple[float, Grey]] = {}

    def log_ratio(row: int) -> float:
        if row not in tried:
            lossy = _compression(grey, _QUALITIES[row])
            level = float(np.median(lossy[is_whole][is_strong]))
            tried[row] = float(np.log((level + 1) / (usual + 1))), lossy
        return tried[row][0]

    low, high = 0, len(_QUALITIES) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if log_ratio(middle) > 0 else (low, middle)
    return tried[min((low, high), key=lambda row: abs(log_ratio(row)))][1]


def _compression(grey: Grey, quality: int) -> Grey:
    """Return the variance per window of the residual of a JPEG of this quality."""
    picture, content = Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8)), io.BytesIO()
    picture.save(content, "JPEG", quality=quality)
    with Image.open(content) as saved:
        return _variances(np.asarray(saved, dtype=np.float32) - grey)


def _octaves(values: Grey, is_shared: Mask) -> list[float]:
    """Return the strength of each octave, in grey levels, the finest first."""
    layers = _layers(values)
    return [float(np.sqrt(((finer - coarser)[is_shared] ** 2).mean())) for finer, coarser in pairwise(layers)]


def _layers(values: Grey) -> list[Grey]:
    """Return smoother and smoother versions, the picture itself first."""
    layers = [values]
    for step in _STEPS:
        layers.append(_smooth(layers[-1], step))
    return layers


def _smooth(values: Grey, step: int) -> Grey:
    """Smooth each pixel with those `step` away, by weights 1, 2, 1 both ways."""
    padded = np.pad(values, step, mode="edge")
    rows = (padded[: -2 * step] + 2 * padded[step:-step] + padded[2 * step :]) / 4
    return np.asarray((rows[:, : -2 * step] + 2 * rows[:, step:-step] + rows[:, 2 * step :]) / 4, dtype=np.float32)


def _variances(values: Grey) -> Grey:
    """Return the variance of each window, (height - 5, width - 5) for windows of 6."""
    squares = _means(values * values, _WINDOW)
    return np.asarray(np.maximum(squares - _means(values, _WINDOW) ** 2, 0), dtype=np.float32)


def _means(values: Grey, side: int) -> Grey:
    """Return the mean of each window of `side` pixels."""
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    windows = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(windows / side**2, dtype=np.float32)


def _scale(first: Pixels, second: Pixels, place: Map) -> float:
    """Return how many pixels of the second correspond to one of the first, by length."""
    areas = [float(pixels.shape[0] * pixels.shape[1]) for pixels in (first, second)]
    return float(np.sqrt(abs(np.linalg.det(place[:, :2])) * areas[1] / areas[0]))


def _resize(channel: Pixels, scale: float) -> Grey:
    values = channel.astype(np.float32)
    height, width = values.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return values
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BILINEAR))
