"""Cache what a background takes longest to learn: the levels of its sample, see `relevance.learn_background`."""

import json
from functools import partial
from typing import Any

import numpy as np
from blake3 import blake3

from clipsearch.scoring.bank import Bank
from clipsearch.scoring.number_cache import cache_numbers, read_numbers
from clipsearch.scoring.relevance import Background, Level, Rows, learn_from_sample

# Part of the cache key: change it whenever `learn_from_sample` changes, so that cached numbers are invalidated.
_CALIBRATION = "own levels, words, pictures 1"

_FOLDER = "background"
_LEVEL = 3  # numbers of a `Level`


def load_background(sample: Rows, count: int, bank: Bank) -> Background:
    """Return the background of an index, from the cache or learnt; the same either way, bit for bit.

    Learning takes a sixth of a cold query. The key is a hash of the sample and the bank, so that a changed catalog is a
    cache miss, and catalogs on any machine that share their rows share the numbers.

    Args:
        sample: (n, dim) of its pictures, unit-norm.
        count: number of its rows.
    """
    learn = partial(learn_from_sample, sample, count, bank)
    if not len(sample):
        return learn()
    name = _name_of(sample, bank)
    numbers = read_numbers(_FOLDER, name)
    if numbers is not None and _are_levels(numbers, len(sample)):
        words, pictures = Level(*numbers[1 : 1 + _LEVEL]), Level(*numbers[1 + _LEVEL : 1 + 2 * _LEVEL])
        own_levels = np.array(numbers[1 + 2 * _LEVEL :], dtype=np.float32)
        return Background(sample, own_levels, numbers[0], count, words, pictures, bank)
    background = learn()
    levels = [number for level in (background.words, background.pictures) for number in _numbers_of(level)]
    cache_numbers(_FOLDER, name, [float(background.usual_level or 0.0), *levels, *background.own_levels.tolist()])
    return background


def _name_of(sample: Rows, bank: Bank) -> str:
    digest = blake3(_CALIBRATION.encode())
    digest.update(_bytes_of(sample))
    digest.update(_bytes_of(bank.embeddings))
    digest.update(json.dumps([bank.logit_scale, bank.picture_location, bank.picture_spread]).encode())
    return digest.hexdigest()[:32]


def _bytes_of(rows: Rows) -> Any:
    return np.ascontiguousarray(rows).data.cast("B")


def _numbers_of(level: Level) -> tuple[float, float, float]:
    return level.location, level.spread, level.reach


def _are_levels(numbers: list[float], count: int) -> bool:
    """Return whether cached numbers are those of a sample of `count` pictures, as far as that can be seen."""
    spreads = numbers[2:3] + numbers[2 + _LEVEL : 3 + _LEVEL]
    return len(numbers) == 1 + 2 * _LEVEL + count and all(spread > 0 for spread in spreads)
