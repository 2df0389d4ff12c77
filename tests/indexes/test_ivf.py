"""An index of cells finds what it says it finds, and exactly what was asked for where that is little."""

import numpy as np
import pytest

from clipsearch.errors import InputError, VectorIndexError
from clipsearch.indexes import snapshot
from clipsearch.indexes.flat import FaissIndex
from clipsearch.indexes.ivf import IvfIndex
from clipsearch.indexes.ivf_tuning import Cells, Tuning, check_ann, find_cells, usual_cells
from clipsearch.indexes.load import load_index
from clipsearch.indexes.snapshot import Sidecar, index_path, load_snapshot, save_snapshot
from clipsearch.vectors import from_bytes, normalise, to_bytes
from tests.support.embedding_rows import brute_force, unit_rows

DIM, COUNT, NLIST = 32, 12_000, 64


def clustered(count: int, seed: int) -> np.ndarray:
    """Rows around a hundred centres, all on one side of the sphere, as those of pictures are."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(77).standard_normal((100, DIM)) + 1
    rows = normalise(centres[random.integers(100, size=count)] + 0.7 * random.standard_normal((count, DIM)))
    return from_bytes([to_bytes(row) for row in rows], DIM)


ROWS = clustered(COUNT, 0)
IDS = np.random.default_rng(1).permutation(COUNT).astype(np.int64) * 3 + 5
TEXTS = normalise(clustered(400, 5) + 0.8 * normalise(np.random.default_rng(6).standard_normal((1, DIM))))


@pytest.fixture(scope="module")
def built() -> tuple[IvfIndex, Tuning]:
    index = IvfIndex(DIM, NLIST)
    index.learn(ROWS[::3])
    index.add(IDS, ROWS)
    return index, index.tune(TEXTS[:200], ROWS[:200], IDS[:200], trained_rows=COUNT)


def recall(index: IvfIndex, queries: np.ndarray, among: np.ndarray | None = None) -> float:
    allowed = np.ones(COUNT, dtype=bool) if among is None else np.isin(IDS, among)
    _, found = index.search(queries, 10, among=among)
    _, right = brute_force(IDS[allowed], ROWS[allowed], queries, 10)
    return float(np.mean([np.isin(these, those).mean() for these, those in zip(right, found, strict=True)]))


def test_what_it_was_tuned_to_find_is_found_for_other_queries_too(built):
    index, tuning = built
    assert tuning.nprobe == index.nprobe < NLIST // 2
    assert min(tuning.text_recall, tuning.picture_recall) >= 0.99
    assert recall(index, TEXTS[200:]) >= 0.98
    assert recall(index, clustered(200, 9)) >= 0.98


def test_fewer_cells_find_less(built):
    index, tuning = built
    try:
        index.nprobe = 1
        assert recall(index, TEXTS[200:]) < 0.9
    finally:
        index.nprobe = tuning.nprobe


def test_scores_are_those_of_all_rows(built):
    index, _ = built
    scores, found = index.search(TEXTS, 5)
    by_id = dict(zip(IDS.tolist(), ROWS, strict=True))
    for text, its_scores, its_ids in zip(TEXTS, scores, found, strict=True):
        expected = np.array([by_id[each] for each in its_ids.tolist()]) @ text
        np.testing.assert_allclose(its_scores, expected, atol=1e-6)


def test_among_few_the_search_is_exact_wherever_they_lie(built):
    index, _ = built
    for share in (0.001, 0.01, 0.05):
        among = np.random.default_rng(4).choice(IDS, int(share * COUNT), replace=False)
        assert recall(index, TEXTS[:50], among) == 1.0


def test_among_many_as_much_is_found_as_among_all(built):
    index, _ = built
    assert recall(index, TEXTS[200:], np.sort(IDS)[: COUNT // 2]) >= 0.98
    # Those that are near to nothing that is asked for.
    far = IDS[np.argsort(ROWS @ TEXTS.mean(0))[: COUNT // 3]]
    assert recall(index, TEXTS[200:], far) >= 0.95


def test_where_the_nearest_cells_have_too_few_others_are_looked_into(built):
    index, _ = built
    scores, found = index.search(TEXTS[:1], COUNT)
    assert found.shape == (1, COUNT) and len(np.unique(found)) == COUNT
    # Unknown ids among those that are allowed: more are expected than there are.
    among = np.concatenate([IDS[:7], np.arange(10**6, 10**6 + 5_000)])
    scores, found = index.search(TEXTS[:3], 20, among=among)
    assert scores.shape == (3, 7) and sorted(found[0].tolist()) == sorted(IDS[:7].tolist())


def test_what_is_passed_over_is_not_found(built):
    index, _ = built
    _, first = index.search(TEXTS[:1], 10)
    _, others = index.search(TEXTS[:1], 10, without=first[0].tolist())
    assert others.shape == (1, 10) and not np.isin(others, first).any()


def test_rows_and_ids_stand_in_the_same_order(built, tmp_path):
    index, tuning = built
    index.save(tmp_path / "x.faiss")
    mapped = load_index(tmp_path / "x.faiss", dim=DIM, count=COUNT, ann=tuning.to_json())
    assert isinstance(mapped, IvfIndex) and (mapped.nprobe, mapped.count) == (tuning.nprobe, COUNT)
    by_id = dict(zip(IDS.tolist(), ROWS, strict=True))
    places = np.array([0, 1, COUNT - 1, 77, 5_000])
    np.testing.assert_array_equal(mapped.rows(places), [by_id[each] for each in mapped.ids[places].tolist()])
    assert mapped.sample(300).shape == (300, DIM)
    np.testing.assert_array_equal(mapped.search(TEXTS[:20], 10)[1], index.search(TEXTS[:20], 10)[1])
    with pytest.raises(VectorIndexError, match="can't be changed"):
        mapped.add(np.array([1]), ROWS[:1])


def test_it_grows_when_it_is_loaded_whole(built, tmp_path):
    index, tuning = built
    index.save(tmp_path / "x.faiss")
    grown = IvfIndex.load_whole(tmp_path / "x.faiss")
    fresh = clustered(500, 11)
    grown.add(np.arange(10**6, 10**6 + 500, dtype=np.int64), fresh)
    grown.nprobe = tuning.nprobe
    assert grown.count == COUNT + 500
    assert (grown.search(fresh, 1)[1][:, 0] >= 10**6).mean() > 0.98
    assert index.count == COUNT


def test_files_of_the_other_kind_are_refused(built, tmp_path):
    index, tuning = built
    index.save(tmp_path / "cells.faiss")
    flat = FaissIndex(DIM)
    flat.add(IDS[:50], ROWS[:50])
    flat.save(tmp_path / "flat.faiss")
    with pytest.raises(VectorIndexError, match="is damaged"):
        load_index(tmp_path / "flat.faiss", dim=DIM, count=50, ann=tuning.to_json())
    with pytest.raises(VectorIndexError, match="no cells"):
        IvfIndex.load_whole(tmp_path / "flat.faiss")
    with pytest.raises(VectorIndexError, match="is damaged"):
        load_index(tmp_path / "cells.faiss", dim=DIM, count=COUNT, ann=Tuning(65, 3, 1, 1.0, 1.0).to_json())
    for broken in ("", "[]", '{"nlist": 3}', "null"):
        with pytest.raises(VectorIndexError):
            load_index(tmp_path / "cells.faiss", dim=DIM, count=COUNT, ann=broken)


def test_of_a_large_file_only_the_size_is_looked_at(built, tmp_path, monkeypatch):
    index, tuning = built
    sidecar = Sidecar("catalog", "ab" * 32, "images", DIM, "inner_product", COUNT, 2, COUNT, tuning.to_json())
    checksum = save_snapshot(index, tmp_path, sidecar)
    path = index_path(tmp_path, sidecar, checksum)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    with pytest.raises(VectorIndexError, match="damaged"):
        load_snapshot(tmp_path, sidecar, checksum)
    monkeypatch.setattr(snapshot, "_MAX_CHECKED_BYTES", len(whole) - 1)
    assert load_snapshot(tmp_path, sidecar, checksum).count == COUNT
    for length in (len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(VectorIndexError):
            load_snapshot(tmp_path, sidecar, checksum)


def test_random_rows_have_no_cells_that_help_and_all_are_looked_into():
    rows = unit_rows(2_000, dim=DIM)
    index = IvfIndex(DIM, 16)
    index.learn(rows)
    index.add(np.arange(2_000, dtype=np.int64), rows)
    tuning = index.tune(unit_rows(100, 3, DIM), rows[:100], np.arange(100), trained_rows=2_000)
    assert tuning.nprobe >= 12
    assert min(tuning.text_recall, tuning.picture_recall) >= 0.99


@pytest.mark.parametrize(
    ("said", "kept"),
    [("auto", None), ("AUTO", None), ("off", "off"), ("IVF1024,SQfp16", "IVF1024,SQfp16"), ("IVF9,SQ4", "IVF9,SQ4")],
)
def test_what_the_user_wants_is_kept(said, kept):
    assert check_ann(said) == kept


@pytest.mark.parametrize(
    "said", ["", "on", "IVF0,SQfp16", "IVF16", "IVF16,PQ8", "HNSW32", "IVF99999999,SQfp16", "IVF4,SQfp16 "]
)
def test_what_can_not_be_built_is_refused(said):
    with pytest.raises(InputError, match="IVF1024,SQfp16"):
        check_ann(said)


def test_numbers_of_cells():
    assert find_cells("IVF1024,SQfp16") == Cells(1024, "SQfp16")
    assert (find_cells("IVF1024,SQ4"), find_cells("off")) == (Cells(1024, "SQ4"), None)
    assert [usual_cells(count).spec for count in (1_000, 1_000_000)] == ["IVF64,SQ4", "IVF2048,SQ4"]


def test_cells_whose_sizes_do_not_add_up_are_not_read(built, tmp_path):
    index, tuning = built
    path = tmp_path / "cells.faiss"
    index.save(path)
    content = path.read_bytes()
    at = content.index(b"ilar") + 4 + 16 + 4
    for name, place, value in (
        ("more lists than cells", at, 1 << 40),
        ("more rows than there are", at + 8, 1 << 40),
        ("a row more", at + 8, int.from_bytes(content[at + 8 : at + 16], "little") + 1),
    ):
        path.write_bytes(content[:place] + value.to_bytes(8, "little") + content[place + 8 :])
        with pytest.raises(VectorIndexError):
            load_index(path, dim=DIM, count=COUNT, ann=tuning.to_json())
            pytest.fail(name)
    path.write_bytes(content.replace(b"ilar", b"ilxx"))
    with pytest.raises(VectorIndexError, match="damaged"):
        load_index(path, dim=DIM, count=COUNT, ann=tuning.to_json())
    path.write_bytes(content)
    assert load_index(path, dim=DIM, count=COUNT, ann=tuning.to_json()).count == COUNT


def test_an_index_with_empty_cells_has_a_layout_too(tmp_path):
    rows = ROWS[:300]
    index = IvfIndex(DIM, 250)
    index.learn(rows)
    index.add(np.arange(40, dtype=np.int64), rows[:40])
    index.save(tmp_path / "sparse.faiss")
    assert b"ilar" + (250).to_bytes(8, "little") in (tmp_path / "sparse.faiss").read_bytes()
    ann = Tuning(250, 3, 300, 1.0, 1.0).to_json()
    assert load_index(tmp_path / "sparse.faiss", dim=DIM, count=40, ann=ann).count == 40
