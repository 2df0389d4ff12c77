"""Several pictures as one archive."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.web import zips
from tests.web.conftest import client_of

NAMES = ("a/red.jpg", "b/RED.jpg", "c/grün & 猫.png", "d/go\nne.png", "e/changed.png")


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("zips") / "photos"
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True)
        Image.new("RGB", (32, 32), (40 * number, 200, 7)).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def catalog(photos):
    with Catalog.open(photos.parent / "catalog", model="starter", create=True) as opened:
        opened.index(photos)
        (photos / "d" / "go\nne.png").unlink()
        size_bytes = (photos / "e" / "changed.png").stat().st_size
        (photos / "e" / "changed.png").write_bytes(bytes(size_bytes))
        yield opened


@pytest.fixture(scope="module")
def client(catalog):
    with client_of(catalog) as made:
        yield made


def ids_of(catalog) -> list[int]:
    known = {Path(hit.path).as_posix(): hit.content_id for hit in catalog.search("type:jpg", top_k=9)}
    known |= {Path(hit.path).as_posix(): hit.content_id for hit in catalog.search("type:png", top_k=9)}
    return [next(number for path, number in known.items() if path.endswith(name)) for name in NAMES]


def test_pictures_are_stored_as_they_are_under_names_of_their_own(client, catalog, photos):
    ids = ids_of(catalog)
    answer = client.get("/api/zip", params={"ids": ",".join(map(str, [*ids, ids[0], 99_999]))})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == 'attachment; filename="pictures.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["red.jpg", "RED (2).jpg", "grün & 猫.png", "missing.txt"]
        assert archive.read("RED (2).jpg") == (photos / "b" / "RED.jpg").read_bytes()
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
        missing = archive.read("missing.txt").decode()
    assert f"go_ne.png (id:{ids[3]}): the picture's file is missing" in missing
    assert f"changed.png (id:{ids[4]})" in missing and "id:99999: it is not in the catalog" in missing


def test_names_are_those_that_all_systems_take():
    assert list(map(zips.safe_name, ("a:b?.jpg", "con.png", "x. ", "..", "console.jpg"))) == [
        "a_b_.jpg",
        "_con.png",
        "x_",
        "_",
        "console.jpg",
    ]


@pytest.mark.parametrize(("ids", "status"), [("", 422), ("1,x", 422), ("99999", 404), (str(1 << 62), 422)])
def test_what_is_no_list_of_pictures_is_refused(client, ids, status):
    answer = client.get("/api/zip", params={"ids": ids})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_too_much_is_refused_before_it_begins(client, catalog, monkeypatch):
    ids = ",".join(map(str, ids_of(catalog)))
    monkeypatch.setattr(zips, "MOST_BYTES", 100)
    assert "in one archive" in client.get("/api/zip", params={"ids": ids}).json()["detail"]
    many = ",".join(map(str, range(1, zips.MOST_FILES + 2)))
    assert client.get("/api/zip", params={"ids": many}).status_code == 413
