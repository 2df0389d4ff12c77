"""clipsearch concept: add, list, show, remove, and @NAME in queries."""

import json

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.support.command_line import run
from tests.support.fakes import COLOURS

pytestmark = pytest.mark.usefixtures("colours")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red", "green", "blue", "yellow"):
        Image.new("RGB", (16, 12), COLOURS[name]).save(folder / f"{name}.png")
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(tmp_path / "catalog"))
    with Catalog.open(model="colours", create=True) as catalog:
        catalog.index(folder)
    return folder


def test_a_concept_is_taught_shown_used_and_removed(photos):
    ids = {hit["path"].rpartition("/")[2]: hit["content_id"] for hit in found("type:png")}
    done = run("concept", "add", "Rex", photos / "red.png", "--not", photos / "blue.png", "--words", "red")
    assert done.stdout == '@rex  1 example, 1 excluded, "red"\n'
    done = run("concept", "add", "rex", f"id:{ids['yellow.png']}")
    assert done.stdout == '@rex  2 examples, 1 excluded, "red"\n'
    assert run("concept", "list").stdout == done.stdout
    lines = run("concept", "show", "@rex").stdout.splitlines()
    assert lines[0] == done.stdout.strip() and len(lines) == 4
    for line, sign, name in zip(lines[1:], "++-", ("red.png", "yellow.png", "blue.png"), strict=True):
        assert line.startswith(f"{sign} id:{ids[name]}  ") and line.endswith(name)
    assert found("@rex")[0]["path"].endswith(("red.png", "yellow.png"))
    assert run("concept", "remove", "rex", f"id:{ids['blue.png']}").stdout == '@rex  2 examples, "red"\n'
    assert run("concept", "remove", "rex").stdout == "@rex removed\n"
    assert run("concept", "list").stdout == ""


def found(query):
    return json.loads(run("query", query, "--json").stdout)["hits"]


def test_json_names_the_pictures(photos):
    made = json.loads(run("concept", "add", "rex", photos / "red.png", "--words", "", "--json").stdout)
    assert (made["name"], made["words"], made["negatives"]) == ("rex", None, [])
    assert [picture["path"] for picture in made["positives"]] == [str(photos / "red.png")]
    assert json.loads(run("concept", "show", "rex", "--json").stdout) == made
    assert json.loads(run("concept", "list", "--json").stdout) == {"concepts": [made]}
    (photos / "red.png").unlink()
    run("index", photos)
    assert json.loads(run("concept", "show", "rex", "--json").stdout)["positives"][0]["path"] is None
    assert "(its file was removed)" in run("concept", "show", "rex").stdout
    assert json.loads(run("concept", "remove", "rex", "--json").stdout) == {"removed": "rex"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "rex"], "name a picture that shows it"),
        (["add", "a b", "red.png"], "invalid name of a concept: 'a b'"),
        (["add", "rex", "nothing.png"], "no such picture: nothing.png"),
        (["add", "rex", "id:999"], "no picture with the number 999"),
        (["show", "rex"], "no concept @rex: teach it with 'clipsearch concept add rex PICTURE...'"),
        (["remove", "rex"], "no concept @rex"),
        (["remove", "other", "green.png"], "none of these pictures is an example of @other"),
    ],
)
def test_mistakes_are_one_line(photos, arguments, said):
    run("concept", "add", "other", "red.png", cwd=photos)
    if arguments[0] == "show":
        run("concept", "remove", "other")
    done = run("concept", *arguments, code=2, cwd=photos)
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_a_query_with_an_unknown_concept_names_near_ones(photos):
    run("concept", "add", "rex", photos / "red.png")
    done = run("query", "@rix", code=2)
    assert done.stderr == (
        "clipsearch: there is no concept or saved search @rix: did you mean @rex? (words with an @ go in quotes)\n"
    )
