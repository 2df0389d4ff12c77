"""Retrieval metrics, intervals and the paired test, against cases done by hand and code that is plain."""

import math
from itertools import product

import numpy as np
import pytest

from clipsearch.evaluation import metrics
from clipsearch.evaluation.metrics import (
    METRICS,
    compare_values,
    count_matches,
    estimate_matches,
    estimate_metrics,
    ndcg_at_k,
    rank_columns,
    right_ranks,
    score_queries,
)


def values_of(*found: list[int]) -> dict[str, float]:
    scored = score_queries([np.array(row) for row in found])
    return {name: estimate.value for name, estimate in estimate_metrics(scored).items()}


def test_columns_rank_by_value_and_equal_ones_in_order():
    values = np.array([[0.5, 0.9, 0.5, 0.1], [-np.inf, 0.0, -np.inf, 1.0]], dtype=np.float32)
    assert rank_columns(values).tolist() == [[2, 1, 3, 4], [3, 2, 4, 1]]
    is_right = np.array([[False, False, True, True], [True, False, False, False]])
    assert [row.tolist() for row in right_ranks(values, is_right)] == [[3, 4], [3]]


def test_ranks_equal_those_of_sorted_answers():
    values = np.random.default_rng(3).integers(0, 6, (40, 25)).astype(np.float32)
    for row, found in zip(values, rank_columns(values), strict=True):
        answers = sorted(range(25), key=lambda column: (-row[column], column))
        assert found.tolist() == [answers.index(column) + 1 for column in range(25)]


def test_matches_by_hand():
    is_match = np.array([[True, True, False], [False, False, True], [False, False, False]])
    is_right = np.array([[True, False, False], [False, False, True], [True, True, False]])
    counts = count_matches(is_match, is_right)
    assert counts.tolist() == [[1, 2, 1], [1, 1, 1], [0, 0, 2]]
    found = estimate_matches(counts)
    assert [found[name].value for name in ("precision", "recall", "f1")] == pytest.approx([2 / 3, 1 / 2, 4 / 7])
    for estimate in found.values():
        assert 0 <= estimate.low < estimate.value < estimate.high <= 1


def test_no_match_at_all_is_no_error():
    found = estimate_matches(np.array([[0, 0, 1], [0, 0, 2]]))
    assert {(each.value, each.low, each.high) for each in found.values()} == {(0, 0, 0)}


def test_metrics_by_hand():
    found = values_of([1], [3], [6], [20])
    assert found == pytest.approx(
        {
            "recall@1": 0.25,
            "recall@5": 0.5,
            "recall@10": 0.75,
            "mrr": (1 + 1 / 3 + 1 / 6 + 1 / 20) / 4,
            "ndcg@10": (1 + 1 / 2 + 1 / math.log2(7) + 0) / 4,
            "median_rank": 4.5,
        }
    )


def test_perfect_answers_are_one_whatever_is_drawn():
    scored = score_queries([np.array([1, 2, 3])] * 7)
    for name, estimate in estimate_metrics(scored).items():
        assert (name, estimate.value, estimate.low, estimate.high) == (name, 1, 1, 1)


def test_the_ideal_of_ndcg_has_as_many_terms_as_there_are_right_answers():
    # Two of three within ten: (1 + 1/log2(4)) of (1 + 1/log2(3) + 1/log2(4)).
    assert ndcg_at_k(np.array([1, 3, 15]), 10, n_right=3) == pytest.approx(1.5 / (1.5 + 1 / math.log2(3)))
    # Of a dozen right ones ten can stand among the first ten.
    assert ndcg_at_k(np.arange(1, 13), 10, n_right=12) == 1
    assert ndcg_at_k(np.array([11]), 10, n_right=1) == 0


def test_metrics_equal_plain_code():
    rng = np.random.default_rng(1)
    is_right = rng.random((60, 30)) < 0.1
    is_right[np.arange(60), rng.integers(0, 30, 60)] = True
    values = rng.standard_normal((60, 30))
    order = np.argsort(-values, axis=1)
    found = estimate_metrics(score_queries(right_ranks(values, is_right)))
    gains = np.take_along_axis(is_right, order, axis=1).tolist()
    first = [row.index(True) + 1 for row in gains]
    for k in (1, 5, 10):
        assert found[f"recall@{k}"].value == pytest.approx(sum(any(row[:k]) for row in gains) / 60)
    assert found["mrr"].value == pytest.approx(sum(1 / rank for rank in first) / 60)
    assert found["median_rank"].value == np.median(first)

    def dcg(row: list[bool]) -> float:
        return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(row[:10], start=1))

    expected = sum(dcg(row) / dcg(sorted(row, reverse=True)) for row in gains) / 60
    assert found["ndcg@10"].value == pytest.approx(expected)
    for name in METRICS:
        assert found[name].low < found[name].value < found[name].high


def test_an_interval_is_that_of_the_binomial_where_that_is_known():
    # 0.5 of 400: a standard error of 0.025.
    scored = score_queries([np.array([1 + number % 2]) for number in range(400)])
    found = estimate_metrics(scored)["recall@1"]
    assert (found.low, found.high) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.01)
    assert estimate_metrics(scored)["recall@1"] == found


@pytest.mark.parametrize("found", [[], [np.array([], dtype=np.int64)]])
def test_nothing_to_score_is_an_error(found):
    with pytest.raises(ValueError, match="each needs a right answer"):
        score_queries(found)


def test_systems_that_are_alike_do_not_differ():
    values = np.array([1.0, 0.0, 1.0])
    found = compare_values(values, values)
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_the_p_value_equals_all_ways_to_sign():
    differences = np.array([0.3, -0.1, 0.5, 0.0, 0.2, 0.2, -0.05])
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=7)
    ]
    expected = np.mean([total >= abs(differences.sum()) - 1e-12 for total in sums])
    assert compare_values(np.zeros(7), differences).p_value == pytest.approx(expected)


def test_the_p_value_of_yes_and_no_is_that_of_the_sign_test():
    # 12 of 15 one way: 2 * P(at least 12 heads of 15).
    differences = np.array([1.0] * 12 + [-1.0] * 3 + [0.0] * 40)
    expected = 2 * sum(math.comb(15, heads) for heads in range(12, 16)) / 2**15
    found = compare_values(np.zeros(55), differences)
    assert found.value == pytest.approx(9 / 55)
    assert found.p_value == pytest.approx(expected, abs=0.006)
    assert found.low < found.value < found.high
    turned = compare_values(differences, np.zeros(55))
    assert turned.value == -found.value
    assert turned.p_value == pytest.approx(found.p_value, abs=0.01)


def test_random_signs_are_drawn_in_parts(monkeypatch):
    differences = np.random.default_rng(2).standard_normal(50) + 0.3
    whole = compare_values(np.zeros(50), differences).p_value
    monkeypatch.setattr(metrics, "_MAX_SIGNS", 1000)
    assert compare_values(np.zeros(50), differences).p_value == pytest.approx(whole, abs=0.02)
