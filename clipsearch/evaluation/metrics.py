"""How good answers are: pure functions on answers, ranks and numbers."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

METRICS = ("recall@1", "recall@5", "recall@10", "mrr", "ndcg@10", "median_rank")
"""What retrieval is judged by, in this order everywhere. All but the median rank lie from 0 to 1, higher is better."""

# Of the bootstrap and of the test with random signs. The seed is fixed: the same answers give the same figures.
_RESAMPLES = 1_000
_SIGNINGS = 10_000
_SEED = 0
# So many differences have few enough ways to sign them that all are gone through.
_MAX_EXACT = 13
# Random signs drawn at once.
_MAX_SIGNS = 4_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, and the interval that holds 95 % of its values when the queries are drawn anew."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher a figure is for the second of two.

    Attributes:
        low: of the interval that holds 95 % of the differences when the queries are drawn anew.
        p_value: how often a difference as large, up or down, comes about where the two are alike.
    """

    value: float
    low: float
    high: float
    p_value: float


def ranks(answers: Sequence[Sequence[Hashable]], expected: Sequence[Hashable]) -> list[int | None]:
    """Where each query's expected answer stands, from 1; None where it is not among the answers.

    Args:
        answers: for each query its answers, best first.
        expected: for each query the one right answer.
    """
    return [
        next((rank for rank, answer in enumerate(found, start=1) if answer == right), None)
        for found, right in zip(answers, expected, strict=True)
    ]


def recall_at_k(found_ranks: Sequence[int | None], k: int) -> float:
    """Retrieval recall: the share of queries whose right answer is among the first k, 0 to 1.

    Raises:
        ValueError: there are no queries.
    """
    if not found_ranks:
        raise ValueError("recall of no queries")
    return sum(rank is not None and rank <= k for rank in found_ranks) / len(found_ranks)


def rank_columns(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """(q, n) → (q, n) where each column stands in its row, from 1, the highest value first, equal ones in order."""
    order = np.argsort(-values, axis=1, kind="stable")
    found = np.empty(values.shape, dtype=np.int64)
    np.put_along_axis(found, order, np.arange(1, values.shape[1] + 1)[np.newaxis], axis=1)
    return found


def right_ranks(values: NDArray[np.floating], is_right: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """(q, n) each → for each row where its right columns stand, from 1, ascending, ordered as in `rank_columns`."""
    return [np.sort(row[right]) for row, right in zip(rank_columns(values), is_right, strict=True)]


def ndcg_at_k(ranks_of_right: NDArray[np.int64], k: int, *, n_right: int) -> float:
    """Normalised discounted cumulative gain of one query, 0 to 1; an answer is right or not.

    Source: Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques", with the discount
    1 / log2(rank + 1). The best that can be had are the first min(n_right, k) ranks.

    Args:
        n_right: right answers there are, found or not.
    """
    best = np.arange(1, min(n_right, k) + 1)
    return float(_gain(ranks_of_right[ranks_of_right <= k]) / _gain(best))


def _gain(found_ranks: NDArray[np.int64]) -> float:
    return float((1 / np.log2(found_ranks + 1)).sum())


def score_queries(found: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """(queries, metrics): each query's value of each of `METRICS`; for the last one the rank of its best right answer.

    Recall is CLIP_benchmark's: one right answer among the first k is enough, however many are right.
    Source: https://github.com/LAION-AI/CLIP_benchmark, clip_benchmark/metrics/zeroshot_retrieval.py

    Args:
        found: for each query the ranks of its right answers, from `right_ranks`, in a ranking of all there are.

    Raises:
        ValueError: there are no queries, or one has no right answer.
    """
    if not len(found) or not all(map(len, found)):
        raise ValueError("every query needs a right answer, and there must be queries")
    first = np.array([row.min() for row in found], dtype=np.float64)
    ndcg = np.array([ndcg_at_k(row, 10, n_right=len(row)) for row in found])
    return np.stack([first <= 1, first <= 5, first <= 10, 1 / first, ndcg, first], axis=1).astype(np.float64)


def estimate_metrics(values: NDArray[np.float64]) -> dict[str, Estimate]:
    """(queries, metrics) from `score_queries` → each of `METRICS` with its interval, by the percentile bootstrap.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13; 1,000 resamples of the queries.
    """
    drawn = np.stack([_summary(values[rows]) for rows in _resamples(len(values))])
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    columns = zip(_summary(values), low, high, strict=True)
    return {name: Estimate(*map(float, column)) for name, column in zip(METRICS, columns, strict=True)}


def _summary(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(queries, metrics) → (metrics,): means, but of ranks the median."""
    return np.append(values[:, :-1].mean(axis=0), np.median(values[:, -1]))


def count_matches(is_match: NDArray[np.bool_], is_right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(q, n) each → (q, 3): of each query the right matches, the matches, and what is right."""
    return np.stack([(is_match & is_right).sum(axis=1), is_match.sum(axis=1), is_right.sum(axis=1)], axis=1)


def estimate_matches(counts: NDArray[np.int64]) -> dict[str, Estimate]:
    """(queries, 3) from `count_matches` → "precision", "recall" and "f1" of all queries together, with intervals as in
    `estimate_metrics`. What is a share of nothing is 0."""
    drawn = np.stack([_match_shares(counts[rows]) for rows in _resamples(len(counts))])
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    columns = zip(("precision", "recall", "f1"), _match_shares(counts), low, high, strict=True)
    return {name: Estimate(*map(float, column)) for name, *column in columns}


def _match_shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    found, matches, right = counts.sum(axis=0).tolist()
    return np.array([found / max(1, matches), found / max(1, right), 2 * found / max(1, matches + right)])


def _resamples(count: int) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(_SEED)
    return (rng.integers(0, count, count) for _ in range(_RESAMPLES))


def compare_values(first: NDArray[np.float64], second: NDArray[np.float64]) -> Difference:
    """Two systems' values (queries,) of the same queries → the mean of second - first, with interval and test.

    The test signs the differences at random, two-sided: were the two alike, each could as well be the other way round.
    Source: Smucker, Allan and Carterette 2007, "A comparison of statistical significance tests for information
    retrieval evaluation", section 3.4.
    """
    differences = second - first
    drawn = [float(differences[rows].mean()) for rows in _resamples(len(differences))]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Difference(float(differences.mean()), float(low), float(high), _p_value(differences))


def _p_value(differences: NDArray[np.float64]) -> float:
    moved = differences[differences != 0]  # a sign does nothing to the others
    # Sums of the same numbers in another order differ in their last digits.
    reached = abs(moved.sum()) * (1 - 1e-9)
    if len(moved) <= _MAX_EXACT:
        ways = np.arange(2 ** len(moved))[:, np.newaxis] >> np.arange(len(moved)) & 1
        return float(np.mean(np.abs((2 * ways - 1) @ moved) >= reached))
    rng = np.random.default_rng(_SEED)
    as_large = done = 0
    while done < _SIGNINGS:
        part = min(_SIGNINGS - done, max(1, _MAX_SIGNS // len(moved)))
        signs = 2 * rng.integers(0, 2, (part, len(moved)), dtype=np.int8) - 1
        as_large += int(np.count_nonzero(np.abs(signs @ moved) >= reached))
        done += part
    # The signs as they are count as one of the ways.
    return (as_large + 1) / (_SIGNINGS + 1)
