"""The nearest neighbours of all rows among themselves."""

import numpy as np

from clipsearch.indexes import neighbours
from clipsearch.indexes.neighbours import find_neighbours


def obvious(rows, count):
    apart = ((rows[:, None] - rows) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(apart, nearest, axis=1), nearest


def test_few_rows_are_compared_exactly():
    rows = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    squares, nearest = find_neighbours(rows, 7)
    expected, others = obvious(rows, 7)
    np.testing.assert_array_equal(nearest, others)
    np.testing.assert_allclose(squares, expected, rtol=1e-4)


def test_nearly_all_are_found_among_many(monkeypatch):
    monkeypatch.setattr(neighbours, "_EXACT_ROWS", 500)
    rows = np.random.default_rng(0).standard_normal((2_000, 4)).astype(np.float32)
    _, nearest = find_neighbours(rows, 5)
    _, others = obvious(rows, 5)
    assert (nearest != np.arange(2_000)[:, None]).all()
    assert np.mean([len(set(one) & set(other)) for one, other in zip(nearest, others, strict=True)]) > 4.5


def test_of_many_copies_none_is_its_own_neighbour():
    squares, nearest = find_neighbours(np.ones((50, 3), dtype=np.float32), 4)
    assert squares.shape == nearest.shape == (50, 4)
    assert (squares == 0).all() and (nearest >= 0).all()
