"""Calibrate cosines to the probability (relevance) that a picture shows what a query describes.

Contrastive training makes logit_scale · cosine an estimate of the pointwise mutual information
log p(words, picture) / p(words) p(picture), up to a constant of each side. A bank of texts removes the picture's
constant: the picture's own level is what texts in general score on it, and the evidence is the margin above that level.
How often a margin is right depends on the share of the catalog's pictures that match; an EM algorithm estimates that
share for each query, and the level of the pictures that don't match.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import QueryError
from clipsearch.indexes.base import VectorIndex
from clipsearch.scoring.absence import Absences, make_absences
from clipsearch.scoring.bank import Bank
from clipsearch.vectors import cosines_among, median_and_spread, normalise, sigmoid

DEFAULT_CUTOFF = 0.3
"""Relevance threshold of a match."""

SAMPLE_ROWS = 1_024
"""Pictures of the catalog that are sampled."""

# The part of the sample that measures the spread of scores.
_SPREAD_ROWS = 256

# Logistic evidence of a margin: slope, intercept, and the share of the bank's reach subtracted. Ideal training would
# give a slope of the spread in logits, about 2. These, and the shares below, are a compromise between photographs of
# which 0.5 to 7 % match a query, and drawings: `python -m tests.benchmarks.relevance --fit` prints each set's optimum.
SLOPE, _INTERCEPT, _TAKEN = 2.0, 3.7, 0.75

# Shrinkage of a picture's own level towards the catalog's usual one: the level is estimated from the bank alone, and
# all of it would penalise pictures of what the bank names.
_OWN = 2 / 3

# Pseudo-count of the prior level, 0, for catalogs with few pictures that don't match.
_LEVEL_PICTURES = 20

PICTURE_REACH = 5.0
"""Spreads that pictures of one thing score above unrelated ones.

