"""Whether what is left between two aligned pictures is only what saving, scaling or retouching leaves.

The less detailed picture decides at which size they are compared: the largest that both have. The first is given the
tones and the sharpness of the second; the residual of a copy is noise that is spread over the picture, that of a moved
subject or of another text is concentrated in a few windows. Where nothing fine is seen, nothing is refuted or proved.
"""

import numpy as np
from numpy.typing import NDArray

from clipsearch.images.alignment import Grey, Map, explained, finer_map, laid_over, resized, zoom

# All limits were chosen on `tests.benchmarks.copies`: copies on one side, moved subjects and other texts on the other.

# Longest side in pixels below which no picture is evidence, and below which an octave must be explained better.
_LEAST_SIDE, _SMALL_SIDE = 64, 160

# Strength in grey levels that the second octave from the finest must have in the second picture, and the share of it
# that may be left beside noise: heavily compressed copies leave 0.34, reduced pages of other texts 0.4.
_LEAST_DETAIL = 0.8
_NOISE = 0.1
_MOST_LEFT, _MOST_LEFT_OF_SMALL, _MOST_LEFT_OF_COARSER = 0.36, 0.25, 0.25

# Windows of so many pixels; one is a change when so many grey levels, twice those of 99 % of the windows, and a share
# of its contrast are left there.
_WINDOW = 6
_LEAST_CHANGE, _CHANGE_SHARE, _CHANGE_TIMES = 5.2, 0.3, 2.0

# Or when the square of what is left exceeds what is usual at its contrast by so many times; more of lossy copies, that
# leave so much of the finest octave.
_MOST_TIMES, _MOST_TIMES_OF_LOSSY, _LOSSY = 12.0, 15.0, 0.45

# The map is refined at this size before the full one.
_MIDDLE_SIDE = 384

# Pixels that are left out at the edges: the colour of a frame runs into them.
_EDGE, _MARGIN = 3, 5.0

# Steps of the smoothing by 1, 2, 1 that part the octaves, in pixels.
_STEPS = (1, 2, 4)


def is_same_detail(first: Grey, second: Grey, place: Map, *, is_page: bool) -> bool:
    """Whether fine detail is there, and the first explains it everywhere.

    Args:
        first, second: grey levels (height, width), at the full size of both.
        place: where each place of the first lies in the second, see `alignment.find_map`.
        is_page: whether each block of them was compared closely, so that a change has been seen.
    """
    side = _common_side(first, second, place)
    if side < _LEAST_SIDE:
        return False
    for finer_side in dict.fromkeys((min(side, _MIDDLE_SIDE), side)):
        place = _or(finer_map(first, second, place, sides=(finer_side,)), place)
    side = _common_side(first, second, place)
    one = resized(first, side)
    moved, is_shared = laid_over(one, resized(second, round(side * zoom(place))), place, margin=_MARGIN)
    is_shared[:_EDGE] = is_shared[-_EDGE:] = is_shared[:, :_EDGE] = is_shared[:, -_EDGE:] = False
    if min(one.shape) <= 2 * _STEPS[-1] or not is_shared.any():
        return False
    residual = np.where(is_shared, moved - _matched(one, moved, is_shared), np.float32(0))
    details, left = _octaves(moved, is_shared), _octaves(residual, is_shared)
    most = _MOST_LEFT if side >= _SMALL_SIDE else _MOST_LEFT_OF_SMALL
    if (
        details[1] < _LEAST_DETAIL
        or left[1] > most * details[1] + _NOISE
        or left[2] > _MOST_LEFT_OF_COARSER * details[2]
    ):
        return False
    if is_page:
        return True
    is_lossy = left[0] > _LOSSY * max(details[0], 1.0)
    return not _has_change(moved, residual, is_shared, _MOST_TIMES_OF_LOSSY if is_lossy else _MOST_TIMES)


def _has_change(moved: Grey, residual: Grey, is_shared: NDArray[np.bool_], most_times: float) -> bool:
    """Whether what is left is concentrated in a window."""
    is_whole = _means(is_shared.astype(np.float32)) > 0.999
    if not is_whole.any():
        return True  # nothing to judge by
    left, contrast = (_variances(values)[is_whole] for values in (residual, moved))
    is_unexplained = left > _CHANGE_SHARE * (contrast + 4)
    usual = float(np.quantile(left, 0.99))
    if (left[is_unexplained] > max(_LEAST_CHANGE**2, _CHANGE_TIMES**2 * usual)).any():
        return True
    # Noise, and what compression takes of strong edges.
    is_strong = contrast >= np.quantile(contrast, 0.7)
    share = float(np.median(left[is_strong] / (contrast[is_strong] + 1)))
    return bool((left / (4 + float(np.median(left)) + share * contrast)).max() > most_times)


def _matched(first: Grey, second: Grey, is_shared: NDArray[np.bool_]) -> Grey:
    """The first with the tones and the sharpness of the second, by least squares over the first made less and less
    sharp."""
    layers = [explained(second, first, is_shared)]
    for step in _STEPS:
        layers.append(_smoothed(layers[-1], step))
    values = np.stack([*(layer[is_shared] for layer in layers), np.ones(int(is_shared.sum()), dtype=np.float32)])
    products = (values @ values.T).astype(np.float64) + 1e-3 * np.eye(len(values))
    *weights, level = np.linalg.solve(products, (values @ second[is_shared]).astype(np.float64))
    mixed = sum(np.float32(weight) * layer for weight, layer in zip(weights, layers, strict=True))
    return np.asarray(mixed + np.float32(level), dtype=np.float32)


def _octaves(values: Grey, is_shared: NDArray[np.bool_]) -> list[float]:
    """Strength of each octave, in grey levels, the finest first."""
    strengths = []
    for step in _STEPS:
        coarser = _smoothed(values, step)
        strengths.append(float(np.sqrt(((values - coarser)[is_shared] ** 2).mean())))
        values = coarser
    return strengths


def _smoothed(values: Grey, step: int) -> Grey:
    """Each pixel with those `step` away, by 1, 2, 1 both ways."""
    padded = np.pad(values, step, mode="edge")
    rows = (padded[: -2 * step] + 2 * padded[step:-step] + padded[2 * step :]) / 4
    return np.asarray((rows[:, : -2 * step] + 2 * rows[:, step:-step] + rows[:, 2 * step :]) / 4, dtype=np.float32)


def _variances(values: Grey) -> Grey:
    return np.asarray(np.maximum(_means(values * values) - _means(values) ** 2, 0), dtype=np.float32)


def _means(values: Grey) -> Grey:
    """Of each window, (height - 5, width - 5) for windows of 6."""
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    side = _WINDOW
    windows = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(windows / side**2, dtype=np.float32)


def _common_side(first: Grey, second: Grey, place: Map) -> int:
    side: int = round(min(max(first.shape), max(second.shape) / zoom(place)))
    return side


def _or(found: Map | None, otherwise: Map) -> Map:
    return otherwise if found is None else found
