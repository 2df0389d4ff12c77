"""Whatever is wrong with a request is answered as a mistake of whoever asks: 4xx, one line, no path of the server's."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from clipsearch import Catalog, restore_catalog
from clipsearch.errors import IndexMismatchError, ModelError, StoreError
from clipsearch.gallery.collection import PictureCollection
from tests.web.conftest import SAMPLES, client_of

NUMBERS = ["0", "-1", "99999", 1 << 31, 1 << 62, (1 << 63) - 1, 1 << 63, 1 << 64, -(1 << 63) - 1, 10**30, 10**400]
NO_NUMBERS = [
    "nan",
    "inf",
    "1e3",
    "0x1",
    "1.5",
    "%00",
    "null",
    "true",
    "1_",
    "%EF%BC%91",
    "%ED%A0%80",
    "%22",
    "a" * 5000,
]

BY_NUMBER = [
    "/api/items/{}", "/api/items/{}/similar", "/api/items/{}/labels", "/api/items/{}/heatmap?words=x",
    "/api/thumbnail/{}",
    "/pictures/{}", "/pictures/{}/words", "/pictures/{}/similar", "/api/caption?id={}", "/api/classify?id={}&text=x",
]  # fmt: skip
COUNTS = [
    "/api/search?q=cat&k={}", "/api/items/1/similar?k={}", "/api/items/1/labels?k={}", "/api/caption?id=1&k={}",
    "/api/search?q=cat&min_relevance={}", "/api/search?q=cat&confidence={}",
]  # fmt: skip
TEXTS = [
    "/api/search?q={}", "/api/search?q=cat&after={}", "/results?q=cat&after={}", "/api/items/1/labels?labels={}",
    "/api/thumbnail/1?size={}", "/?q={}", "/?since={}", "/?until={}", "/?type={}", "/results?q={}&after=x",
]  # fmt: skip
ODD_TEXTS = [
    "taken:0000", "taken:10000", "taken:2024-02-30", "taken:2024-13", "near:91,0", "near:nan,nan", "near:1e999,0",
    "has:x", "type:exe", "image:%00", "image:..%2Fx", "-%20cat", "99999999:cat", "id:x",
    "id:99999999999999999999", "id:999999999999999999", "w:x", "cat%20%26%20%26%20dog", "%22", "id:1%20-%20id:1", "%20",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(made_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes") / "the-catalog"
    shutil.copytree(made_catalog, folder)
    return folder


@pytest.fixture(scope="module")
def asked(place: Path) -> Iterator[TestClient]:
    with Catalog.open(place, shared=True) as catalog, client_of(catalog) as client:
        yield client


def check(answer, what, *, allowed=(200, 304)):
    assert answer.status_code in allowed or 400 <= answer.status_code < 500, (answer.status_code, what)
    for secret in ("the-catalog", "sqlite", "Traceback", "clipsearch/"):
        assert secret not in answer.text, what
    if answer.headers.get("content-type") == "application/problem+json":
        assert "\n" not in answer.json()["detail"], what


def test_numbers_of_no_picture_are_not_found_by_any_route(asked):
    for number in NUMBERS:
        for path in BY_NUMBER:
            answer = asked.get(path.format(number))
            check(answer, path.format(number), allowed=())
            assert answer.status_code in (404, 422), path.format(number)
    for text in NO_NUMBERS:
        for path in BY_NUMBER:
            check(asked.get(path.format(text)), path.format(text), allowed=())


def test_counts_that_are_none_are_refused(asked):
    for value in [*NUMBERS[3:], *NO_NUMBERS[:4], "-1", ""]:
        for path in COUNTS:
            check(asked.get(path.format(value)), path.format(value), allowed=())


def test_texts_that_make_no_sense_are_refused(asked):
    for text in ODD_TEXTS:
        answer = asked.get(f"/api/search?q={text}")
        check(answer, text)
        assert asked.get(f"/?q={text}").status_code in (answer.status_code, 200), text  # the page shows all for a blank
    for path in TEXTS:
        for text in (
            "%00",
            "%FF",
            "%ED%A0%80",
            "a%0D%0Ab",
            "%F0%9F%98%80",
            "{{7*7}}",
            "%E2%80%AE",
            "%5C",
            "..%2F..%2Fetc",
        ):
            check(asked.get(path.format(text)), path.format(text))


def test_pages_of_no_search_are_refused(asked):
    cursors = [
        [1, 2, 3], [], {}, None, 5, "x", [1, 1, 1, "k"], [1e400, 1, 1, "k"], [float("nan"), 1, 1, "k"],
        [10**300, 1, 1, "x"],        [-1, -1, -1, ""], [[1], 1, 1, "a"], [True, True, True, "x"], [1, 2, 3, "\ud800"],
    ]  # fmt: skip
    texts = [json.dumps(each).encode() for each in cursors] + [b"[" * 900, b"\xff\xfe", b"[" + b"1" * 150 + b",1,1,1]"]
    for text in texts:
        after = base64.urlsafe_b64encode(text).decode().rstrip("=")[:300]
        for path in ("/api/search?q=cat&after=", "/results?q=cat&after="):
            check(asked.get(path + after), (path, text), allowed=())


def test_bodies_that_are_no_json_or_of_wrong_types_are_refused(asked):
    bodies = [
        b"", b"null", b"[]", b"1", b'"x"', b"{", b'{"folder":1}', b'{"folder":null}', b'{"folder":[]}',
        b'{"folder":NaN}', b'{"folder":1e999}', b'{"folder":"\\ud800"}', b'{"folder":"/\\ud800"}',
        b'{"folder":"/a\\u0000b"}', b"[" * 50_000, b'{"a":' * 20_000, b'{"folder":' + b"9" * 5000 + b"}", b"\xff\xfe{", b'{"folder":"file:///etc"}',
        b'{"folder":"/' + b"a/" * 2000 + b'"}', b'{"folder":"~nobody-of-this-name/x"}', b'{"folder":"/proc/self/mem"}',
    ]  # fmt: skip
    for body in bodies:
        for kind in ("application/json", "text/plain", "application/json; charset=utf-16", "multipart/form-data", ""):
            headers = {"content-type": kind}
            check(asked.post("/api/index", content=body, headers=headers), (body[:40], kind), allowed=())
            check(asked.post("/api/pictures", content=body, headers=headers), (body[:40], kind), allowed=())


@pytest.mark.parametrize("path", ["/api/pictures", "/api/caption", "/api/classify?text=x"])
def test_forms_that_are_none_are_refused(asked, path):
    png = (SAMPLES / "food" / "donut.png").read_bytes()

    def form(head, body=png, count=1, kind="boundary=XX"):
        content = (b"--XX\r\n" + head + b"\r\n\r\n" + body + b"\r\n") * count + b"--XX--\r\n"
        return asked.post(path, content=content, headers={"content-type": f"multipart/form-data; {kind}"})

    good = b'Content-Disposition: form-data; name="file"; filename="x"'
    assert form(good).status_code in (200, 201)
    assert form(good.replace(b'"x"', b'"x\x00/../../y\xff"')).status_code in (200, 201)
    for kind in ("undefined", "idna", "zlib", "rot13", "utf-7", "punycode", "x" * 2000):
        check(
            form(b'Content-Disposition: form-data; name="fi\xffle"', kind=f"boundary=XX; charset={kind}"),
            kind,
            allowed=(),
        )
    for head, count in (
        (b"Content-Disposition: form-data", 1), (b"X: y", 1), (b"", 1),
        (b'Content-Disposition: form-data; name="file"', 1),
        (b"a" * 70_000 + b": x", 1), (good, 1500), (b'Content-Disposition: form-data; name="file"', 1500),
    ):  # fmt: skip
        check(form(head, b"x", count), (head[:40], count), allowed=())
    check(form(good, kind="boundary=" + "x" * 200), "another boundary", allowed=())


def test_methods_and_addresses_that_are_none_are_refused(asked):
    for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "BREW"):
        for path in ("/", "/api/search", "/api/index", "/static/page.css", "/healthz"):
            check(asked.request(method, path), (method, path), allowed=())
    for path in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/",
        "/static",
    ):
        check(asked.get(path), path, allowed=(307,))


def test_without_captions_a_picture_has_none_and_that_is_no_fault(place, tmp_path):
    with Catalog.open(place, shared=True) as catalog, client_of(catalog) as client:
        texts = catalog.captions.list()
        catalog.captions.remove(None)
        try:
            answer = client.get("/api/caption", params={"id": 1})
            assert (answer.status_code, answer.json()["detail"][:22]) == (400, "no captions are stored")
            png = (SAMPLES / "food" / "donut.png").read_bytes()
            assert client.post("/api/caption", files={"file": ("x", png)}).status_code == 400
        finally:
            catalog.captions.add(texts)


def test_an_empty_catalog_is_named_by_no_path(tmp_path):
    with (
        Catalog.open(tmp_path / "the-catalog", model="starter", create=True, shared=True) as catalog,
        client_of(catalog) as client,
    ):
        for path in ("/api/search?q=cat", "/api/items/1/similar", "/api/caption?id=1", "/", "/results?q=x&after=y"):
            check(client.get(path), path)
        assert client.get("/api/search?q=cat").json()["detail"].startswith("nothing is indexed yet")


@pytest.mark.parametrize("kind", [StoreError, ModelError, IndexMismatchError, OSError])
def test_faults_of_the_server_are_logged_and_only_named_to_others(asked, monkeypatch, caplog, kind):
    def fail(*_, **__):
        raise kind("/the-catalog/catalog.sqlite3 failed")

    monkeypatch.setattr(Catalog, "search_page", fail)
    monkeypatch.setattr(PictureCollection, "near_duplicates", fail)
    for path in ("/api/search?q=cat", "/?q=cat", "/pictures/1/similar", "/api/items/1/similar"):
        answer = asked.get(path)
        if kind is OSError and not path.startswith("/api"):
            continue
        assert answer.status_code == 500 and "the-catalog" not in answer.text, path
    assert "/the-catalog/catalog.sqlite3 failed" in caplog.text


def test_a_catalog_that_is_deleted_or_replaced_is_not_served_on(made_catalog, tmp_path):
    """What would be written to its file would be lost."""
    place, other = tmp_path / "the-catalog", tmp_path / "other"
    shutil.copytree(made_catalog, place)
    with Catalog.open(place, shared=True) as catalog, client_of(catalog) as client:
        file = tmp_path / "backup"
        catalog.admin.backup(file)
        catalog.captions.remove(None)
        restore_catalog(file, place)
        assert client.get("/api/caption?id=1").status_code == 200  # it goes on with what was restored
        place.rename(other)
        for path in ("/api/search?q=cat", "/", "/api/thumbnail/1", "/api/status"):
            answer = client.get(path)
            assert answer.status_code == 503 and "start clipsearch again" in answer.text
            check(answer, path, allowed=(503,))
        assert client.post("/api/index", json={}).status_code == 503
        assert client.get("/healthz").status_code == 200
        shutil.copytree(other, place)
        assert client.get("/api/search?q=cat").status_code == 503
        shutil.rmtree(place)
        other.rename(place)
        assert client.get("/api/search?q=cat").status_code == 200


def test_a_full_disk_is_told_as_such(asked, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device", "/the-catalog")

    monkeypatch.setattr("tempfile.mkstemp", fail)
    answer = asked.post("/api/pictures", files={"file": ("x", b"x")})
    assert (answer.status_code, answer.json()["detail"]) == (507, "there is no room on the server's disk")
