"""Compute retrieval metrics, confidence intervals and significance tests; pure functions on arrays."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

METRICS = ("recall@1", "recall@5", "recall@10", "mrr", "ndcg@10", "median_rank")
"""Names of the retrieval metrics, in column order. All but the median rank are from 0 to 1, higher is better."""

# Of the bootstrap and of the randomisation test. The seed is fixed: results are reproducible.
_RESAMPLES = 1_000
_SIGNINGS = 10_000
_SEED = 0
# Up to this number of differences, all sign combinations are enumerated (exact test).
_MAX_EXACT = 13
# Random signs drawn per batch.
_MAX_SIGNS = 4_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric with its 95 % bootstrap confidence interval over the queries."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of a metric between two systems, second minus first.

    Attributes:
        low: lower end of the 95 % bootstrap confidence interval over the queries; `high` likewise.
        p_value: two-sided, probability of a difference at least as large under the null hypothesis.
    """

    value: float
    low: float
    high: float
    p_value: float


def ranks(answers: Sequence[Sequence[Hashable]], expected: Sequence[Hashable]) -> list[int | None]:
    """Return the rank of each query's expected answer, from 1; None when it is not among the answers.

    Args:
        answers: for each query its answers, best first.
        expected: for each query its single right answer.
    """
    return [
        next((rank for rank, answer in enumerate(found, start=1) if answer == right), None)
        for found, right in zip(answers, expected, strict=True)
    ]


def recall_at_k(found_ranks: Sequence[int | None], k: int) -> float:
    """Return retrieval recall: the share of queries whose right answer is among the first k, 0 to 1.

    Raises:
        ValueError: there are no queries.
    """
    if not found_ranks:
        raise ValueError("recall is undefined without queries")
    return sum(rank is not None and rank <= k for rank in found_ranks) / len(found_ranks)


def rank_columns(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Rank the columns of each row: (q, n) → (q, n) ranks from 1 for the highest value; ties in column order."""
    order = np.argsort(-values, axis=1, kind="stable")
    found = np.empty(values.shape, dtype=np.int64)
    np.put_along_axis(found, order, np.arange(1, values.shape[1] + 1)[np.newaxis], axis=1)
    return found


def right_ranks(values: NDArray[np.floating], is_right: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return for each row of (q, n) the ascending ranks of its right columns, from 1, as in `rank_columns`."""
    return [np.sort(row[right]) for row, right in zip(rank_columns(values), is_right, strict=True)]


def ndcg_at_k(ranks_of_right: NDArray[np.int64], k: int, *, n_right: int) -> float:
    """Return the normalised discounted cumulative gain of one query with binary relevance, 0 to 1.

    Source: Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques", with the discount
    1 / log2(rank + 1). The ideal ranking has the first min(n_right, k) ranks.

    Args:
        n_right: number of right answers, found or not.
    """
    best = np.arange(1, min(n_right, k) + 1)
    return float(_gain(ranks_of_right[ranks_of_right <= k]) / _gain(best))


def _gain(found_ranks: NDArray[np.int64]) -> float:
    return float((1 / np.log2(found_ranks + 1)).sum())


def score_queries(found: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Return each query's `METRICS`, (queries, metrics); for the median rank, the rank of its best right answer.

    Recall is CLIP_benchmark's: one right answer among the first k is enough, however many are right.
    Source: https://github.com/LAION-AI/CLIP_benchmark, clip_benchmark/metrics/zeroshot_retrieval.py

    Args:
        found: for each query the ranks of its right answers in a complete ranking, from `right_ranks`.

    Raises:
        ValueError: no queries, or one without a right answer.
    """
    if not len(found) or not all(map(len, found)):
        raise ValueError("at least one query is required, and each needs a right answer")
    first = np.array([row.min() for row in found], dtype=np.float64)
    ndcg = np.array([ndcg_at_k(row, 10, n_right=len(row)) for row in found])
    return np.stack([first <= 1, first <= 5, first <= 10, 1 / first, ndcg, first], axis=1).astype(np.float64)


def estimate_metrics(values: NDArray[np.float64]) -> dict[str, Estimate]:
    """Return each of `METRICS` with its percentile bootstrap interval, from `score_queries` (queries, metrics).

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13; 1,000 resamples of the queries.
    """
    drawn = np.stack([_summary(values[rows]) for rows in _resamples(len(values))])
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    columns = zip(_summary(values), low, high, strict=True)
    return {name: Estimate(*map(float, column)) for name, column in zip(METRICS, columns, strict=True)}


def _summary(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average values (queries, metrics) → (metrics,): means, and the median of the ranks."""
    return np.append(values[:, :-1].mean(axis=0), np.median(values[:, -1]))


def count_matches(is_match: NDArray[np.bool_], is_right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count for each query of (q, n): right matches, matches, right answers → (q, 3)."""
    return np.stack([(is_match & is_right).sum(axis=1), is_match.sum(axis=1), is_right.sum(axis=1)], axis=1)


def estimate_matches(counts: NDArray[np.int64]) -> dict[str, Estimate]:
    """Return micro-averaged "precision", "recall" and "f1" from `count_matches` (queries, 3).

    Intervals are as in `estimate_metrics`; a ratio with denominator 0 is 0.
    """
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
    """Compare two systems' values (queries,) of the same queries: mean of second - first, with interval and test.

    A two-sided randomisation test: under the null hypothesis the sign of each difference is random.
    Source: Smucker, Allan and Carterette 2007, "A comparison of statistical significance tests for information
    retrieval evaluation", section 3.4.
    """
    differences = second - first
    drawn = [float(differences[rows].mean()) for rows in _resamples(len(differences))]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Difference(float(differences.mean()), float(low), float(high), _p_value(differences))


def _p_value(differences: NDArray[np.float64]) -> float:
    moved = differences[differences != 0]  # the sign of 0 has no effect
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
    # The observed signs count as one of the samples.
    return (as_large + 1) / (_SIGNINGS + 1)
