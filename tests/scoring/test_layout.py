"""Laying out in two dimensions, and dividing that into regions."""

import numpy as np
import pytest

from clipsearch.indexes.neighbours import find_neighbours
from clipsearch.scoring.layout import STEPS, lay_out
from clipsearch.scoring.regions import divide
from clipsearch.vectors import normalise


def blobs(count: int, size: int, seed: int = 0):
    random = np.random.default_rng(seed)
    middles = normalise(random.standard_normal((count, 24)))
    which = np.repeat(np.arange(count), size)
    return normalise(middles[which] + 0.04 * random.standard_normal((count * size, 24))), which


def test_pictures_that_are_alike_lie_together_and_others_apart():
    rows, which = blobs(5, 40)
    steps = []
    positions = lay_out(rows, find_neighbours, on_progress=lambda done, total: steps.append((done, total)))
    assert positions.shape == (200, 2) and positions.dtype == np.float32 and np.isfinite(positions).all()
    apart = ((positions[:, None] - positions) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1)[:, :10]
    assert (which[nearest] == which[:, None]).mean() > 0.99
    assert steps[0] == (1, STEPS) and steps[-1] == (STEPS, STEPS)
    np.testing.assert_array_equal(lay_out(rows, find_neighbours), positions)
    assert not np.array_equal(lay_out(rows, find_neighbours, seed=1), positions)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_few_pictures_and_copies_of_one_have_positions(count):
    rows, _ = blobs(count, 1)
    assert np.isfinite(lay_out(rows.reshape(count, 24), find_neighbours)).all()
    copies = np.tile(blobs(1, 1)[0], (count, 1))
    assert lay_out(copies, find_neighbours).shape == (count, 2)


def test_regions_are_parts_of_larger_ones():
    positions = np.random.default_rng(0).random((600, 2), dtype=np.float32)
    regions, parents = divide(positions, [3, 10, 30])
    assert set(regions.tolist()) == set(range(30))
    assert [len(each) for each in parents] == [10, 30]
    assert set(parents[0].tolist()) == {0, 1, 2} and set(parents[1].tolist()) <= set(range(10))
    # A picture lies nearer to the middle of its own region than to those of others.
    middles = np.stack([positions[regions == number].mean(axis=0) for number in range(30)])
    nearest = ((positions[:, None] - middles) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == regions).mean() > 0.95
    again = divide(positions, [3, 10, 30])
    np.testing.assert_array_equal(again[0], regions)


def test_positions_all_in_one_place_are_divided_too():
    regions, parents = divide(np.full((9, 2), 0.5, dtype=np.float32), [1, 3])
    assert len(regions) == 9 and len(parents) == 1
