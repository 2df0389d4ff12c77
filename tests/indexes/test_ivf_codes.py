"""An index of codes finds what it says it finds, with the scores of the rows in its file."""

from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import VectorIndexError
from clipsearch.indexes import ivf_codes, snapshot
from clipsearch.indexes.ivf_codes import CodedIvfIndex
from clipsearch.indexes.ivf_tuning import Tuning
from clipsearch.indexes.layout import check_layout
from clipsearch.indexes.load import load_index
from clipsearch.indexes.row_file import RowWriter, rows_end
from clipsearch.indexes.snapshot import Sidecar, create_row_path, index_path, load_snapshot, save_snapshot
from tests.indexes.test_ivf import COUNT, DIM, IDS, NLIST, ROWS, TEXTS, clustered, recall


def build(folder: Path) -> CodedIvfIndex:
    index = CodedIvfIndex(DIM, NLIST, rows=RowWriter(folder / "rows.new", DIM))
    index.learn(ROWS[::3])
    for part in np.array_split(np.arange(COUNT), 5):
        index.add(IDS[part], ROWS[part])
    return index


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[Path, Tuning]:
    folder = tmp_path_factory.mktemp("codes")
    index = build(folder)
    tuning = index.tune(TEXTS[:200], ROWS[:200], IDS[:200], trained_rows=COUNT)
    index.save(folder / "codes.faiss")
    return folder / "codes.faiss", tuning


@pytest.fixture
def mapped(saved) -> CodedIvfIndex:
    path, tuning = saved
    index = load_index(path, dim=DIM, count=COUNT, ann=tuning.to_json())
    assert isinstance(index, CodedIvfIndex)
    return index


def test_what_it_was_tuned_to_find_is_found_for_other_queries_too(saved, mapped):
    _, tuning = saved
    assert (mapped.nprobe, mapped.rescored, mapped.nlist) == (tuning.nprobe, tuning.rescored, NLIST)
    assert tuning.nprobe < NLIST // 2 and tuning.rescored < 500
    assert min(tuning.text_recall, tuning.picture_recall) >= 0.99
    assert recall(mapped, TEXTS[200:]) >= 0.98
    assert recall(mapped, clustered(200, 9)) >= 0.98


def test_with_fewer_cells_or_fewer_rows_scored_again_less_is_found(mapped):
    usual = mapped.nprobe
    mapped.nprobe = 1
    assert recall(mapped, TEXTS[200:]) < 0.9
    mapped.nprobe, mapped.rescored = usual, 10
    assert recall(mapped, TEXTS[200:]) < 0.97


def test_a_code_takes_half_a_byte_a_number(saved):
    path, _ = saved
    beyond_rows = path.stat().st_size - rows_end(DIM, COUNT)
    assert beyond_rows < COUNT * (DIM // 2 + 8) + 4 * NLIST * DIM + 5_000


def test_scores_are_those_of_the_rows(mapped):
    by_id = dict(zip(IDS.tolist(), ROWS, strict=True))
    scores, found = mapped.search(TEXTS[:50], 5)
    for text, its_scores, its_ids in zip(TEXTS, scores, found, strict=False):
        expected = np.array([by_id[each] for each in its_ids.tolist()]) @ text
        np.testing.assert_allclose(its_scores, expected, atol=1e-6)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.08])
def test_among_few_the_search_is_exact_wherever_they_lie(mapped, share):
    mapped.rescored = 20
    among = np.random.default_rng(4).choice(IDS, int(share * COUNT), replace=False)
    assert recall(mapped, TEXTS[:50], among) == 1.0


def test_among_some_thousand_every_score_is_compared(mapped):
    mapped.rescored = 20
    some = np.random.default_rng(5).choice(IDS, min(1_900, COUNT - 100), replace=False)
    is_some = np.isin(IDS, some)
    among = np.concatenate([some, some[:9], [10**9, -7]])
    for text in TEXTS[:20]:
        scores, found = mapped.search(text[None], 100, among=among)
        expected = np.sort(ROWS[is_some] @ text)[::-1][:100]
        np.testing.assert_allclose(scores[0], expected, atol=1e-6)
        assert len(set(found[0].tolist())) == 100 and np.isin(found, some).all()


