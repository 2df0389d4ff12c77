"""Films by id: whole, in ranges, and nothing else."""

import http.client
import shutil
import time
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.web import streams
from clipsearch.web.security import GuardRules
from clipsearch.web.streams import UnsatisfiableRangeError, find_range
from tests.support.films import Shot, make_film
from tests.support.motion_photos import motion_photo_of
from tests.web.conftest import client_of, serving

pytest.importorskip("av", reason="PyAV is not installed: pip install -e '.[video]'")

SHOTS = (Shot(Image.new("RGB", (64, 48), "red"), 3), Shot(Image.new("RGB", (64, 48), "blue"), 3))


@pytest.fixture(scope="module")
def content() -> bytes:
    return make_film(SHOTS, codec="vp9", container="webm", size=(64, 48))


@pytest.fixture
def catalog(tmp_path, colours, content):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "film.webm").write_bytes(content)
    Image.new("RGB", (64, 48), "lime").save(photos / "green.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(photos)
        yield catalog


def id_of(catalog, name):
    (hit,) = catalog.search(f"path:{name}")
    return hit.content_id


@pytest.fixture
def url(catalog):
    return f"/api/films/{id_of(catalog, '*.webm')}"


@pytest.mark.parametrize(
    ("header", "expected"),
    {
        None: None,
        "": None,
        "bytes=0-": (0, 1000),
        "bytes=10-19": (10, 20),
        " bytes=10-19 ": (10, 20),
        "bytes=990-5000": (990, 1000),
        "bytes=999-999": (999, 1000),
        "bytes=-1": (999, 1000),
        "bytes=-5000": (0, 1000),
        "bytes=-": None,
        "bytes=20-10": None,
        "bytes=0-1,5-6": None,
        "bytes=" + "0-0," * 5000 + "1-1": None,
        "bytes=" + "9" * 5000 + "-": None,
        "bytes=٣-٤": None,
        "bytes=0x1-": None,
        "bytes=+1-2": None,
        "items=0-1": None,
        "\0": None,
    }.items(),
)
def test_ranges(header, expected):
    assert find_range(header, 1000) == expected


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_behind_the_end(header, client, url, content):
    with pytest.raises(UnsatisfiableRangeError):
        find_range(header, 1000)
    answer = client.get(url, headers={"range": header.replace("1000-", f"{len(content)}-")})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(content)}"
    assert answer.content == b""


def test_the_whole_film(client, url, content):
    answer = client.get(url)
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == "video/webm"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get(url, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert client.get(url, headers={"range": "bytes=0-1,5-6"}).content == content


def test_a_range(client, url, content):
    answer = client.get(url, headers={"range": "bytes=100-199"})
    assert (answer.status_code, answer.content) == (206, content[100:200])
    assert answer.headers["content-range"] == f"bytes 100-199/{len(content)}"
    assert answer.headers["content-length"] == "100"
    etag = answer.headers["etag"]
    for condition, status in ((etag, 206), ('"another"', 200), ("Wed, 21 Oct 2015 07:28:00 GMT", 200)):
        answer = client.get(url, headers={"range": "bytes=5-", "if-range": condition})
        assert (answer.status_code, answer.content) == (status, content[5 if status == 206 else 0 :])


def test_head_says_what_get_would(client, url, content):
    for headers in ({}, {"range": "bytes=10-19"}):
        got, head = client.get(url, headers=headers), client.head(url, headers=headers)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers == got.headers


def test_nothing_but_films_that_were_indexed(client, catalog, url, tmp_path):
    picture = id_of(catalog, "*.png")
    assert client.get(f"/api/films/{picture}").status_code == 404
    assert client.get("/api/films/999").status_code == 404
    assert client.get("/api/films/..%2f..%2fetc%2fpasswd").status_code in (404, 422)
    (tmp_path / "photos" / "film.webm").unlink()
    (tmp_path / "photos" / "film.webm").symlink_to(tmp_path / "photos" / "green.png")
    answer = client.get(url)
    assert (answer.status_code, "has changed" in answer.json()["detail"]) == (404, True)


@pytest.mark.parametrize("file_format", ["JPEG", "HEIF"])
def test_the_film_inside_of_a_photograph(file_format, client, catalog, tmp_path):
    path, film = tmp_path / "photos" / "motion.jpg", b"\0\0\0\x18ftypmp42" + bytes(range(256))
    path.write_bytes(motion_photo_of(Image.new("RGB", (64, 48), "olive"), film, file_format))
    catalog.index(tmp_path / "photos")
    number = id_of(catalog, "motion.jpg")
    url = f"/api/films/{number}"
    answer = client.get(url)
    assert (answer.status_code, answer.content) == (200, film)
    assert answer.headers["content-type"] == "video/mp4"
    part = client.get(url, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, film[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(film)}"
    assert client.get(url, headers={"range": "bytes=-1"}).content == film[-1:]
    assert f'href="{url}"' in client.get(f"/pictures/{number}").text
    path.unlink()
    assert client.get(url).status_code == 404
    assert f'href="{url}"' not in client.get(f"/pictures/{number}").text


def test_a_photograph_without_a_film_offers_none(client, catalog):
    number = id_of(catalog, "*.png")
    assert "/api/films/" not in client.get(f"/pictures/{number}").text


def test_a_copy_takes_the_place_of_a_film_that_is_gone(client, catalog, url, content, tmp_path):
    shutil.copy(tmp_path / "photos" / "film.webm", tmp_path / "photos" / "copy.webm")
    catalog.index(tmp_path / "photos")
    (tmp_path / "photos" / "film.webm").unlink()
    assert client.get(url).content == content


def test_tokens_hosts_and_origins_hold_for_films_too(catalog, url):
    with client_of(catalog, rules=GuardRules(token="secret-of-32-characters-xxxxxxxxx")) as client:
        assert client.get(url).status_code == 401
        assert client.head(url).status_code == 401
        bearer = {"authorization": "Bearer secret-of-32-characters-xxxxxxxxx"}
        assert client.get(url, headers=bearer).status_code == 200
        assert client.get(url, headers={**bearer, "host": "evil.example"}).status_code in (400, 403, 421)


def test_who_does_not_read_a_film_keeps_nobody_waiting(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    size = 32 << 20  # more than the buffers of a connection hold
    with (photos / "film.mp4").open("wb") as file:
        file.write(make_film(SHOTS, size=(64, 48)))
        file.write(size.to_bytes(4, "big") + b"free")
        file.truncate(file.tell() - 8 + size)
    with Catalog.open(tmp_path / "catalog", model="starter", create=True) as catalog:
        catalog.index(photos)
        url = f"/api/films/{id_of(catalog, '*.mp4')}"
    with serving(tmp_path / "catalog") as server, ExitStack() as opened:
        address = urlsplit(server.address)

        def ask(path: str) -> http.client.HTTPResponse:
            connection = opened.enter_context(closing(http.client.HTTPConnection(address.netloc, timeout=60)))
            connection.request("GET", path)
            return opened.enter_context(connection.getresponse())

        slow = [ask(url) for _ in range(streams.MAX_STREAMS)]
        assert {each.status for each in slow} == {200}
        assert ask("/api/status").status == 200
        assert ask(url).status == 503
        for each in slow:
            each.close()
        opened.close()
        for _ in range(100):  # until the server has seen it
            if (status := ask(url).status) != 503:
                break
            time.sleep(0.1)
        assert status == 200
