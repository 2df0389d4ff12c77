"""Duplicates on the page and in the API: groups, what differs, and the list of what was not kept."""

import re
import shutil
import time

import pytest
from PIL import Image, ImageOps

from clipsearch import Catalog
from clipsearch.paths import sample_data_folder
from tests.support.command_line import run
from tests.web.conftest import client_of

SAMPLES = sample_data_folder()


@pytest.fixture
def photos(tmp_path):
    """A photograph, an identical file and a small copy; another, twice; and one that is there once."""
    folder = tmp_path / "photos"
    (folder / "old").mkdir(parents=True)
    cat, donut = SAMPLES / "animals" / "cat.jpg", SAMPLES / "food" / "donut.png"
    shutil.copy(cat, folder / "cat.jpg")
    shutil.copy(cat, folder / "old" / "cat again.jpg")
    with Image.open(cat) as opened:
        opened.reduce(2).convert("RGB").save(folder / "old" / "small cat.jpg")
    shutil.copy(donut, folder / "donut.png")
    shutil.copy(donut, folder / "old" / "donut <1>.png")
    shutil.copy(SAMPLES / "animals" / "cow.jpg", folder / "cow.jpg")
    return folder


@pytest.fixture
def catalog(tmp_path, photos, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True, shared=True) as opened:
        opened.index(photos)
        yield opened


def found(client, **options):
    """What the API says when the search has ended."""
    for _ in range(600):
        said = client.get("/api/duplicates", params=options).json()
        if said["state"] != "running":
            return said
        time.sleep(0.05)
    raise AssertionError(said)


def names(group):
    return [file["path"].rsplit("/", 1)[1] for file in group["files"]]


def test_the_api_lists_groups_with_the_best_the_reason_and_what_differs(client, catalog):
    said = found(client)
    assert (said["state"], said["group_count"], said["spare_count"], said["is_outdated"]) == ("done", 2, 3, False)
    assert said["spare_bytes"] == sum(group.spare_bytes for group in catalog.duplicates())
    by_kind = {group["kind"]: group for group in said["groups"]}
    copies = by_kind["copy"]
    assert names(copies) == ["cat.jpg", "cat again.jpg", "small cat.jpg"]
    assert copies["best"] == copies["files"][0]["id"] == copies["files"][1]["id"] != copies["files"][2]["id"]
    assert (copies["reason"], by_kind["exact"]["reason"]) == ("most pixels", "identical files, first path in order")
    assert [file["is_spare"] for file in copies["files"]] == [False, True, True]
    differs = {each["name"]: each["values"] for each in copies["differs"]}
    assert {"pixels", "size", "folder", "name"} <= set(differs) and "format" not in differs
    assert differs["name"] == names(copies) and differs["pixels"][0] == differs["pixels"][1] != differs["pixels"][2]
    assert {each["name"] for each in by_kind["exact"]["differs"]} == {"folder", "name"}


def test_groups_are_paged_and_filtered(client, catalog):
    first = found(client, k=1)
    second = client.get("/api/duplicates", params={"k": 1, "after": first["next"]}).json()
    assert second["next"] is None and {first["groups"][0]["kind"], second["groups"][0]["kind"]} == {"copy", "exact"}
    (number,) = {file["id"] for file in found(client, kind="exact")["groups"][0]["files"]}
    assert found(client, id=number)["group_count"] == found(client, folder="old")["group_count"] - 1 == 1
    assert found(client, folder="photos/old", kind="copy")["spare_count"] == 2
    assert found(client, folder="/nowhere")["group_count"] == 0
    assert client.get("/api/duplicates", params={"after": "nonsense"}).status_code == 400
    assert client.get("/api/duplicates", params={"after": f"{'0' * 12}.1"}).status_code == 409


def test_the_list_is_that_of_the_command_until_another_choice_is_made(client, catalog, photos):
    said = found(client)
    paths = client.post("/api/duplicates/list", json={"result": said["result"], "end": "nul"}).text
    assert paths == run("dupes", "-0", "--catalog", catalog.directory).stdout and paths.count("\0") == 3
    copies = next(group for group in said["groups"] if group["kind"] == "copy")
    marks = [file["mark"] for file in copies["files"]]
    choice = {"result": said["result"], "kind": "copy", "changed": marks[:2]}
    answer = client.post("/api/duplicates/list", json=choice)
    assert answer.text == f"{photos}/cat.jpg\n{photos}/old/small cat.jpg\n" and "attachment" in str(answer.headers)
    counted = client.post("/api/duplicates/marked", json=choice).json()
    assert counted["files"] == 2 and counted["size_bytes"] > 0
    (photos / "old" / "cat again.jpg").unlink()
    answer = client.post("/api/duplicates/list", json=choice)
    assert (answer.text, answer.headers["X-Left-Out"]) == ("", "2")
    assert len(list(photos.rglob("*.*"))) == 5


def test_what_cannot_be_listed_is_refused(client):
    result = found(client)["result"]
    for mark, status in ("0.0", 400), ("9.9", 400), ("x", 422):
        answer = client.post("/api/duplicates/marked", json={"result": result, "changed": [mark]})
        assert answer.status_code == status
    assert client.post("/api/duplicates/list", json={"result": "other"}).status_code == 409


