"""How surely a picture shows what is looked for: the picture is asked, not the catalog.

Contrastive training makes logit_scale · cosine an estimate of log p(words, picture) / p(words) p(picture), up to a
constant of each side. A bank of texts takes the picture's out: its own level is what texts in general score on it, and
what counts of a score is how far it lies above that. How often such a margin is right depends on how many pictures of
the catalog show what is looked for; that share is estimated for each query, and so is where the pictures lie that don't
show it.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import QueryError
from clipsearch.indexes.base import VectorIndex
from clipsearch.scoring.bank import Bank
from clipsearch.vectors import median_and_spread, normalise

DEFAULT_CUTOFF = 0.3
"""From this relevance on a picture is shown as a match."""

# Rows of the catalog that stand for all of it, and those of them that say how far scores spread.
_SAMPLE_ROWS = 1_024
_SPREAD_ROWS = 256

# Logistic, of how far a margin lies above what pictures that don't fit score, and the best of the bank reach: the log
# of how much likelier it is where the picture fits. Were the training perfect, the slope would be the spread in logits,
# which is about 2. All three, and the shares below, are in the middle of what does well on photographs of which 0.5 to
# 7 % fit a query, and on drawings: `python -m tests.benchmarks.relevance --fit` prints what each set would have.
_SLOPE, _INTERCEPT, _TAKEN = 2.0, 3.7, 0.75

# Of a picture's own level so much is taken off its scores, of the catalog's usual one the rest: a level is known from
# the bank alone, and all of it takes too much from pictures of what the bank names.
_OWN = 2 / 3

# Of a catalog with few pictures that don't fit a query, the usual level, 0, counts as that of so many.
_LEVEL_PICTURES = 20

# In spreads above what pictures that have nothing in common score on each other: what those of one thing do. Less helps
# drawings and catalogs of one thing, more helps photographs of many: `python -m tests.benchmarks.relevance --pictures`.
_PICTURE_REACH = 5.0

# The share of pictures that fit, as a Beta prior: its mean, and how many pictures it counts as, beside a part of those
# that were looked at. So what a picture is worth hardly changes when a catalog grows.
_SHARE, _SHARE_PICTURES, _SHARE_WEIGHT = 0.02, 40, 0.7

# What texts score above a picture's own level, in logits: median and spread. A level makes the mean of exp(margin)
# 1, so that normal margins of spread 2 lie around -2. Very few pictures say little of a model: these count as so many.
_USUAL_MARGIN, _USUAL_SPREAD, _USUAL_REACH, _USUAL_PICTURES = -2.2, 2.0, 4.1, 4

# Where the estimate of the share starts: high, so that a catalog that shows little else than what is looked for is not
# taken for one in which all pictures score high without showing it.
_FIRST_SHARE = 0.5
_MOST_ROUNDS, _SETTLED = 50, 1e-3

# Of a sum of embeddings; what is shorter points nowhere.
_MIN_NORM = 1e-3

# Levels of pictures that are remembered: those of the hits of some thousand queries.
_MOST_REMEMBERED = 200_000

# Pictures whose levels are calculated at once: with the bank some megabytes.
_BATCH = 512

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Level:
    """Where cosines lie that mean nothing; for words what counts is how far they lie above the picture's own level.

    Attributes:
        location, spread: their median, and a standard deviation.
        reach: in spreads above the location, what the best of the bank score on a picture: more where a model is sure
            of what it sees, as on photographs, than where it is not, as on drawings.
    """

    location: float
    spread: float
    reach: float


@dataclass(frozen=True, slots=True)
class Direction:
    """A weighted sum of terms as one embedding.

    Attributes:
        embedding: (dim,) unit-norm; its cosine is the score.
        shares: of each term's cosine in that score, which is their weighted sum.
        steepness: log-odds for a cosine of 1.
        offset: log-odds for a cosine of 0 on a picture whose own level is 0.
        own_share: log-odds that a picture's own level takes off, for a level of 1; 0 for pictures as queries.
    """

    embedding: Rows
    shares: tuple[float, ...]
    steepness: float
    offset: float
    own_share: float

    def worth(self, scores: Rows) -> Rows:
        """Any shape: the log-odds that a picture fits, up to what its own level takes off. In the order of scores."""
        return np.asarray(np.float32(self.steepness) * scores + np.float32(self.offset))

    def relevances(self, scores: Rows, own_levels: Rows) -> NDArray[np.float64]:
        """Cosines and own levels of pictures, of shapes that broadcast → from 0 to 1: how surely they fit."""
        return relevance_of(self.worth(scores) - np.float32(self.own_share) * own_levels)


@dataclass(frozen=True)
class Background:
    """What a catalog's pictures score at all.

    Attributes:
        sample: (n, dim) embeddings of pictures of the catalog.
        own_levels: (n,) of these, see `levels_at`.
        usual_level: the median of what `find_own_levels` finds in them; None where there are none.
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
        self, embeddings: Sequence[Rows], weights: Sequence[float], *, are_words: Sequence[bool]
    ) -> Direction:
        """The sum of terms, each (dim,) unit-norm, in which words and pictures weigh the same: their cosines spread
        differently.

        Raises:
            QueryError: they cancel each other out.
        """
        if len(embeddings) == 1:
            weights = (1.0,)
        levels = [self.words if words else self.pictures for words in are_words]
        factors = [weight / level.spread for weight, level in zip(weights, levels, strict=True)]
        # A term that is missing must not make up for one that is there twice.
        scale = math.sqrt(sum(weight**2 for weight in weights if weight > 0)) or 1.0
        total: Rows = np.asarray(factors, dtype=np.float32) @ np.stack(embeddings)
        length = float(np.linalg.norm(total))
        if not length > _MIN_NORM * max(map(abs, factors)):
            raise QueryError("what is wanted and what is not cancel each other out")
        (row,) = normalise(total[np.newaxis]) if len(embeddings) > 1 else (embeddings[0],)
        # (score - center) / unit - own · own_level: how many spreads above what means nothing.
        center = sum(factor * level.location for factor, level in zip(factors, levels, strict=True)) / length
        unit = scale / length
        own = sum(factor for factor, words in zip(factors, are_words, strict=True) if words) / scale
        margins = (self.sample @ row - center) / unit - own * self.own_levels
        reach = self.words.reach if any(are_words) else self.pictures.reach
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
            steepness=_SLOPE / unit,
            offset=float(prior + _INTERCEPT - _SLOPE * (center / unit + _TAKEN * (level + reach))),
            own_share=_SLOPE * own,
        )

    def own_levels_of(self, ids: Sequence[int], fetch: Callable[[Sequence[int]], Mapping[int, Rows]]) -> Rows:
        """(n,) of these pictures.

        Args:
            fetch: embeddings (dim,) by id; one without has the catalog's usual level.
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
        """pictures (n, dim) unit-norm → (n,): what is taken off their scores, mostly their own level."""
        return _mostly_own(find_own_levels(pictures, self.bank), self.usual_level)

    def least_own_level(self) -> float:
        """Below that of nearly all pictures."""
        return float(self.own_levels.min()) if len(self.own_levels) else -1.0

    def is_outdated(self, count: int) -> bool:
        """Whether the catalog, with `count` pictures now, has become another one."""
        return abs(count - self.count) > 0.1 * self.count


def relevance_of(log_odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """Any shape; from 0 to 1."""
    odds = np.exp(np.clip(log_odds.astype(np.float64), -50, 50))
    return np.asarray(odds / (1 + odds))


def has_match(relevances: Iterable[float | None], cutoff: float = DEFAULT_CUTOFF) -> bool:
    """Whether any is a match: the nearest is not always the likeliest."""
    return any(relevance is not None and relevance >= cutoff for relevance in relevances)


def log_odds_of(relevance: float) -> float:
    """The other way round; -infinity and infinity for 0 and 1."""
    if not 0 < relevance < 1:
        return -math.inf if relevance <= 0 else math.inf
    return math.log(relevance / (1 - relevance))


def find_own_levels(pictures: Rows, bank: Bank) -> Rows:
    """pictures (n, dim) unit-norm → (n,): log mean over the bank of exp(logit_scale · cosine), as a cosine."""
    levels = np.empty(len(pictures), dtype=np.float32)
    for start in range(0, len(pictures), _BATCH):
        part = slice(start, start + _BATCH)
        # Of the ten pictures that a query hits, this takes half as long as pictures @ bank: the product itself does,
        # and so does what follows on rows that lie together.
        cosines = np.ascontiguousarray((bank.embeddings @ pictures[part].T).T)
        levels[part] = own_levels_from(cosines, bank.logit_scale)
    return levels


def own_levels_from(cosines: Rows, logit_scale: float) -> Rows:
    """cosines (n, m) of pictures and the texts of a bank → (n,), see `find_own_levels`."""
    logits = logit_scale * cosines
    most = logits.max(axis=1, keepdims=True)
    return np.asarray((most[:, 0] + np.log(np.exp(logits - most).mean(axis=1))) / logit_scale)


def learn_words_level(margins: Rows, logit_scale: float) -> Level:
    """margins (n, m) of a bank's texts above the own levels of n pictures → the level of texts."""
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
    """Margins in spreads, of any shape → the log of how much likelier each is on a picture that fits.

    Args:
        above: what the words score on pictures that don't fit, and what the best of the bank reach, in spreads.
    """
    return np.asarray(_SLOPE * (margins - _TAKEN * above) + _INTERCEPT)


