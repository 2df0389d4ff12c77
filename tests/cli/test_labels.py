"""clipsearch label, labels and classify --labels, with the starter model."""

import csv
import io
import json
import os
import shutil

import pytest

from clipsearch import DEFAULT_CUTOFF
from clipsearch.images.xmp.sidecars import read_keywords, sidecar_of
from clipsearch.paths import sample_data_folder
from tests.support.command_line import fail, run

SAMPLES = sample_data_folder()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels") / "photos"
    shutil.copytree(SAMPLES / "animals", folder)
    return folder


@pytest.fixture(scope="module")
def catalog(photos):
    run("index", photos, "--catalog", photos.parent / "catalog", "--model", "starter")
    return photos.parent / "catalog"


def test_a_folder_that_was_never_indexed_is_labelled(photos, tmp_path):
    arguments = [
        "label",
        photos,
        "--labels",
        "cifar100",
        "--catalog",
        tmp_path / "new",
        "--model",
        "starter",
        "-k",
        "2",
    ]
    found = json.loads(run(*arguments, "--json").stdout)
    assert (found["labels"], found["model"], len(found["pictures"])) == ("cifar100", "starter", 6)
    rows = [json.loads(line) for line in run(*arguments, "--jsonl").stdout.splitlines()]
    assert rows == found["pictures"]
    table = list(csv.DictReader(io.StringIO(run(*arguments, "--csv").stdout)))
    assert [(row["path"], row["label"]) for row in table] == [
        (picture["path"], hit["label"]) for picture in rows for hit in picture["labels"]
    ]
    assert all(hit["relevance"] >= 0.3 for picture in rows for hit in picture["labels"])
    assert fail(*arguments, "--csv", "--json", code=2)


def test_sidecars_are_written_once_and_one_that_is_broken_stops_no_other(photos, catalog):
    cat, fox = photos / "cat.jpg", photos / "fox.webp"
    sidecar_of(fox).write_text("broken")
    pipe = sidecar_of(photos / "cow.jpg")
    os.mkfifo(pipe)
    arguments = ["label", photos, "--labels", "lvis", "--write-xmp", "--catalog", catalog, "--min-relevance", "0.05"]
    done = run(*arguments, code=1)
    assert "fox.webp.xmp is not valid XMP" in done.stderr
    assert "cow.jpg.xmp: a named pipe, not a regular file" in done.stderr
    pipe.unlink()
    assert sidecar_of(fox).read_text() == "broken"
    assert read_keywords(cat)[:2] == ["cat", "kitten"]
    before = sidecar_of(cat).stat().st_mtime_ns
    sidecar_of(fox).unlink()
    run(*arguments)
    assert sidecar_of(cat).stat().st_mtime_ns == before
    assert read_keywords(fox)


def test_sets_are_added_listed_shown_and_removed(photos, catalog, tmp_path):
    file = tmp_path / "beasts.txt"
    file.write_text("# mine\nfox\na cat on a chair\nfox\n\n\xff\n", encoding="latin-1")
    added = run("labels", "add", file, "--catalog", catalog)
    assert added.stdout == "2 labels as beasts\n"
    assert "line 6: not UTF-8, left out" in added.stderr
    assert run("labels", "show", "beasts", "--catalog", catalog).stdout == "fox\na cat on a chair\n"
    sets = json.loads(run("labels", "list", "--json", "--catalog", catalog).stdout)["label_sets"]
    assert {"name": "beasts", "labels": 2, "built_in": False} in sets
    found = json.loads(
        run("classify", photos / "fox.webp", "--labels", "beasts", "--json", "--catalog", catalog).stdout
    )
    assert (found["label_set"], found["labels"][0]["label"]) == ("beasts", "fox")
    assert found["none_of_these"] == (found["labels"][0]["relevance"] < DEFAULT_CUTOFF)
    run("labels", "remove", "beasts", "--catalog", catalog)
    assert "'beasts'" in fail("labels", "remove", "beasts", "--catalog", catalog, code=2)
    assert "'beasts'" in fail("label", "--labels", "beasts", "--catalog", catalog, code=2)


def test_without_a_catalog_the_sets_that_come_along_work(photos, tmp_path):
    none = ["--catalog", tmp_path / "none", "--model", "starter"]
    found = json.loads(run("classify", photos / "cat.jpg", "--labels", "cifar10", "--json", *none).stdout)
    assert found["labels"][0]["label"] == "cat"
    assert len(run("labels", "show", "coco", "--catalog", tmp_path / "none").stdout.splitlines()) == 80
    assert not (tmp_path / "none").exists()
    assert fail("label", "--labels", "coco", "--catalog", tmp_path / "none", code=3)


def test_one_picture_and_nothing_else(photos):
    assert "one picture" in fail("classify", photos / "cat.jpg", "dog", "--labels", "coco", code=2)
    assert "does not exist" in fail("classify", photos / "none.jpg", "--labels", "coco", "--model", "starter", code=2)