def test_an_album_takes_pictures_of_which_no_file_is_kept(client, catalog):
    said = found(client)
    added = client.post("/api/duplicates/album", json={"result": said["result"], "album": "to delete"}).json()
    assert added == {"album": "to delete", "added": 1, "left_out": 2}
    (content_id,) = catalog.albums.pictures("to delete")
    assert catalog.pictures.get(content_id).paths[0].endswith("small cat.jpg")
    exact = {"result": said["result"], "album": "more", "kind": "exact"}
    assert client.post("/api/duplicates/album", json=exact).status_code == 400
    with client_of(catalog, may_index=False) as reading:
        request = {"result": found(reading)["result"], "album": "no"}
        assert reading.post("/api/duplicates/album", json=request).status_code == 403
        assert "marked-album" not in reading.get("/duplicates").text
    assert [album.name for album in catalog.albums.list()] == ["to delete"]


def test_the_page_shows_groups_and_marks_what_differs(client, photos):
    assert "Looking for" in client.get("/duplicates").text or found(client)
    found(client)
    page = client.get("/duplicates").text
    assert page.count('<li class="group">') == 2 and "donut &lt;1&gt;.png" in page and "donut <1>" not in page
    assert "most pixels" in page and re.search(r'class="other"><bdi>\d+ × \d+</bdi>', page)
    said = found(client)
    sizes = [f"{group['spare_bytes'] / 1e3:.0f} KB" for group in sorted(said["groups"], key=lambda each: each["kind"])]
    assert f"3 files; 2 of them, {sizes[0]}, can go" in page and f"2 files; one of them, {sizes[1]}, can go" in page
    assert "2 groups." in page and "3 files can go without loss" in page and "Nothing is deleted here" in page
    filtered = client.get("/duplicates", params={"kind": "similar", "folder": "x&y"}).text
    assert "No duplicates pass the filter" in filtered and 'value="x&amp;y"' in filtered
    (photos / "cat.jpg").unlink()
    assert "It is not there any more" in client.get("/duplicates").text


def test_similar_pictures_are_kept_until_only_the_best_is_chosen(tmp_path, colours):
    photos = tmp_path / "burst"
    photos.mkdir()
    shutil.copy(SAMPLES / "animals" / "cat.jpg", photos)
    with Image.open(SAMPLES / "animals" / "cat.jpg") as opened:
        ImageOps.mirror(opened).save(photos / "mirrored.jpg")
    with Catalog.open(tmp_path / "similar", model="colours", create=True, shared=True) as catalog:
        catalog.index(photos)
        with client_of(catalog) as client:
            said = found(client)
            assert [group["kind"] for group in said["groups"]] == ["similar"]
            page = client.get("/duplicates").text
            assert "Nothing is suggested to go" in page and "can go" not in page
            assert 'data-only="0.0" data-files="2"' in page
            chosen = {"result": said["result"], "changed": ["0.1"]}
            assert client.post("/api/duplicates/list", json=chosen).text.count("\n") == 1


def test_the_page_tells_what_was_found_since(client):
    token = found(client)["result"]
    waiting = client.get("/duplicates/progress", params={"known": "other", "groups": 1}).text
    assert "1 more group was found." in waiting and "Show all 2" in waiting and 'data-reload="choices"' in waiting
    assert "data-reload" not in client.get("/duplicates/progress", params={"known": token, "groups": 2}).text


def test_what_was_found_is_searched_again_only_when_asked(client, catalog, photos):
    before = found(client)["result"]
    shutil.copy(photos / "cow.jpg", photos / "cow 2.jpg")
    catalog.index()
    assert found(client)["is_outdated"] and found(client)["result"] == before
    assert "Look again" in client.get("/duplicates").text
    assert client.post("/api/duplicates").status_code == 202
    after = found(client)
    assert (after["group_count"], after["is_outdated"]) == (3, False) and after["result"] != before
    cursor = {"after": f"{before}.1"}
    assert client.get("/duplicates/more", params=cursor).status_code == 409


def test_two_pictures_are_compared_and_a_picture_leads_to_its_duplicates(client):
    copies = next(group for group in found(client)["groups"] if group["kind"] == "copy")
    first, other = copies["files"][0]["id"], copies["files"][2]["id"]
    page = client.get(f"/pictures/{first}/compare/{other}").text
    assert page.count('class="layer"') == 2 and "small cat.jpg" in page and "pixels" in page
    assert client.get(f"/pictures/{first}/compare/99999").status_code == 404
    assert f"/pictures/{first}/compare/{other}" in client.get(f"/pictures/{first}/similar").text
    assert f"/duplicates?id={first}" in client.get(f"/pictures/{first}").text


def test_an_empty_catalog_says_so(tmp_path, colours):
    with (
        Catalog.open(tmp_path / "empty", model="colours", create=True, shared=True) as empty,
        client_of(empty) as client,
    ):
        assert found(client)["state"] == "failed"
        assert 'class="problem"' in client.get("/duplicates/progress").text
