"""What relevances claim against what is right, in one go and batch by batch, against plain code."""

import numpy as np
import pytest

from clipsearch.evaluation.calibration import (
    BINS,
    LEAST_RELEVANCE,
    Reliability,
    ReliabilityBin,
    ScoreHistogram,
    calibration_error,
)
from clipsearch.evaluation.reliability_diagram import draw_reliability

RNG = np.random.default_rng(5)
RELEVANCES = RNG.random((30, 40)) ** 3
IS_RIGHT = RNG.random((30, 40)) < RELEVANCES / 2
SCORES = (RELEVANCES / 3 + RNG.normal(0, 0.05, (30, 40))).astype(np.float32)


def counted(*parts: slice) -> tuple[ReliabilityBin, ...]:
    reliability = Reliability()
    for part in parts:
        reliability.add(RELEVANCES[part], IS_RIGHT[part])
    return reliability.bins


def test_bins_equal_plain_code():
    found = counted(slice(None))
    assert len(found) == BINS
    for number, each in enumerate(found):
        inside = [
            (relevance, right)
            for relevance, right in zip(RELEVANCES.ravel(), IS_RIGHT.ravel(), strict=True)
            if max(LEAST_RELEVANCE, number / BINS) <= relevance < (number + 1) / BINS
        ]
        assert each.pairs == len(inside)
        assert each.claimed == pytest.approx(np.mean([relevance for relevance, _ in inside]))
        assert each.right == pytest.approx(np.mean([right for _, right in inside]))


def test_batches_count_as_one():
    bins, of_parts = counted(slice(None)), counted(slice(0, 7), slice(7, 8), slice(8, None))
    assert [each.claimed for each in of_parts] == pytest.approx([each.claimed for each in bins])
    assert [(each.right, each.pairs) for each in of_parts] == [(each.right, each.pairs) for each in bins]
    whole, parts = ScoreHistogram(), ScoreHistogram()
    whole.add(SCORES, IS_RIGHT)
    for row in range(30):
        parts.add(SCORES[row], IS_RIGHT[row])
    assert whole.best_f1() == parts.best_f1()


@pytest.mark.parametrize(("relevance", "right", "error"), [(1.0, True, 0), (1.0, False, 1), (0.5, True, 0.5)])
def test_the_error_is_how_far_claims_are_off(relevance, right, error):
    reliability = Reliability()
    reliability.add(np.full((2, 3), relevance), np.full((2, 3), right))
    assert reliability.bins == (ReliabilityBin(relevance, float(right), 6),)
    assert calibration_error(reliability.bins) == error


def test_bins_weigh_as_many_pairs_as_they_hold():
    bins = (ReliabilityBin(0.2, 0.1, 30), ReliabilityBin(0.8, 0.4, 10))
    assert calibration_error(bins) == pytest.approx((30 * 0.1 + 10 * 0.4) / 40)


def test_what_claims_nothing_has_no_error():
    reliability = Reliability()
    reliability.add(np.full((1, 4), LEAST_RELEVANCE / 2), np.ones((1, 4), dtype=bool))
    assert (reliability.bins, calibration_error(reliability.bins)) == ((), 0)


def test_the_best_threshold_equals_that_of_plain_code():
    histogram = ScoreHistogram()
    histogram.add(SCORES, IS_RIGHT)
    best = max(
        2 * (IS_RIGHT & (threshold <= SCORES)).sum() / ((threshold <= SCORES).sum() + IS_RIGHT.sum())
        for threshold in SCORES.ravel()
    )
    assert histogram.best_f1() == pytest.approx(best, abs=0.002)


@pytest.mark.parametrize(("is_right", "f1"), [([True, False, False], 1), ([False, False, True], 0.5), ([False] * 3, 0)])
def test_the_best_threshold_may_keep_all_or_nothing_may_be_right(is_right, f1):
    histogram = ScoreHistogram()
    histogram.add(np.array([[1.0, -1.0, -np.inf]], dtype=np.float32), np.array([is_right]))
    assert histogram.best_f1() == f1


def test_a_diagram_has_a_line_for_each_name():
    lines = {
        "one": (ReliabilityBin(0.1, 0.5, 4), ReliabilityBin(0.9, 0.5, 9)),
        "a single dot": (ReliabilityBin(0.5, 0.9, 400),),
        "nothing claimed": (),
    }
    drawn = draw_reliability(lines)
    assert (drawn.size, drawn.mode) == ((1080, 1080), "RGB")
    # The side is 840 pixels with 120 around it; (0.5, 0.5) lies on the first line, (0.5, 0.9) in the dot.
    assert drawn.getpixel((540, 540)) == (0x1F, 0x6F, 0xB4)
    assert drawn.getpixel((540, 120 + 84)) == (0xD2, 0x69, 0x1E)
    assert drawn.getpixel((750, 330)) == (0x99, 0x99, 0x99)
