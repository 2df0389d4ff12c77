"""What a score is worth: how far it stands out from what the same words score on pictures they have nothing to do with.

Cosines of one model lie between 0.10 and 0.35, those of another between 0 and 0.6, and some words score higher than
others on everything. So a score is told by its deviation: its distance from the median of the same term over the
catalog, in spreads of the model's background. The best of n pictures that show something else deviates by about
√(2 ln n); relevance is what is left beyond that, as a probability.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import QueryError
from clipsearch.indexes.base import VectorIndex
from clipsearch.vectors import normalise

# Rows of the catalog that stand for all of it: the median of so many is off by 0.03 spreads.
_SAMPLE_ROWS = 2_048

# Of them, for how far scores spread; with all texts of the background that is half a million scores at most.
_SPREAD_ROWS = 512

# A standard deviation is so many median absolute deviations of a normal distribution.
_MAD = 1.4826

# Pictures whose scores the background stands for in a median, so that that of very few pictures says little.
_PRIOR_PICTURES = 10

# Beyond so many, the pictures a query is right for are taken to become more just as those that it hits by chance.
_MOST_BY_CHANCE = 1_000

# Logistic, fitted to 3 sets with the starter model: the first hits that were right, against the first hits of
# queries whose answers had been taken out. `python -m tests.benchmarks.relevance` measures what came of it.
_SLOPE, _INTERCEPT = 1.8, -0.65

# Of a sum of embeddings; what is shorter points nowhere.
_MIN_NORM = 1e-3

DEFAULT_CUTOFF = 0.3
"""A first hit below this relevance is wrong more often than right, on all sets it was measured on."""


@dataclass(frozen=True, slots=True)
class Level:
    """Where scores lie that mean nothing: their median, and how far they spread around it."""

    location: float
    spread: float


@dataclass(frozen=True, slots=True)
class Direction:
    """A weighted sum of terms as one embedding.

    Attributes:
        embedding: (dim,) unit-norm; its cosine is the score.
        shares: of each term's cosine in that score, which is their weighted sum.
        center, unit: a score deviates by (score - center) / unit.
    """

    embedding: NDArray[np.float32]
    shares: tuple[float, ...]
    center: float
    unit: float

    def deviations(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Any shape, in units of the background's spread."""
        return np.asarray((scores - np.float32(self.center)) / np.float32(self.unit))


@dataclass(frozen=True, slots=True)
class Background:
    """What a catalog's pictures score with what has nothing to do with them.

    Attributes:
        sample: (n, dim) embeddings of pictures of the catalog.
        count: pictures in the catalog.
        words, pictures: the level of captions and of other pictures.
    """

    sample: NDArray[np.float32]
    count: int
    words: Level
    pictures: Level

    def direction(
        self, embeddings: Sequence[NDArray[np.float32]], weights: Sequence[float], *, are_words: Sequence[bool]
    ) -> Direction:
        """The sum of terms, each (dim,) unit-norm, in which words and pictures weigh the same: their cosines spread
        differently.

        Raises:
            QueryError: they cancel each other out.
        """
        levels = [self._level(row, words) for row, words in zip(embeddings, are_words, strict=True)]
        if len(embeddings) == 1:
            return Direction(embeddings[0], (1.0,), levels[0].location, levels[0].spread)
        factors = [weight / level.spread for weight, level in zip(weights, levels, strict=True)]
        # A term that is missing must not make up for one that is there twice.
        scale = math.sqrt(sum(weight**2 for weight in weights if weight > 0))
        center = sum(factor * level.location for factor, level in zip(factors, levels, strict=True))
        total: NDArray[np.float32] = np.asarray(factors, dtype=np.float32) @ np.stack(embeddings)
        length = float(np.linalg.norm(total))
        if not length > _MIN_NORM * max(map(abs, factors)):
            raise QueryError("what is wanted and what is not cancel each other out")
        (row,) = normalise(total[np.newaxis])
        return Direction(row, tuple(factor / length for factor in factors), center / length, scale / length)

    def relevances(self, deviations: NDArray[np.float32]) -> NDArray[np.float64]:
        """Any shape; from 0 to 1."""
        by_chance = math.sqrt(2 * math.log(max(2, min(self.count, _MOST_BY_CHANCE))))
        odds = _SLOPE * (deviations.astype(np.float64) - by_chance) + _INTERCEPT
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -50, 50))))

    def is_outdated(self, count: int) -> bool:
        """Whether the catalog, with `count` pictures now, has become another one."""
        return abs(count - self.count) > 0.1 * self.count

    def _level(self, embedding: NDArray[np.float32], is_words: bool) -> Level:
        """Of one term over the catalog."""
        level = self.words if is_words else self.pictures
        count = len(self.sample)
        median = float(np.median(self.sample @ embedding)) if count else 0.0
        location = (count * median + _PRIOR_PICTURES * level.location) / (count + _PRIOR_PICTURES)
        # Where most pictures show what is asked for, their median is no background.
        return Level(min(location, level.location + level.spread), level.spread)


def learn_background(index: VectorIndex, texts: NDArray[np.float32]) -> Background:
    """
    Args:
        texts: (n, dim) unit-norm, of captions that have nothing to do with each other.
    """
    sample = index.sample(_SAMPLE_ROWS)
    some = sample[:: max(1, len(sample) // _SPREAD_ROWS)]
    words = _level_of(texts @ some.T) if len(some) else Level(0.0, 1.0)
    pictures = words
    if len(some) > 1:
        is_other = ~np.eye(len(some), dtype=np.bool_)
        among = _level_of((some @ some.T)[is_other].reshape(len(some), -1))
        # A few pictures that are all alike must not make a match of nothing.
        pictures = Level(among.location, max(among.spread, words.spread))
    return Background(sample, index.count, words, pictures)


def _level_of(scores: NDArray[np.float32]) -> Level:
    """scores (q, n), a row for each query: the median of all, and how far each row spreads around its own."""
    spread = _MAD * float(np.median(np.abs(scores - np.median(scores, axis=1, keepdims=True))))
    return Level(float(np.median(scores)), max(spread, _MIN_NORM))
