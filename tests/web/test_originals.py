"""The original files of pictures, by their id."""

from pathlib import Path

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.web.conftest import client_of


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (32, 32), "red").save(folder / "red.jpg")
    Image.new("RGB", (32, 32), "lime").save(folder / 'grün & 猫;".png')
    Image.new("RGB", (32, 32), "blue").save(folder / "really a TIFF.jpg", "TIFF")
    return folder


@pytest.fixture
def catalog(tmp_path, photos, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def id_of(catalog, word: str) -> int:
    (hit,) = catalog.search(f"path:{word}")
    return hit.content_id


def test_the_file_is_served_as_it_is(catalog, photos):
    client = client_of(catalog)
    content = (photos / "red.jpg").read_bytes()
    answer = client.get(f"/api/original/{id_of(catalog, 'red.jpg')}")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, content, "image/jpeg")
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''red.jpg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    part = client.get(f"/api/original/{id_of(catalog, 'red.jpg')}", headers={"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, content[3:10])
    known = client.get(f"/api/original/{id_of(catalog, 'red.jpg')}", headers={"If-None-Match": answer.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert client.head(f"/api/original/{id_of(catalog, 'red.jpg')}").headers["content-length"] == str(len(content))


def test_it_can_be_downloaded_under_any_name(catalog):
    found = client_of(catalog).get(f"/api/original/{id_of(catalog, 'gr')}", params={"download": "true"})
    name = "gr%C3%BCn%20%26%20%E7%8C%AB%3B%22.png"
    assert found.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"


def test_what_browsers_do_not_show_is_saved_whatever_its_name(catalog):
    found = client_of(catalog).get(f"/api/original/{id_of(catalog, 'TIFF')}")
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["content-disposition"].startswith("attachment; ")


def test_drawings_that_may_hold_scripts_are_saved(tmp_path, colours):
    pytest.importorskip("resvg_py", reason="resvg-py is not installed: pip install -e '.[svg]'")
    (tmp_path / "x.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><script>alert(1)</script>'
        '<rect width="40" height="40" fill="red"/></svg>'
    )
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(tmp_path)
        found = client_of(catalog).get(f"/api/original/{id_of(catalog, 'x.svg')}")
    assert found.status_code == 200 and found.headers["content-type"] == "application/octet-stream"
    assert found.headers["content-disposition"].startswith("attachment; ")


def test_a_file_that_is_gone_or_replaced_is_not_served(catalog, photos, tmp_path):
    client, number = client_of(catalog), id_of(catalog, "red.jpg")
    assert client.get("/api/original/999").status_code == 404
    (photos / "red.jpg").write_bytes(b"something else, of another size")
    assert client.get(f"/api/original/{number}").status_code == 404
    size = catalog.pictures.get(number).size_bytes
    (tmp_path / "secret").write_bytes(b"x" * size)
    (photos / "red.jpg").unlink()
    (photos / "red.jpg").symlink_to(tmp_path / "secret")
    assert client.get(f"/api/original/{number}").status_code == 404
    (photos / "red.jpg").unlink()
    found = client.get(f"/api/original/{number}")
    assert found.status_code == 404 and "missing, or has changed" in found.json()["detail"]


def test_the_page_of_a_picture_leads_to_it(catalog, photos):
    client, number = client_of(catalog), id_of(catalog, "red.jpg")
    page = client.get(f"/pictures/{number}").text
    assert f'href="/api/original/{number}"' in page and f'href="/api/original/{number}?download=true"' in page
    (photos / "red.jpg").unlink()
    assert "/api/original" not in client.get(f"/pictures/{number}").text
