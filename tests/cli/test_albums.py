"""clipsearch save, saved, album and favourite."""

import json

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.support.command_line import fail, run
from tests.support.fakes import COLOURS

pytestmark = pytest.mark.usefixtures("colours")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red", "green", "blue"):
        Image.new("RGB", (16, 12), COLOURS[name]).save(folder / f"{name}.png")
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(tmp_path / "catalog"))
    with Catalog.open(model="colours", create=True) as catalog:
        catalog.index(folder)
    return folder


def names(query):
    return sorted(path.rpartition("/")[2] for path in run("query", query, "--paths").stdout.splitlines())


def test_a_search_is_saved_used_listed_and_removed(photos):
    assert run("save", "Warm", "red", "path:r*").stdout == "saved @warm: red path:r*\n"
    assert names("@warm") == ["red.png"]
    refused = run("save", "warm", "blue", code=2)
    assert refused.stderr == "clipsearch: there is a saved search @warm already: red path:r*; --force replaces it\n"
    assert run("save", "warm", "--force", "red", "-", "blue").stdout == "saved @warm: red - blue\n"
    assert run("saved").stdout == run("saved", "list").stdout == "@warm  red - blue\n"
    (row,) = json.loads(run("saved", "list", "--json").stdout)["saved"]
    assert (row["name"], row["query"]) == ("warm", "red - blue")
    assert "options go after the command" in fail("saved", "--catalog", "elsewhere", "remove", "warm", code=2)
    assert "options go after the command" in fail("saved", "--json", "list", code=2)
    assert run("saved", "remove", "@warm").stdout == "@warm removed\n"
    assert run("saved").stdout == ""
    assert run("saved", "remove", "warm", code=2).stderr == "clipsearch: there is no saved search @warm\n"
    assert "write NAME QUERY" in run("save", "warm", code=2).stderr


def test_an_album_is_filled_shown_renamed_and_deleted(photos):
    assert (
        run("album", "add", "Sea", photos / "blue.png", photos / "red.png").stdout
        == "Sea  2 pictures; 2 pictures added\n"
    )
    assert run("album", "add", "sea", "--matches", "path:green.png").stdout == "Sea  3 pictures; 1 picture added\n"
    assert names("album:sea") == ["blue.png", "green.png", "red.png"]
    assert run("albums", "list").stdout == run("album", "list").stdout == "Sea  3 pictures\n"
    shown = json.loads(run("album", "show", "sea", "--json").stdout)
    assert shown["count"] == len(shown["pictures"]) == 3
    paths = run("album", "show", "SEA", "--paths").stdout.splitlines()
    assert paths[0] == str(photos / "blue.png") and len(paths) == 3
    assert run("album", "remove", "sea", photos / "blue.png").stdout == "Sea  2 pictures; 1 picture taken out\n"
    assert run("album", "rename", "sea", "See").stdout == "See  2 pictures\n"
    assert run("album", "delete", "see").stdout == "See deleted; its 2 pictures stay\n"
    assert "no album see" in run("album", "show", "see", code=2).stderr
    assert "name a picture" in run("album", "add", "sea", code=2).stderr
    assert "no picture matches" in run("album", "add", "sea", "--matches", "path:none", code=2).stderr


def test_an_album_that_is_not_there_is_said_to_be_none(photos):
    run("album", "add", "Italy 2023", photos / "red.png")
    assert "there is no album Itly 2023: did you mean Italy 2023?" in run("query", 'album:"Itly 2023"').stderr
    assert "no album" not in run("query", "album:italy", "path:none").stderr


def test_favourites_are_added_and_taken_out(photos):
    assert run("favourite", photos / "red.png", photos / "blue.png").stdout == (
        "favourites  2 pictures; 2 pictures added\n"
    )
    assert names("is:favourite") == ["blue.png", "red.png"]
    assert "1 picture taken out" in run("favorite", "--remove", photos / "red.png").stdout
    assert names("is:favorite") == ["blue.png"]


def test_the_name_of_an_album_becomes_a_keyword_in_sidecars_alone(photos):
    before = (photos / "red.png").read_bytes()
    run("album", "add", "Sea & sand", photos / "red.png")
    run("album", "show", "sea & sand", "--write-xmp")
    assert (photos / "red.png").read_bytes() == before
    run("index", photos)
    assert names('tag:"sea & sand"') == ["red.png"]


def test_new_matches_are_printed_once(photos):
    run("save", "reds", "red")
    assert run("watch", "--matches", "@none", code=2).stderr == "clipsearch: there is no saved search @none\n"
    assert "choose one" in run("watch", "--matches", "@reds", "--json", code=2).stderr


def test_what_an_album_writes_is_said_and_folders_are_refused(photos):
    run("album", "add", "warm", photos / "red.png")
    assert run("album", "show", "warm", "--write-xmp").stderr == "1 sidecar written\n"
    for words in (("favourite",), ("favourite", "--remove"), ("album", "add", "warm")):
        assert "is a folder: name pictures" in fail(*words, photos, code=2)


def test_a_hit_by_its_name_says_so(photos):
    lines = run("query", "green", "-k2").stdout.splitlines()
    assert lines[0].endswith("green.png  (by its name)") and "by its name" not in lines[1]
    assert '      written  "' in run("query", "green", "-k1", "--explain").stdout
