"""clipsearch export and import-embeddings, with the starter model."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.support.command_line import SAMPLES, fail, run

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A catalog of some samples and an export of it."""
    place = tmp_path_factory.mktemp("embeddings")
    shutil.copytree(SAMPLES / "food", place / "photos")
    run("index", place / "photos", "--catalog", place / "catalog", "--model", "starter")
    run("captions", "add", SAMPLES / "captions.jsonl", "--catalog", place / "catalog")
    with pytest.MonkeyPatch.context() as patched:  # as somebody else
        patched.setenv("CLIPSEARCH_CONFIG", str(place / "config"))
        run("export", place / "out", "--captions", "--catalog", place / "catalog")
    return place


def test_out_and_in_again(exported, tmp_path):
    def hits(catalog):
        return json.loads(run("query", "a glazed donut", "--json", "--catalog", catalog).stdout)["hits"]

    other = ("--catalog", tmp_path / "other")
    # Here, and not where the catalog was made: an export is known as one's own by what lies in the configuration.
    run("export", tmp_path / "out", "--captions", "--catalog", exported / "catalog")
    report = json.loads(run("import-embeddings", tmp_path / "out", "--captions", "--json", *other).stdout)
    assert report | {"seconds": 0} == {
        "rows": 4,
        "added": 4,
        "known": 0,
        "missing": 0,
        "albums": 0,
        "saved_searches": 0,
        "broken": 0,
        "skipped": [],
        "files": 4,
        "without_file": 0,
        "outside": 0,
        "captions": 40,
        "concepts": 0,
        "checked": 0,
        "cosine": None,
        "seconds": 0,
        "model": "starter",
        "interrupted": False,
    }
    assert hits(tmp_path / "other") == hits(exported / "catalog")
    index = json.loads(run("index", exported / "photos", "--json", *other).stdout)
    assert (index["embedded"], index["reused"], index["unchanged"]) == (0, 0, 4)
    assert run("doctor", "--full", *other).stdout.startswith("nothing is wrong")


def test_folders_of_anothers_export_are_to_be_named(exported, tmp_path):
    other = ("--catalog", tmp_path / "other")
    told = run("import-embeddings", exported / "out", *other).stdout
    assert "4 pictures without a file, 4 of them outside indexed folders (see --root)" in told
    assert str(exported / "photos") not in run("status", *other).stdout
    report = run("import-embeddings", exported / "out", "--root", exported, "--json", *other).stdout
    assert json.loads(report)["files"] == 4
    assert "no folder" in fail("import-embeddings", exported / "out", "--root", tmp_path / "none", *other, code=2)


def test_a_folder_of_others(exported, tmp_path):
    folder = tmp_path / "laion"
    shutil.copytree(exported / "out" / "img_emb", folder / "img_emb")
    paths = pq.read_table(exported / "out" / "metadata" / "metadata_0.parquet")["image_path"].to_pylist()
    (folder / "metadata").mkdir()
    names = [path.rpartition("/")[2] for path in paths]
    pq.write_table(pa.table({"image_path": names}), folder / "metadata" / "metadata_0.parquet")
    photos = tmp_path / "photos"
    shutil.copytree(exported / "photos", photos)
    (photos / "donut.png").write_text("no picture")
    (photos / "pizza.jpg").unlink()
    told = ("import-embeddings", folder, "--images", photos, "--catalog", tmp_path / "c", "--model", "starter")
    first, *lines = run(*told).stdout.splitlines()
    assert first.startswith("2 added, 1 skipped: picture not found, 1 skipped of 4 embeddings in ")
    assert lines == [
        "  checked: 2 pictures embedded again, median cosine 1.000",
        f"  skipped {photos / 'donut.png'}: not a picture of a kind that can be read",
    ]
    lone = ("import-embeddings", folder, "--catalog", tmp_path / "d", "--model", "starter")
    assert "--trust" in fail(*lone, code=2)
    assert run(*lone, "--trust").stdout.startswith("0 added, 4 skipped: picture not found of 4 embeddings")
    vectors = np.load(folder / "img_emb" / "img_emb_0.npy")
    np.save(folder / "img_emb" / "img_emb_0.npy", np.roll(vectors, 7, axis=1))
    assert "don't come from the model starter" in fail(*told, code=1)
    np.save(folder / "img_emb" / "img_emb_0.npy", vectors[:, 1:])
    assert "383 numbers" in fail(*told, code=1)


def test_what_is_wrong_is_one_line(exported, tmp_path):
    catalog = ("--catalog", exported / "catalog")
    assert "not part of an export" in fail("export", exported / "photos", *catalog, code=2)
    assert "no place in a single file" in fail("export", tmp_path / "a.parquet", "--captions", *catalog, code=2)
    assert "no folder or file" in fail("import-embeddings", tmp_path / "none", *catalog, code=2)
    assert "no catalog" in fail("export", tmp_path / "out", "--catalog", tmp_path / "none", code=3)
    assert "--parts" in fail("export", tmp_path / "out", "--parts", "0", *catalog, code=2)


def test_pyarrow_is_loaded_only_where_it_is_needed(exported):
    code = (
        "import sys; from clipsearch.cli import run; run(['query', 'a donut', '--catalog', sys.argv[1]]); "
        "print('pyarrow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, exported / "catalog"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"
