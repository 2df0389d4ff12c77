"""`clipsearch bench`: that it measures what it says, not how fast."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from clipsearch import Catalog, cli
from clipsearch.encoders.machine import processor_features
from clipsearch.errors import InputError
from clipsearch.evaluation import benchmark
from clipsearch.paths import sample_data_folder
from clipsearch.processes import core_count
from clipsearch.types import ModelOptions


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "_ROUNDS", 1)
    monkeypatch.setattr(benchmark, "_QUERIES", 5)
    monkeypatch.setattr(benchmark, "_COLD_QUERIES", 1)
    monkeypatch.setattr(benchmark, "_GENERATED", (("small ones", 5, 320, 240), ("others", 3, 640, 480)))


def test_made_pictures_are_indexed_and_searched(short, tmp_path, capsys):
    code = cli.run(["bench", "--model", "starter", "--catalog", str(tmp_path / "none"), "--json"])
    assert code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "starter"
    assert [(rate["what"], rate["pictures"]) for rate in found["rates"]] == [("small ones", 5), ("others", 3)]
    assert found["searched_pictures"] == 8
    for rate in found["rates"]:
        both = 1 / rate["decode_rate"] + 1 / rate["encode_rate"]
        assert rate["bound_rate"] == pytest.approx(1 / both)
        assert rate["share_of_bound"] == pytest.approx(rate["index_rate"] / rate["bound_rate"])
    assert found["peak_memory_bytes"] > 50e6
    assert 0 < found["search_ms"] < found["query_p50_ms"] <= found["query_p95_ms"] < 1000 * found["cold_query_s"]
    assert not (tmp_path / "none").exists()


def test_a_catalog_that_is_there_is_searched_and_not_changed(short, tmp_path, capsys):
    place = tmp_path / "catalog"
    with Catalog.open(place, model="starter", create=True) as catalog:
        catalog.index(sample_data_folder() / "animals")
        before = catalog.admin.status()
    assert cli.run(["bench", str(sample_data_folder() / "food"), "--catalog", str(place)]) == 0
    with Catalog.open(place) as catalog:
        # Closing a catalog may move its log into the database.
        assert replace(catalog.admin.status(), database_bytes=0) == replace(before, database_bytes=0)
    printed = capsys.readouterr()
    assert f"{before.pictures} pictures, exact" in printed.out
    assert "of your pictures" in printed.out
    assert f"{core_count()} core" in printed.out
    assert "× the loop" not in printed.out
    assert "clipsearch: queries …" in printed.err


def test_the_plain_loop_is_measured_beside(short, tmp_path, tiny_clips, capsys):
    source = tiny_clips.copy_source(tmp_path / "source")
    arguments = ["bench", "--model", str(source), "--catalog", str(tmp_path / "none"), "--loop"]
    assert cli.run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(rate["loop_rate"] > 0 for rate in found["rates"])
    assert found["features"] == list(processor_features())


def test_a_model_without_files_for_transformers_has_no_plain_loop(short, tmp_path, capsys):
    assert cli.run(["bench", "--model", "starter", "--catalog", str(tmp_path / "none"), "--loop"]) == 1
    assert "the model starter has no files for transformers" in capsys.readouterr().err


def test_a_folder_without_pictures_is_one_error(tmp_path: Path):
    with pytest.raises(InputError, match="no pictures in"):
        benchmark.measure(tmp_path / "none", ModelOptions("starter"), folder=tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    with pytest.raises(InputError, match="none of the pictures can be read"):
        benchmark.measure(tmp_path / "none", ModelOptions("starter"), folder=tmp_path)


def test_one_broken_picture_among_others_does_no_harm(short, tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    for name in ("cat", "cow"):
        shutil.copy(sample_data_folder() / "animals" / f"{name}.jpg", tmp_path / f"{name}.jpg")
    report = benchmark.measure(tmp_path / "none", ModelOptions("starter"), folder=tmp_path)
    assert report.searched_pictures == 2
