"""A catalog whose index looks into some cells only: index --ann."""

import json
import warnings

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog, InputError, check_catalog
from clipsearch.errors import ClipSearchNotice, VectorIndexError
from clipsearch.indexes.ivf import IvfIndex
from clipsearch.indexes.ivf_tuning import Cells
from clipsearch.indexes.row_file import RowWriter
from clipsearch.session import file_index, index_files
from tests.support.command_line import fail, run, run_script

COUNT = 240


def paint(folder, first: int, count: int):
    """Squares in as many colours."""
    folder.mkdir(exist_ok=True)
    for number in range(first, first + count):
        colour = tuple(np.random.default_rng(number).integers(0, 256, 3).tolist())
        Image.new("RGB", (16, 12), colour).save(folder / f"{number}.png")
    return folder


def only_file(directory):
    (file,) = (directory / "indexes").glob("*-images-*.faiss")
    return file


def best(catalog, *words):
    return [[hit.content_id for hit in catalog.search(each, top_k=8)] for each in words]


@pytest.fixture
def photos(tmp_path, colours):
    return paint(tmp_path / "photos", 0, COUNT)


@pytest.fixture(params=["IVF8,SQfp16", "IVF8,SQ4"])
def ann(request):
    return request.param


@pytest.fixture
def opened(tmp_path, photos):
    with Catalog.open(tmp_path / "c", model="colours", create=True) as catalog:
        yield catalog


def base_of(catalog):
    return catalog._session.vector_index("images")._base


def test_a_number_of_cells_is_built_told_and_remembered(opened, photos, tmp_path):
    opened.index(photos)
    assert opened.admin.status().ann is None
    exact = best(opened, "red", "green", "blue")
    opened.index(ann="IVF8,SQfp16")
    found = opened.admin.status().ann
    assert (found["nlist"], found["trained_rows"]) == (8, COUNT)
    assert 1 <= found["nprobe"] <= 8 and min(found["text_recall"], found["picture_recall"]) >= 0.99
    file = only_file(tmp_path / "c")
    with Catalog.open(tmp_path / "c") as again:
        assert isinstance(base_of(again), IvfIndex)
        assert best(again, "red", "green", "blue") == exact
        again.index()
        assert only_file(tmp_path / "c") == file


def test_reindex_makes_cells_anew(opened, photos, tmp_path):
    opened.index(photos, ann="IVF8,SQfp16")
    only_file(tmp_path / "c").unlink()
    opened.admin.reindex()
    assert opened.admin.status().ann["nlist"] == 8
    assert isinstance(base_of(opened), IvfIndex)


def test_off_compares_with_all_again(opened, photos):
    opened.index(photos, ann="IVF8,SQfp16")
    opened.index(ann="off")
    assert opened.admin.status().ann is None
    assert not isinstance(base_of(opened), IvfIndex)


def test_additions_and_removals_need_no_new_file(opened, photos, tmp_path, ann):
    opened.index(photos, ann=ann)
    file = only_file(tmp_path / "c")
    Image.new("RGB", (16, 12), "red").save(photos / "pure red.png")
    (photos / "3.png").unlink()
    opened.index()
    assert only_file(tmp_path / "c") == file
    assert opened.search("red")[0].path.endswith("pure red.png")
    assert not [hit for hit in opened.search("red", top_k=COUNT) if hit.path.endswith("/3.png")]


def test_what_came_later_goes_into_the_cells_that_are_there(opened, photos, tmp_path, monkeypatch, ann):
    monkeypatch.setattr(file_index, "_MAX_TAIL_ROWS", 20)
    opened.index(photos, ann=ann)
    monkeypatch.setattr(IvfIndex, "learn", lambda *arguments: pytest.fail("the cells were made anew"))
    paint(photos, COUNT, 60)
    opened.index()
    with Catalog.open(tmp_path / "c") as again:
        index = again._session.vector_index("images")
        assert (index.count, index.tail_count) == (COUNT + 60, 0)
        assert again.admin.status().ann["trained_rows"] == COUNT
        opened.index(ann="off")
        exact = best(opened, "yellow", "white")
        assert best(again, "yellow", "white") == exact


def test_cells_are_made_anew_when_the_pictures_have_doubled(opened, photos, monkeypatch):
    monkeypatch.setattr(file_index, "_MAX_TAIL_ROWS", 20)
    opened.index(photos, ann="IVF8,SQfp16")
    paint(photos, COUNT, COUNT + 10)
    opened.index()
    assert opened.admin.status().ann["trained_rows"] == 2 * COUNT + 10


def test_many_pictures_get_cells_by_themselves(opened, photos, monkeypatch):
    monkeypatch.setattr(file_index, "AUTO_ROWS", 200)
    opened.index(photos)
    assert opened.admin.status().ann["nlist"] == 32
    opened.index(ann="off")
    assert opened.admin.status().ann is None
    opened.index(ann="auto")
    assert opened.admin.status().ann["nlist"] == 32


