"""One contract for every vector index: it equals a scan with numpy."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from clipsearch.errors import IndexMismatchError, VectorIndexError
from clipsearch.indexes.base import VectorIndex
from clipsearch.indexes.flat import FaissIndex
from clipsearch.indexes.ivf import IvfIndex
from clipsearch.indexes.ivf_codes import CodedIvfIndex
from clipsearch.indexes.milvus.address import parse_index_url
from clipsearch.indexes.milvus.collection import MilvusCollection
from clipsearch.indexes.milvus.index import MilvusIndex
from clipsearch.indexes.row_file import RowWriter
from clipsearch.indexes.snapshot import SnapshotIndex
from clipsearch.vectors import from_bytes, normalise, to_bytes
from tests.support.embedding_rows import DIM, Rows, brute_force, unit_rows


def half_mapped(tmp_path, ids: NDArray[np.int64], rows: Rows) -> SnapshotIndex:
    half = len(ids) // 2
    base = FaissIndex(rows.shape[1])
    base.add(ids[:half], rows[:half])
    base.save(tmp_path / "half.faiss")
    index = SnapshotIndex(rows.shape[1], FaissIndex.load(tmp_path / "half.faiss"))
    index.add(ids[half:], rows[half:])
    return index


def in_memory(tmp_path, ids: NDArray[np.int64], rows: Rows) -> FaissIndex:
    index = FaissIndex(rows.shape[1])
    index.add(ids, rows)
    return index


def only_tail(tmp_path, ids: NDArray[np.int64], rows: Rows) -> SnapshotIndex:
    index = SnapshotIndex(rows.shape[1])
    index.add(ids, rows)
    return index


def half_in_cells(tmp_path, ids: NDArray[np.int64], rows: Rows) -> SnapshotIndex:
    """All cells are looked into: then it is as exact as the others."""
    half = len(ids) // 2
    if not half:
        return only_tail(tmp_path, ids, rows)
    cells = IvfIndex(rows.shape[1], min(4, half))
    cells.learn(rows[:half])
    cells.add(ids[:half], rows[:half])
    cells.save(tmp_path / "cells.faiss")
    base = IvfIndex.load(tmp_path / "cells.faiss")
    base.nprobe = base.nlist
    index = SnapshotIndex(rows.shape[1], base)
    index.add(ids[half:], rows[half:])
    return index


def half_in_codes(tmp_path, ids: NDArray[np.int64], rows: Rows) -> SnapshotIndex:
    """All cells are looked into, and a thousand rows are scored again."""
    half = len(ids) // 2
    if not half:
        return only_tail(tmp_path, ids, rows)
    codes = CodedIvfIndex(rows.shape[1], min(4, half), rows=RowWriter(tmp_path / "codes.rows", rows.shape[1]))
    codes.learn(rows[:half])
    codes.add(ids[:half], rows[:half])
    codes.save(tmp_path / "codes.faiss")
    base = CodedIvfIndex.map_file(tmp_path / "codes.faiss", dim=rows.shape[1], count=half)
    base.nprobe = base.nlist
    index = SnapshotIndex(rows.shape[1], base)
    index.add(ids[half:], rows[half:])
    return index


@pytest.fixture
def on_milvus(milvus_url) -> Iterator[Callable[[NDArray[np.int64], Rows], MilvusIndex]]:
    collections: list[MilvusCollection] = []

    def made(ids: NDArray[np.int64], rows: Rows) -> MilvusIndex:
        address = parse_index_url(f"{milvus_url}_{len(collections)}", catalog="a catalog")
        collection = MilvusCollection(address, dim=rows.shape[1], catalog="a catalog")
        collections.append(collection)
        collection.make(expected_rows=len(ids))
        collection.make_partition("images")
        index = MilvusIndex(collection, "images")
        index.add(ids, rows)
        return index

    yield made
    for collection in collections:
        collection.drop()
        collection.close()


@pytest.fixture(
    params=[in_memory, half_mapped, only_tail, half_in_cells, half_in_codes, "on_milvus"],
    ids=lambda make: getattr(make, "__name__", make),
)
def make(request, tmp_path) -> Callable[[NDArray[np.int64], Rows], VectorIndex]:
    if isinstance(request.param, str):
        return request.getfixturevalue(request.param)
    return lambda ids, rows: request.param(tmp_path, ids, rows)


def test_search_equals_brute_force_on_10000_rows(make):
    ids = np.random.default_rng(1).permutation(10_000).astype(np.int64) * 3 + 5
    rows, queries = unit_rows(10_000), unit_rows(50, seed=9)
    scores, found = make(ids, rows).search(queries, 20)
    expected_scores, expected = brute_force(ids, rows, queries, 20)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-5)
    # Where two neighbours differ by less than float32 sums do, either order is right.
    gaps = np.diff(expected_scores, axis=1)
    clear = np.ones_like(expected, dtype=bool)
    clear[:, 1:] &= gaps < -1e-6
    clear[:, :-1] &= gaps < -1e-6
    assert clear.mean() > 0.95
    np.testing.assert_array_equal(found[clear], expected[clear])


def test_more_than_there_are_gives_what_there_is(make):
    ids = np.arange(7, dtype=np.int64)
    scores, found = make(ids, unit_rows(7)).search(unit_rows(2, seed=3), 100)
    assert scores.shape == found.shape == (2, 7)
    assert set(found[0].tolist()) == set(range(7))


def test_empty_index_gives_nothing(make):
    index = make(np.empty(0, np.int64), np.empty((0, DIM), np.float32))
    scores, found = index.search(unit_rows(1), 5)
    assert scores.shape == found.shape == (1, 0)
    assert index.count == 0


@pytest.mark.parametrize("first_id", [5, 2**40], ids=["small ids", "large ids"])
@pytest.mark.parametrize("strays", [[], [-1, 2**62]], ids=["", "strays"])
@pytest.mark.parametrize("share", [0.5, 0.01, 0.001])
def test_a_search_among_some_ids_equals_brute_force_on_them(make, share, strays, first_id):
    random = np.random.default_rng(2)
    ids = random.permutation(5_000).astype(np.int64) * 3 + first_id
    rows, queries = unit_rows(5_000), unit_rows(20, seed=9)
    chosen = random.choice(5_000, int(5_000 * share), replace=False)
    unknown = np.array([first_id + 1, first_id + 1_000_000, *strays], dtype=np.int64)
    among = random.permutation(np.concatenate([ids[chosen], ids[chosen[:3]], unknown]))
    scores, found = make(ids, rows).search(queries, 10, among=among)
    expected_scores, expected = brute_force(ids[chosen], rows[chosen], queries, 10)
    assert found.shape == expected.shape == (20, min(10, len(chosen)))
    np.testing.assert_allclose(scores, expected_scores, atol=1e-5)
    assert (found == expected).mean() > 0.99


def test_a_search_among_ids_returns_as_many_as_there_are(make):
    ids, rows = np.arange(20, dtype=np.int64), unit_rows(20)
    index = make(ids, rows)
    for among, count in (([], 0), ([77], 0), ([3], 1), ([3, 3, 77], 1), ([0, 19, 7], 3), (list(range(20)), 20)):
        scores, found = index.search(unit_rows(2, seed=3), 100, among=np.array(among, dtype=np.int64))
        assert scores.shape == found.shape == (2, count)
        assert sorted(found[1].tolist()) == sorted(set(among) - {77})
        assert np.isfinite(scores).all()
        assert (np.abs(scores) <= 1.001).all()


def test_removed_ids_are_not_found_among_others(make):
    ids, rows = np.arange(20, dtype=np.int64), unit_rows(20)
    index = make(ids, rows)
    index.remove(np.array([3, 15], dtype=np.int64))
    among = np.array([2, 3, 15, 16], dtype=np.int64)
    _, found = index.search(rows[[3]], 4, among=among)
    assert sorted(found[0].tolist()) == [2, 16]
    index.add(np.array([3], dtype=np.int64), rows[[3]])
    _, found = index.search(rows[[3]], 4, among=among)
    assert found.shape == (1, 3)
    assert found[0, 0] == 3


def test_ids_beyond_32_bits(make):
    ids = np.array([2**31, 2**40 + 1, 2**62], dtype=np.int64)
    rows = unit_rows(3)
    _, found = make(ids, rows).search(rows, 1)
    assert found[:, 0].tolist() == ids.tolist()


def test_equal_scores_come_by_id(make):
    rows = np.repeat(unit_rows(1), 6, axis=0)
    _, found = make(np.array([9, 4, 7, 1, 8, 2], dtype=np.int64), rows).search(rows[:1], 6)
    assert found[0].tolist() == [1, 2, 4, 7, 8, 9]


def test_removed_ids_are_gone_and_can_come_back(make):
    ids, rows = np.arange(20, dtype=np.int64), unit_rows(20)
    if isinstance(index := make(ids, rows), FaissIndex):
        assert index.count == 20
    assert index.remove(np.array([3, 15, 99], dtype=np.int64)) == 2
    assert index.count == 18
    _, found = index.search(rows[[3, 15]], 18)
    assert not {3, 15} & set(found.ravel().tolist())
    index.add(np.array([3], dtype=np.int64), rows[[3]])
    _, found = index.search(rows[[3]], 1)
    assert found.tolist() == [[3]]
    assert index.count == 19


@pytest.mark.parametrize("twice", [[1, 1], [2, 50], [15, 60]])
def test_an_id_is_taken_once(make, twice):
    index = make(np.arange(20, dtype=np.int64), unit_rows(20))
    with pytest.raises(VectorIndexError, match="already"):
        index.add(np.array(twice, dtype=np.int64), unit_rows(2, seed=5))
    assert index.count == 20


def test_other_dimensions_are_refused(make):
    index = make(np.arange(4, dtype=np.int64), unit_rows(4))
    with pytest.raises(IndexMismatchError):
        index.add(np.array([9], dtype=np.int64), unit_rows(1, dim=DIM + 1))
    with pytest.raises(IndexMismatchError):
        index.search(unit_rows(1, dim=DIM - 1), 3)


def test_a_sample_is_spread_over_all_rows(make):
    ids, rows = np.arange(100, dtype=np.int64) + 7, unit_rows(100)
    index = make(ids, rows)
    # In whatever order the index keeps them.
    np.testing.assert_array_equal(np.unique(index.sample(1_000), axis=0), np.unique(rows, axis=0))
    some = [np.flatnonzero((rows == row).all(axis=1)).item() for row in index.sample(10)]
    assert len(set(some)) == 10
    assert sum(number < 50 for number in some) == 5
    assert make(ids[:0], rows[:0]).sample(5).shape == (0, DIM)


def near_rows(count: int, seed: int = 0) -> Rows:
    """Rows of which some are copies of others, a bit off, and some far away."""
    random = np.random.default_rng(seed)
    rows = unit_rows(max(1, count // 4), seed)[random.integers(max(1, count // 4), size=count)]
    noise = random.uniform(0, 0.1, (count, 1)) * random.standard_normal((count, DIM))
    return from_bytes([to_bytes(row) for row in normalise(rows + noise)], DIM)


def all_pairs(index: VectorIndex, threshold: float, ids: NDArray[np.int64]) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for part in index.pairs_above(threshold, ids):
        for first, second, score in zip(part.first.tolist(), part.second.tolist(), part.scores.tolist(), strict=True):
            assert first < second
            assert (first, second) not in found
            found[first, second] = score
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 300, 5_000])
def test_pairs_above_a_threshold_equal_brute_force(make, count):
    ids = np.random.default_rng(1).permutation(count).astype(np.int64) * 3 + 2**40
    rows = near_rows(count)
    index = make(ids, rows)
    order = np.random.default_rng(5).permutation(count)
    found = all_pairs(index, 0.9, ids[order])
    scores = rows[order] @ rows[order].T
    expected = {(i, j): float(scores[i, j]) for i, j in np.argwhere(np.triu(scores >= 0.9, 1)).tolist()}
    # float32 sums of another order: what lies at the threshold may fall on either side.
    clear = {pair for pair, score in expected.items() if score > 0.9 + 1e-5}
    assert clear <= set(found)
    assert all(scores[pair] > 0.9 - 1e-5 for pair in found)
    assert all(abs(scores[pair] - score) < 1e-5 for pair, score in found.items())
    assert count < 300 or len(clear) > count // 2


def test_pairs_are_of_the_ids_asked_for_and_of_none_that_are_gone(make):
    ids, rows = np.arange(40, dtype=np.int64), np.repeat(unit_rows(20), 2, axis=0)
    index = make(ids, rows)
    asked = np.array([38, 99, 3, 2, 0, 39, 1, -1], dtype=np.int64)
    assert set(all_pairs(index, 0.99, asked)) == {(0, 5), (2, 3), (4, 6)}
    index.remove(np.array([0, 39], dtype=np.int64))
    assert set(all_pairs(index, 0.99, asked)) == {(2, 3)}
    index.add(np.array([39], dtype=np.int64), rows[[3]])
    assert set(all_pairs(index, 0.99, asked)) == {(2, 3), (2, 5), (3, 5)}


def test_blocks_meet_themselves_before_they_meet_later_ones(make):
    """What makes it possible to group as the parts come."""
    ids = np.arange(5_000, dtype=np.int64)
    rows = np.repeat(unit_rows(50), 100, axis=0)[np.random.default_rng(3).permutation(5_000)]
    steps: list[tuple[int, int]] = []
    settled = -1
    index = make(ids, rows)
    for part in index.pairs_above(0.99, ids, on_progress=lambda done, total: steps.append((done, total))):
        assert (np.diff(part.first) >= 0).all()
        assert part.first.min() > settled or part.second.min() > part.first.max()
        if part.second.min() > part.first.max():
            settled = max(settled, int(part.first.max()))
        else:
            assert part.first.min() > settled
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1] == (5_000, 5_000)
