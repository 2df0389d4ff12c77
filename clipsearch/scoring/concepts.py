"""Learn the direction of a concept from example pictures and words (regularised linear discriminant analysis).

The catalog's own pictures are the weak negatives: hardly any of them show the concept, and their covariance tells which
differences from the usual picture are common. Whitened by it, the mean of the examples is the ridge regression of
examples against the other pictures, up to its length. Source: Hariharan, Malik and Ramanan, "Discriminative
decorrelation for clustering and classification", ECCV 2012.

The embedding of the words is a prior: both directions are scaled to spread alike over the catalog's pictures, and the
words count as a fixed number of examples; as fewer where the model does not know them, or they do not find the
examples: a name such as "rex" is no prior. Constants: `python -m tests.benchmarks.concepts --fit`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.scoring.relevance import PICTURE_REACH, Level
from clipsearch.vectors import median_and_spread, normalise

Rows = NDArray[np.float32]

# Examples that the words count as, where the model knows them and they find the examples.
WORDS_EXAMPLES = 6.0

# Spreads above other pictures at which words find an example, and the pseudo-count of examples that they find.
_AGREEMENT, _AGREEING_PICTURES = 2.0, 1

# Ridge added to the covariance, in its mean variances.
RIDGE = 1.0

# Pictures that the prior covariance counts as: that of a small catalog is shrunk towards equal variances.
_COVARIANCE_PICTURES = 50

# Of the cosines with a direction: their usual spread, and the pseudo-count of a small catalog.
_USUAL_SPREAD, _SPREAD_PICTURES = 0.05, 20

# Share of the mean of the negative examples that is subtracted, and the pseudo-count it is shrunk with.
_NEGATIVE_SHARE, _NEGATIVE_PICTURES = 0.5, 4

# Positive examples from which left-out ones tell how far matches reach, how many of them are left out in turn, and the
# pseudo-count of the usual reach.
_LEAST_LEFT_OUT, _MOST_LEFT_OUT, _REACH_EXAMPLES = 2, 20, 2

# Smallest length of a direction before it is normalised.
_LEAST_NORM = 1e-6


@dataclass(frozen=True, slots=True)
class WeakNegatives:
    """Pictures of a catalog, none of which is taken to be an example; learnt once for all its concepts.

    Attributes:
        sample: (s, dim) unit-norm.
        mean: (dim,) of the sample.
        precision: (dim, dim), the inverse of its regularised covariance, scaled to a mean variance of 1.
    """

    sample: Rows
    mean: Rows
    precision: Rows

    @classmethod
    def learn(cls, sample: Rows, *, ridge: float = RIDGE) -> "WeakNegatives":
        """Learn from a sample (s, dim), which may be empty; takes time with the third power of the dimensions."""
        count, dim = sample.shape
        mean = sample.mean(axis=0) if count else np.zeros(dim, dtype=np.float32)
        centred = sample - mean
        covariance = centred.T @ centred
        prior = _COVARIANCE_PICTURES / (count + _COVARIANCE_PICTURES)
        variance = float(np.trace(covariance)) / dim
        if variance > 0:
            covariance *= np.float32((1 - prior) / variance)
        covariance[np.diag_indices(dim)] += np.float32(ridge + prior)
        return cls(sample, mean, np.linalg.inv(covariance))

    def level_of(self, row: Rows) -> Level:
        """Measure the level of the sample in a direction (dim,) unit-norm."""
        count = len(self.sample)
        location, spread = median_and_spread((self.sample @ row)[np.newaxis]) if count else (0.0, _USUAL_SPREAD)
        spread = (count * spread + _SPREAD_PICTURES * _USUAL_SPREAD) / (count + _SPREAD_PICTURES)
        return Level(location, spread, PICTURE_REACH)


@dataclass(frozen=True, slots=True)
class ConceptDirection:
    """Direction of a concept, for searches by inner product.

    Attributes:
        embedding: (dim,) unit-norm.
        level: of the catalog's pictures in that direction; `reach` is how far examples that were left out lie above
            them.
    """

    embedding: Rows
    level: Level


@dataclass(frozen=True, slots=True)
class ConceptExamples:
    """What a concept is learnt from.

    Attributes:
        positives, negatives: (n, dim) and (m, dim) unit-norm, of pictures.
        words: (dim,) unit-norm, of the words that describe it; None without any.
        familiarity: probability that the model knows the words.
    """

    positives: Rows
    negatives: Rows
    words: Rows | None = None
    familiarity: float = 1.0


def learn_concept(
    examples: ConceptExamples, others: WeakNegatives, *, words_examples: float = WORDS_EXAMPLES
) -> ConceptDirection | None:
    """Learn a concept; None where nothing tells it from other pictures."""
    learner = _Learner(examples, others, words_examples)
    embedding = learner.direction_of(examples.positives)
    if embedding is None:
        return None
    level = others.level_of(embedding)
    return ConceptDirection(embedding, Level(level.location, level.spread, learner.find_reach()))


class _Learner:
    def __init__(self, examples: ConceptExamples, others: WeakNegatives, words_examples: float) -> None:
        self._examples = examples
        self._others = others
        self._words_examples = 0.0
        if examples.words is not None:
            self._words_examples = words_examples * examples.familiarity * self._agreement_of(examples.words) ** 2
        self._origin = others.mean
        if count := len(examples.negatives):
            share = _NEGATIVE_SHARE * count / (count + _NEGATIVE_PICTURES)
            self._origin = others.mean + np.float32(share) * (examples.negatives.mean(axis=0) - others.mean)

    def _agreement_of(self, words: Rows) -> float:
        """Return how well words find the positives, 0 to 1."""
        positives, level = self._examples.positives, self._others.level_of(words)
        margins = (positives @ words - level.location) / level.spread
        found = (float(margins.sum()) + _AGREEING_PICTURES * _AGREEMENT) / (len(positives) + _AGREEING_PICTURES)
        return min(1.0, max(0.0, found / _AGREEMENT))

    def direction_of(self, positives: Rows) -> Rows | None:
        """Return the direction (dim,) unit-norm of some positives and the words; None where they have none."""
        parts: list[tuple[Rows, float]] = []
        share = 0.0
        if len(positives):
            share = len(positives) / (len(positives) + self._words_examples)
            parts.append((self._others.precision @ (positives.mean(axis=0) - self._origin), share))
        if self._examples.words is not None and share < 1:  # without positives, words alone
            parts.append((self._examples.words, 1 - share))
        total = np.zeros_like(self._others.mean)
        for part, weight in parts:
            length = float(np.linalg.norm(part))
            if length > _LEAST_NORM:
                row = part / np.float32(length)
                total += np.float32(weight / self._others.level_of(row).spread) * row
        return normalise(total[np.newaxis])[0] if float(np.linalg.norm(total)) > _LEAST_NORM else None

    def find_reach(self) -> float:
        """Return how far above other pictures a match lies, in spreads: the mean of positives left out in turn.

        At least as far as pictures of one thing usually do: a concept that reaches less far is no reason to take
        less for a match.
        """
        positives = self._examples.positives
        if len(positives) < _LEAST_LEFT_OUT:
            return PICTURE_REACH
        margins = []
        for place in range(0, len(positives), -(-len(positives) // _MOST_LEFT_OUT)):
            row = self.direction_of(np.delete(positives, place, axis=0))
            if row is not None:
                level = self._others.level_of(row)
                margins.append((float(positives[place] @ row) - level.location) / level.spread)
        return max(PICTURE_REACH, (sum(margins) + _REACH_EXAMPLES * PICTURE_REACH) / (len(margins) + _REACH_EXAMPLES))