def test_among_many_as_much_is_found_as_among_all(mapped):
    assert recall(mapped, TEXTS[200:], np.sort(IDS)[: COUNT // 2]) >= 0.98
    # Those that are near to nothing that is asked for.
    far = IDS[np.argsort(ROWS @ TEXTS.mean(0))[: COUNT // 3]]
    assert recall(mapped, TEXTS[200:], far) >= 0.95


def test_where_the_nearest_cells_have_too_few_others_are_looked_into(mapped):
    scores, found = mapped.search(TEXTS[:1], COUNT)
    assert found.shape == (1, COUNT) and len(np.unique(found)) == COUNT
    among = np.concatenate([IDS[:7], np.arange(10**6, 10**6 + 5_000)])
    scores, found = mapped.search(TEXTS[:3], 20, among=among)
    assert scores.shape == (3, 7) and sorted(found[0].tolist()) == sorted(IDS[:7].tolist())


def test_more_hits_are_found_as_surely_as_ten(mapped):
    _, found = mapped.search(TEXTS[200:300], 200)
    right = IDS[np.argsort(-(TEXTS[200:300] @ ROWS.T), axis=1)[:, :200]]
    assert np.mean([np.isin(those, some).mean() for some, those in zip(found, right, strict=True)]) > 0.97


def test_what_is_passed_over_is_not_found(mapped):
    _, first = mapped.search(TEXTS[:1], 10)
    _, others = mapped.search(TEXTS[:1], 10, without=first[0].tolist())
    assert others.shape == (1, 10) and not np.isin(others, first).any()


def test_rows_and_ids_stand_in_the_order_they_were_added(mapped):
    np.testing.assert_array_equal(mapped.ids, IDS)
    places = np.array([0, COUNT - 1, 77, 5_000])
    np.testing.assert_array_equal(mapped.rows(places), ROWS[places])
    assert mapped.contains(np.array([IDS[3], 1, -1, 2**62, IDS[-1]])).tolist() == [True, False, False, False, True]
    with pytest.raises(VectorIndexError, match="can't be changed"):
        mapped.add(np.array([1]), ROWS[:1])


def test_it_grows_from_its_file_which_stays(saved, tmp_path):
    path, tuning = saved
    before = path.read_bytes()
    grown = CodedIvfIndex.copy_file(path, dim=DIM, count=COUNT, rows=RowWriter(tmp_path / "rows.new", DIM))
    fresh = clustered(500, 11)
    grown.add(np.arange(10**6, 10**6 + 500, dtype=np.int64), fresh)
    grown.nprobe, grown.rescored = tuning.nprobe, tuning.rescored
    assert (grown.search(fresh, 1)[1][:, 0] >= 10**6).mean() > 0.98
    grown.save(tmp_path / "grown.faiss")
    again = load_index(tmp_path / "grown.faiss", dim=DIM, count=COUNT + 500, ann=tuning.to_json())
    assert again.count == COUNT + 500
    np.testing.assert_array_equal(again.rows(np.arange(COUNT + 500)), np.concatenate([ROWS, fresh]))
    assert path.read_bytes() == before and not (tmp_path / "rows.new").exists()


def test_tuned_without_texts_it_is_tuned_for_pictures(tmp_path):
    index = build(tmp_path)
    tuning = index.tune(TEXTS[:0], ROWS[:100], IDS[:100], trained_rows=COUNT)
    assert tuning.text_recall == 1.0 and tuning.picture_recall >= 0.99


def test_exact_neighbours_are_found_over_several_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(ivf_codes, "_BLOCK", 1_000)
    index = build(tmp_path)
    right = IDS[np.argsort(-(TEXTS[:20] @ ROWS.T), axis=1)[:, :10]]
    (found,) = (each for each in index._queries(TEXTS[:20], ROWS[:0], IDS[:0]) if len(each.rows))
    assert found.nearest == [set(row) for row in right.tolist()]


@pytest.mark.parametrize("where", ["a centroid's kind", "the lists", "the end", "the start"])
def test_a_file_with_another_layout_is_refused(saved, tmp_path, where):
    path, tuning = saved
    content = path.read_bytes()
    end = rows_end(DIM, COUNT)
    damaged = {
        "a centroid's kind": content[:end] + content[end:].replace(b"IxFI", b"IxXX"),
        "the lists": content[:end] + content[end:].replace(b"ilar", b"ilxx"),
        "the end": content[:-1],
        "the start": content[8:],
    }[where]
    (tmp_path / "x.faiss").write_bytes(damaged)
    check_layout(path, dim=DIM, count=COUNT, cells=tuning.cells)
    with pytest.raises(VectorIndexError, match="damaged"):
        load_index(tmp_path / "x.faiss", dim=DIM, count=COUNT, ann=tuning.to_json())


def test_ids_that_lead_to_no_row_are_an_error_and_no_wrong_hit(saved, tmp_path):
    path, tuning = saved
    content = bytearray(path.read_bytes())
    end = rows_end(DIM, COUNT)
    numbers, ids = end - 4 * COUNT, end - 12 * COUNT
    for place, value in ((numbers, b"\xff" * 4 * COUNT), (ids, b"\x01" * 8 * COUNT)):
        changed = content[:place] + value + content[place + len(value) :]
        (tmp_path / "x.faiss").write_bytes(changed)
        index = load_index(tmp_path / "x.faiss", dim=DIM, count=COUNT, ann=tuning.to_json())
        with pytest.raises(VectorIndexError, match="damaged"):
            index.search(TEXTS[:1], 5)


def test_it_is_saved_and_loaded_as_a_snapshot(tmp_path, monkeypatch):
    rows = create_row_path(tmp_path / "indexes", "ab" * 32, "images")
    index = CodedIvfIndex(DIM, 8, rows=RowWriter(rows, DIM))
    index.learn(ROWS[:1_000])
    index.add(IDS[:1_000], ROWS[:1_000])
    ann = Tuning(8, 8, 1_000, 1.0, 1.0, "SQ4", 100).to_json()
    sidecar = Sidecar("catalog", "ab" * 32, "images", DIM, "inner_product", 1_000, 2, 1_000, ann)
    checksum = save_snapshot(index, tmp_path / "indexes", sidecar)
    path = index_path(tmp_path / "indexes", sidecar, checksum)
    assert sorted(path.parent.iterdir()) == [path, path.with_suffix(".json")]
    assert path.stat().st_mode & 0o077 == 0
    assert load_snapshot(path.parent, sidecar, checksum).count == 1_000
    whole = path.read_bytes()
    for place in (0, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(VectorIndexError, match="damaged"):
            load_snapshot(path.parent, sidecar, checksum)
    monkeypatch.setattr(snapshot, "_MAX_CHECKED_BYTES", 1)
    path.write_bytes(whole[:-1])
    with pytest.raises(VectorIndexError, match="damaged"):
        load_snapshot(path.parent, sidecar, checksum)


def test_an_odd_number_of_dimensions_has_a_layout_too(tmp_path):
    rows = clustered(300, 3)[:, :7]
    index = CodedIvfIndex(7, 4, rows=RowWriter(tmp_path / "rows.new", 7))
    index.learn(rows)
    index.add(np.arange(300, dtype=np.int64), rows)
    index.save(tmp_path / "odd.faiss")
    ann = Tuning(4, 4, 300, 1.0, 1.0, "SQ4", 100).to_json()
    loaded = load_index(tmp_path / "odd.faiss", dim=7, count=300, ann=ann)
    _, found = loaded.search(rows[:20], 1)
    scores = rows[:20].astype(np.float16).astype(np.float32)
    assert (np.einsum("ij,ij->i", rows[found[:, 0]], scores) >= np.einsum("ij,ij->i", rows[:20], scores) - 1e-3).all()


@pytest.mark.parametrize("values", [{"codes": "PQ8"}, {"rescored": 0}, {"rescored": 10**9}, {"rescored": "9"}])
def test_settings_that_are_none_are_refused(values):
    right = Tuning(8, 8, 1_000, 1.0, 1.0, "SQ4", 100)
    assert Tuning.from_json(right.to_json()) == right
    text = str(right.to_dict() | values).replace("'", '"')
    with pytest.raises(VectorIndexError):
        Tuning.from_json(text)


def test_settings_of_cells_without_codes_are_written_as_ever():
    assert set(Tuning(8, 8, 9, 1.0, 1.0).to_dict()) == {
        "nlist", "nprobe", "trained_rows", "text_recall", "picture_recall"
    }  # fmt: skip
