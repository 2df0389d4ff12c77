"""A set of ids restricts a search as the ids do."""

import numpy as np
import pytest

from clipsearch.indexes.flat import FaissIndex
from clipsearch.indexes.id_set import IdSet
from clipsearch.indexes.ivf import IvfIndex
from clipsearch.indexes.snapshot import SnapshotIndex
from clipsearch.vectors import normalise


def rows(count: int, seed: int) -> np.ndarray:
    return normalise(np.random.default_rng(seed).standard_normal((count, 8), dtype=np.float32))


def test_what_is_in_it():
    ids = np.array([7, 0, 3])
    chosen = IdSet.of(ids)
    assert (len(chosen), chosen.ids.tolist()) == (3, [0, 3, 7])
    assert chosen.contains(np.array([3, 4, -1, 8, 1 << 40])).tolist() == [True, False, False, False, False]
    assert chosen.without([3, 99, -5]).ids.tolist() == [0, 7]
    assert chosen.ids.tolist() == [0, 3, 7], "it stays as it was"
    nothing = IdSet.of(np.empty(0, dtype=np.int64))
    assert (len(nothing), nothing.contains(ids).any()) == (0, False)


@pytest.mark.parametrize("count", [0, 1, 40, 300])
@pytest.mark.parametrize("kind", ["flat", "cells", "snapshot"])
def test_a_search_among_it_is_one_among_the_ids(kind, count):
    embeddings = rows(400, 0)
    ids = np.arange(1, 401, dtype=np.int64)
    if kind == "cells":
        index = IvfIndex(8, 4)
        index.learn(embeddings)
        index.add(ids, embeddings)
    else:
        index = FaissIndex(8)
        index.add(ids[:350], embeddings[:350])
        if kind == "snapshot":
            index = SnapshotIndex(8, index)
            index.remove(ids[:9])
        index.add(ids[350:], embeddings[350:])
    among = np.random.default_rng(count).permutation(ids)[:count]
    scores, found = index.search(rows(3, 1), 20, among=among)
    same_scores, same = index.search(rows(3, 1), 20, among=IdSet.of(among))
    assert (found.tolist(), scores.tolist()) == (same.tolist(), same_scores.tolist())
    assert set(found.ravel().tolist()) <= set(among.tolist())
    assert found.shape[1] >= min(20, count) - 9