def test_cells_of_an_older_version_stay_until_they_are_made_anew(opened, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(file_index, "_SLOW_MS", 0.0)
    monkeypatch.setattr(file_index, "_MAYBE_SLOW_ROWS", 100)
    with monkeypatch.context() as older:
        older.setattr(file_index, "usual_cells", lambda count: Cells(8, "SQfp16"))
        opened.index(photos)
    file = only_file(tmp_path / "c")
    Image.new("RGB", (16, 12), "red").save(photos / "pure red.png")
    opened.index()
    assert only_file(tmp_path / "c") == file
    assert opened.search("red")[0].path.endswith("pure red.png")
    opened.admin.reindex()
    assert opened.admin.status().ann["codes"] == "SQ4"
    assert opened.search("red")[0].path.endswith("pure red.png")


def test_where_the_rows_can_not_be_written_searches_are_exact(opened, photos, tmp_path, monkeypatch):
    def fail(*arguments: object) -> None:
        raise VectorIndexError("can't write the index in indexes: No space left on device")

    opened.index(photos)
    exact = best(opened, "red", "blue")
    monkeypatch.setattr(RowWriter, "add", fail)
    with pytest.warns(ClipSearchNotice, match="No space left"):
        opened.index(ann="IVF8,SQ4")
    assert not list((tmp_path / "c" / "indexes").glob("*.new"))
    assert opened.admin.status().ann is None
    assert best(opened, "red", "blue") == exact


def test_a_search_that_takes_too_long_here_gets_cells(opened, photos, monkeypatch):
    monkeypatch.setattr(file_index, "_SLOW_MS", 0.0)
    monkeypatch.setattr(file_index, "_MAYBE_SLOW_ROWS", 100)
    monkeypatch.setattr(index_files, "_MANY_ROWS", 100)
    with pytest.warns(ClipSearchNotice, match="sorting 240 pictures into 32 cells"):
        opened.index(photos)
    assert opened.admin.status().ann["nlist"] == 32
    opened.index()
    assert opened.admin.status().ann["nlist"] == 32


@pytest.mark.parametrize("damage", ["flipped", "missing", "description"])
def test_a_damaged_file_is_answered_without_and_made_anew(opened, photos, tmp_path, damage, ann):
    opened.index(photos, ann=ann)
    right = best(opened, "red", "blue")
    file = only_file(tmp_path / "c")
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 8
        file.write_bytes(content)
    elif damage == "missing":
        file.unlink()
    else:
        file.with_suffix(".json").write_text("{}")
    with Catalog.open(tmp_path / "c") as again:
        with pytest.warns(ClipSearchNotice, match="rebuilt"):
            assert best(again, "red", "blue") == right
        again.index()
        assert again.admin.status().ann["nlist"] == 8
        assert best(again, "red", "blue") == right


def test_deleted_embeddings_are_in_no_cell(opened, photos, tmp_path, ann):
    opened.index(photos, ann=ann)
    for number in range(40):
        (photos / f"{number}.png").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipSearchNotice)
        opened.index(prune=True)
    assert opened.admin.collect_garbage().pictures == 40
    assert len(opened.search("red", top_k=COUNT)) == COUNT - 40
    opened.index()
    assert opened.admin.status().ann["trained_rows"] == COUNT - 40


def test_doctor_reads_cells(opened, photos, tmp_path, ann):
    opened.index(photos, ann=ann)
    opened.close()
    report = check_catalog(tmp_path / "c", full=True)
    assert report.is_sound and report.compared_rows == COUNT
    file = only_file(tmp_path / "c")
    file.write_bytes(file.read_bytes()[:-100])
    assert not check_catalog(tmp_path / "c").is_sound
    assert check_catalog(tmp_path / "c", fix=True).is_sound
    with Catalog.open(tmp_path / "c") as catalog:
        assert len(catalog.search("red", top_k=COUNT)) == COUNT


def test_cells_are_learnt_from_one_models_rows_where_most_rows_are_of_others(opened, photos, monkeypatch):
    monkeypatch.setattr(index_files, "ROWS_TO_LEARN", 1)
    for number in range(200, COUNT):
        (photos / f"{number}.png").rename(photos.parent / f"{number}.png")
    opened.index(photos)
    for other in range(1, 9):
        opened.use_model(f"colours {other}")
    opened.index(ann="IVF200,SQfp16")
    assert opened.admin.status().ann["nlist"] == 200
    assert len(opened.search("red", top_k=COUNT)) == 200


def test_what_can_not_be_built_is_refused_before_anything_is_read(opened, photos):
    with pytest.raises(InputError, match="IVF1024,SQfp16"):
        opened.index(photos, ann="HNSW32")
    assert opened.admin.status().files == 0


def test_the_command_takes_it_and_status_tells(tmp_path):
    place = ("--catalog", tmp_path / "c")
    photos = paint(tmp_path / "photos", 0, 60)
    assert "auto, off" in fail("index", photos, "--model", "starter", "--ann", "IVF", *place, code=2)
    run("index", photos, "--model", "starter", "--ann", "IVF4,SQfp16", *place)
    assert "of 4 cells: index recall@10" in run("status", *place).stdout
    said = json.loads(run("status", "--json", *place).stdout)["ann"]
    assert set(said) == {"nlist", "nprobe", "trained_rows", "text_recall", "picture_recall"}
    run("index", photos, "--ann", "IVF4,SQ4", *place)
    assert "of 4 cells, " in (shown := run("status", *place).stdout) and " pictures scored again: index recall" in shown
    found = run_script("query", "a red square", "-k", "60", "--paths", *place)  # by another process than made it
    assert len(found.stdout.splitlines()) == 60