Less helps drawings and catalogs of one thing, more helps photographs of many:
`python -m tests.benchmarks.relevance --pictures`.
"""

# Beta prior of the share of matching pictures: its mean, its pseudo-count, and the part of the sample added to that, so
# that the log-odds of a picture hardly change when a catalog grows.
_SHARE, _SHARE_PICTURES, _SHARE_WEIGHT = 0.02, 40, 0.7

# Prior of the texts' margins above a picture's own level, in logits: median, spread, reach and pseudo-count. The mean
# of exp(margin) is 1 by definition of the level, so normal margins of spread 2 lie around -2.
_USUAL_MARGIN, _USUAL_SPREAD, _USUAL_REACH, _USUAL_PICTURES = -2.2, 2.0, 4.1, 4

# Initial share of the EM algorithm: high, so that it does not converge to a high level without matches in a catalog
# where nearly every picture matches.
_FIRST_SHARE = 0.5
_MOST_ROUNDS, _SETTLED = 50, 1e-3

# Correlation between the scores of a query's terms and of the pictures marked for it, as both are of one thing. Without
# it twice as many hits are claimed: `python -m tests.benchmarks.feedback`, "error".
_TOGETHER = 0.8

# Smallest norm of a sum of embeddings: a shorter one has no direction.
_MIN_NORM = 1e-3

# Cached levels of pictures before the cache is cleared: those of the hits of some thousand queries.
_MOST_REMEMBERED = 200_000

# Pictures of a batch: with the bank some megabytes.
_BATCH = 512

_CANCELLED = "the wanted and the excluded terms cancel each other out: remove one"

_NO_HANDICAP = np.float32(0)

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Level:
    """Distribution of the cosines of unrelated pairs; for words, of their margins above the picture's own level.

    Attributes:
        location, spread: their median, and a robust standard deviation.
        reach: what the best texts of the bank score on a picture, in spreads above the location: higher when a model
            is sure of what it sees, as on photographs, than when it is not, as on drawings.
    """

    location: float
    spread: float
    reach: float


@dataclass(frozen=True, slots=True)
class Direction:
    """Weighted sum of the wanted terms as one embedding, with its calibration, and the excluded terms.

    Attributes:
        embedding: (dim,) unit-norm; its cosine is the score.
        shares: weight of each term's cosine in that score, which is their weighted sum; 0 for an excluded one.
        steepness: log-odds for a cosine of 1.
        offset: log-odds for a cosine of 0 on a picture whose own level is 0.
        own_share: log-odds subtracted for a picture's own level of 1; 0 for pictures as queries.
        absences: the excluded terms; None without any.
    """

    embedding: Rows
    shares: tuple[float, ...]
    steepness: float
    offset: float
    own_share: float
    absences: Absences | None = None

    def worth(self, scores: Rows) -> Rows:
        """Return the log-odds of a match, before subtracting the own level; any shape, monotonic in the scores."""
        return np.asarray(np.float32(self.steepness) * scores + np.float32(self.offset))

    def relevances(
        self, scores: Rows, own_levels: Rows, handicaps: Rows | np.float32 = _NO_HANDICAP
    ) -> NDArray[np.float64]:
        """Return the relevances, from 0 to 1, of cosines, own levels and handicaps whose shapes broadcast.

        Args:
            handicaps: log-odds subtracted, see `handicap_of`.
        """
        return sigmoid(self.worth(scores) - handicaps - np.float32(self.own_share) * own_levels)


@dataclass(frozen=True)
class Background:
    """Distribution of scores on a catalog's pictures, against which queries are calibrated.

    Attributes:
        sample: (n, dim) embeddings of pictures of the catalog.
        own_levels: (n,) of the sample, see `levels_at`.
        usual_level: median of `find_own_levels` over the sample; None when it is empty.
        count: pictures in the catalog.
        words, pictures: the level of texts and of other pictures.
    """

    sample: Rows
    own_levels: Rows
    usual_level: float | None
    count: int
    words: Level
    pictures: Level
    bank: Bank
    _remembered: dict[int, float] = field(default_factory=dict, repr=False, compare=False)

    def direction(
        self,
        embeddings: Sequence[Rows],
        weights: Sequence[float],
        *,
        are_words: Sequence[bool],
        levels: Sequence[Level | None] | None = None,
        marked: int = 0,
    ) -> Direction:
        """Sum terms, each (dim,) unit-norm, into one calibrated direction; those of a weight below 0 are excluded.

        Weights are divided by the spread of the term's kind, so that words and pictures count equally although their
        cosines spread differently.

        Args:
            levels: of each term that has its own; None: that of words or pictures.
            marked: the last terms, which are pictures of one thing: they are no independent evidence and count as one.

        Raises:
            QueryError: the terms cancel each other out.
        """
        known_levels = [
            level or (self.words if words else self.pictures)
            for level, words in zip(levels or [None] * len(embeddings), are_words, strict=True)
        ]
        excluded = [place for place, weight in enumerate(weights) if weight < 0]
        if excluded and len(excluded) < len(weights):
            return self._with_absences(embeddings, weights, are_words, known_levels, marked, excluded)
        if len(embeddings) == 1:
            weights = (1.0,)
        factors = [weight / level.spread for weight, level in zip(weights, known_levels, strict=True)]
        # A term that does not match must not be compensated by another one that matches twice as well.
        alone = len(weights) - marked
        terms, pictures = math.sqrt(sum(weight**2 for weight in weights[:alone] if weight > 0)), sum(weights[alone:])
        scale = scale_of(terms, pictures) or 1.0
        total: Rows = np.asarray(factors, dtype=np.float32) @ np.stack(embeddings)
        length = float(np.linalg.norm(total))
        if not length > _MIN_NORM * max(map(abs, factors)):
            raise QueryError(_CANCELLED)
        (row,) = normalise(total[np.newaxis]) if len(embeddings) > 1 else (embeddings[0],)
        # (score - center) / unit - own · own_level: the margin above the level of unrelated pairs, in spreads.
        center = sum(factor * level.location for factor, level in zip(factors, known_levels, strict=True)) / length
        unit = scale / length
        own = sum(factor for factor, words in zip(factors, are_words, strict=True) if words) / scale
        margins = (self.sample @ row - center) / unit - own * self.own_levels
        reach = self.words.reach if any(are_words) else max(level.reach for level in known_levels)
        (level,), (share,) = fit_shares(margins.astype(np.float64)[:, np.newaxis], reach)
        known = min(
            (
                self.bank.familiarity_of(embedding)
                for embedding, weight, words in zip(embeddings, weights, are_words, strict=True)
                if words and weight > 0
            ),
            default=1.0,
        )
        prior = math.log(share / (1 - share) * known)
        return Direction(
            row,
            tuple(factor / length for factor in factors),
            steepness=SLOPE / unit,
            offset=float(prior + _INTERCEPT - SLOPE * (center / unit + _TAKEN * (level + reach))),
            own_share=SLOPE * own,
        )

    def _with_absences(
        self,
        embeddings: Sequence[Rows],
        weights: Sequence[float],
        are_words: Sequence[bool],
        levels: Sequence[Level],
        marked: int,
        excluded: Sequence[int],
    ) -> Direction:
        wanted = [place for place in range(len(weights)) if place not in excluded]
        direction = self.direction(
            [embeddings[place] for place in wanted],
            [weights[place] for place in wanted],
            are_words=[are_words[place] for place in wanted],
            levels=[levels[place] for place in wanted],
            marked=marked,
        )
        if any(np.linalg.norm(direction.embedding - embeddings[place]) <= _MIN_NORM for place in excluded):
            raise QueryError(_CANCELLED)
        shares = [0.0] * len(weights)
        for place, share in zip(wanted, direction.shares, strict=True):
            shares[place] = share
        scale = math.sqrt(sum(weights[place] ** 2 for place in wanted if place < len(weights) - marked)) or 1.0
        # The level of words is one above the picture's own, of which the usual one is good enough here.
        usual = [(self.usual_level or 0.0) if are_words[place] else 0.0 for place in excluded]
        absences = make_absences(
            excluded,
            [embeddings[place] for place in excluded],
            [weights[place] / scale for place in excluded],
            [(levels[place].location + own, levels[place].spread) for place, own in zip(excluded, usual, strict=True)],
            slope=SLOPE,
        )
        return replace(direction, shares=tuple(shares), absences=absences)

    def own_levels_of(self, ids: Sequence[int], fetch: Callable[[Sequence[int]], Mapping[int, Rows]]) -> Rows:
        """Return the levels (n,) of pictures by id, cached between calls.

        Args:
            fetch: returns embeddings (dim,) by id; a picture without one has the catalog's usual level.
        """
        missing = [number for number in ids if number not in self._remembered]
        if missing:
            found = fetch(missing)
            if len(self._remembered) + len(found) > _MOST_REMEMBERED:
                self._remembered.clear()
                found = {**found, **fetch([number for number in ids if number not in found])}
            levels = self.levels_at(np.array(list(found.values()), dtype=np.float32))
            self._remembered.update(zip(found, levels.tolist(), strict=True))
        return np.array([self._remembered.get(number, self.usual_level or 0.0) for number in ids], dtype=np.float32)

    def levels_at(self, pictures: Rows) -> Rows:
        """Return the levels (n,) to subtract from the scores of pictures (n, dim) unit-norm: mostly their own level."""
        return _shrink(find_own_levels(pictures, self.bank), self.usual_level)

    def least_own_level(self) -> float:
        """Return a lower bound of the level of nearly all pictures."""
        return float(self.own_levels.min()) if len(self.own_levels) else -1.0

    def is_outdated(self, count: int) -> bool:
        """Return whether the sample is stale: the catalog, now with `count` pictures, has changed by over 10 %."""
        return abs(count - self.count) > 0.1 * self.count


def scale_of(terms: float, pictures: float) -> float:
    """Return the standard deviation, in spreads, of terms and marked pictures with these weights on unrelated ones."""
    return math.sqrt(terms**2 + pictures**2 + 2 * _TOGETHER * terms * pictures)


def has_match(relevances: Iterable[float | None], cutoff: float = DEFAULT_CUTOFF) -> bool:
    """Return whether any hit is a match; the nearest one is not always the most relevant."""
    return any(relevance is not None and relevance >= cutoff for relevance in relevances)


def log_odds_of(relevance: float) -> float:
    """Convert a relevance to log-odds (logit), the inverse of `sigmoid`; -infinity and infinity for 0 and 1."""
    if not 0 < relevance < 1:
        return -math.inf if relevance <= 0 else math.inf
    return math.log(relevance / (1 - relevance))


def find_own_levels(pictures: Rows, bank: Bank) -> Rows:
    """Return the own levels (n,) of pictures (n, dim) unit-norm.

    The level is the log-mean-exp over the bank of logit_scale · cosine, divided by logit_scale, so that it is a cosine.
    """
    levels = np.empty(len(pictures), dtype=np.float32)
    for start in range(0, len(pictures), _BATCH):
        part = slice(start, start + _BATCH)
        # For ten hits, half the time of pictures @ bank: both the product and what follows are faster on contiguous
        # rows.
        cosines = np.ascontiguousarray((bank.embeddings @ pictures[part].T).T)
        levels[part] = own_levels_from(cosines, bank.logit_scale)
    return levels


def own_levels_from(cosines: Rows, logit_scale: float) -> Rows:
    """Return the own levels (n,) from cosines (n, m) of pictures and a bank's texts, see `find_own_levels`."""
    logits = logit_scale * cosines
    most = logits.max(axis=1, keepdims=True)
    return np.asarray((most[:, 0] + np.log(np.exp(logits - most).mean(axis=1))) / logit_scale)