def learn_background(index: VectorIndex, bank: Bank) -> Background:
    """What scores over an index are held against."""
    sample = index.sample(_SAMPLE_ROWS)
    found = find_own_levels(sample, bank)
    usual_level = float(np.median(found)) if len(found) else None
    own_levels = _mostly_own(found, usual_level)
    step = max(1, len(sample) // _SPREAD_ROWS)
    some, own = sample[::step], own_levels[::step]
    words = learn_words_level(some @ bank.embeddings.T - own[:, np.newaxis], bank.logit_scale)
    spread = bank.picture_spread
    if len(some) > 1:
        is_other = ~np.eye(len(some), dtype=np.bool_)
        _, own_spread = median_and_spread((some @ some.T)[is_other].reshape(len(some), -1))
        spread += len(some) / (len(some) + _LEVEL_PICTURES) * max(0.0, own_spread - spread)
    pictures = Level(bank.picture_location, spread, _PICTURE_REACH)
    return Background(sample, own_levels, usual_level, index.count, words, pictures, bank)


def _mostly_own(levels: Rows, usual_level: float | None) -> Rows:
    if usual_level is None:
        return levels
    return np.asarray(np.float32(_OWN) * levels + np.float32((1 - _OWN) * usual_level))


def fit_shares(
    margins: NDArray[np.float64], reach: float, *, is_level_known: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """margins (n, q) in spreads, of a catalog's pictures and q texts → (q,) each: the level of the pictures that don't
    fit, and the share of those that do.

    Expectation and maximisation in turn: which pictures fit, given level and share, and the other way round. Source:
    Dempster, Laird and Rubin, "Maximum likelihood from incomplete data via the EM algorithm", JRSS B 39, 1977.

    Args:
        is_level_known: it is taken off already, and is 0.
    """
    count, queries = margins.shape
    prior = _SHARE_PICTURES + _SHARE_WEIGHT * count
    rows = np.ascontiguousarray(margins.T)
    total, levels, shares = rows.sum(axis=1), np.zeros(queries), np.full(queries, _FIRST_SHARE)
    for _ in range(_MOST_ROUNDS):
        prior_odds = np.log(shares / (1 - shares))
        fits = relevance_of(evidence_of(rows, (levels + reach)[:, np.newaxis]) + prior_odds[:, np.newaxis])
        fitting = fits.sum(axis=1)
        before, shares = shares, (fitting + prior * _SHARE) / (count + prior)
        if not is_level_known:
            levels = (total - (fits * rows).sum(axis=1)) / (count - fitting + _LEVEL_PICTURES)
        if np.all(np.abs(shares - before) < _SETTLED * shares):
            break
    return levels, shares