def learn_words_level(margins: Rows, logit_scale: float) -> Level:
    """Estimate the level of texts from margins (n, m) of a bank's texts above the own levels of n pictures."""
    location, spread = _USUAL_MARGIN / logit_scale, _USUAL_SPREAD / logit_scale
    if not len(margins):
        return Level(location, spread, _USUAL_REACH)
    found, found_spread = median_and_spread(margins.reshape(1, -1))
    reach = float((margins.max(axis=1).mean() - found) / found_spread)
    share = len(margins) / (len(margins) + _USUAL_PICTURES)
    return Level(
        share * found + (1 - share) * location,
        share * found_spread + (1 - share) * spread,
        share * reach + (1 - share) * _USUAL_REACH,
    )


def evidence_of(margins: NDArray[np.float64], above: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the log-likelihood ratio of a match for margins in spreads, of any shape.

    Args:
        above: level of the pictures that don't match plus the reach of the bank's best texts, in spreads.
    """
    return np.asarray(SLOPE * (margins - _TAKEN * above) + _INTERCEPT)


def learn_background(index: VectorIndex, bank: Bank) -> Background:
    """Estimate the distribution of scores from a sample of an index."""
    return learn_from_sample(index.sample(SAMPLE_ROWS), index.count, bank)


def learn_from_sample(sample: Rows, count: int, bank: Bank) -> Background:
    """Estimate the distribution of scores from a sample (n, dim), unit-norm, of a catalog of `count` pictures."""
    found = find_own_levels(sample, bank)
    usual_level = float(np.median(found)) if len(found) else None
    own_levels = _shrink(found, usual_level)
    step = max(1, len(sample) // _SPREAD_ROWS)
    some, own = sample[::step], own_levels[::step]
    words = learn_words_level(some @ bank.embeddings.T - own[:, np.newaxis], bank.logit_scale)
    spread = bank.picture_spread
    if len(some) > 1:
        _, own_spread = median_and_spread(cosines_among(some))
        spread += len(some) / (len(some) + _LEVEL_PICTURES) * max(0.0, own_spread - spread)
    pictures = Level(bank.picture_location, spread, PICTURE_REACH)
    return Background(sample, own_levels, usual_level, count, words, pictures, bank)


def _shrink(levels: Rows, usual_level: float | None) -> Rows:
    if usual_level is None:
        return levels
    return np.asarray(np.float32(_OWN) * levels + np.float32((1 - _OWN) * usual_level))


def fit_shares(
    margins: NDArray[np.float64], reach: float, *, is_level_known: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate the level of the pictures that don't match and the share of those that do, (q,) each.

    EM algorithm on margins (n, q) in spreads, of n pictures and q texts: the E step estimates which pictures match,
    given level and share, the M step the reverse. Source: Dempster, Laird and Rubin, "Maximum likelihood from
    incomplete data via the EM algorithm", JRSS B 39, 1977.

    Args:
        is_level_known: the level is already subtracted, and is 0.
    """
    count, queries = margins.shape
    prior = _SHARE_PICTURES + _SHARE_WEIGHT * count
    rows = np.ascontiguousarray(margins.T)
    total, levels, shares = rows.sum(axis=1), np.zeros(queries), np.full(queries, _FIRST_SHARE)
    for _ in range(_MOST_ROUNDS):
        prior_odds = np.log(shares / (1 - shares))
        fits = sigmoid(evidence_of(rows, (levels + reach)[:, np.newaxis]) + prior_odds[:, np.newaxis])
        fitting = fits.sum(axis=1)
        before, shares = shares, (fitting + prior * _SHARE) / (count + prior)
        if not is_level_known:
            levels = (total - (fits * rows).sum(axis=1)) / (count - fitting + _LEVEL_PICTURES)
        if np.all(np.abs(shares - before) < _SETTLED * shares):
            break
    return levels, shares
