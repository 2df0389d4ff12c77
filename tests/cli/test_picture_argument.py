"""URLs on the command line: fetched only for those who have opted in."""

import functools
import ipaddress
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsearch.catalog import Catalog
from clipsearch.cli import run
from clipsearch.errors import InputError, QueryError
from clipsearch.images.remote import fetch
from clipsearch.paths import sample_data_folder
from clipsearch.query import words_query
from tests.support.loopback import Server

SAMPLES = sample_data_folder()
DONUT = SAMPLES / "food" / "donut.png"
URL = "https://example.org/cat.jpg"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> str:
    place = str(tmp_path_factory.mktemp("url") / "catalog")
    with Catalog.open(place, model="starter", create=True) as catalog:
        catalog.index(SAMPLES / "food")
        catalog.captions.add(["a glazed donut", "a slice of pizza"])
    return place


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    """Serves the donut; the command line may connect to it, though the loopback is not public."""
    allowed = functools.partial(
        fetch.fetch_picture, is_allowed=lambda address: address == ipaddress.ip_address("127.0.0.1")
    )
    monkeypatch.setattr(fetch, "fetch_picture", allowed)
    with Server.running() as server:
        monkeypatch.setenv("CLIPSEARCH_ALLOW_URL", f"a.host:8000, 127.0.0.1:{server.server_port}")
        server.serve("/donut.png", DONUT.read_bytes(), Content_Type="image/png")
        yield server


COMMANDS = {
    "query": ["query", URL],
    "query in capitals": ["query", URL.upper()],
    "query with spaces": ["query", URL, "and", "more"],
    "caption": ["caption", URL],
    "classify": ["classify", URL, "a cat", "a dog"],
    "classify the other way round": ["classify", "a cat", "--images", str(DONUT), URL],
    "model inspect": ["model", "inspect", "--image", URL],
}


@pytest.mark.parametrize("given", ["", "0", "yes", "example.org", "example.org:443", ":", "[::1"])
@pytest.mark.parametrize("command", COMMANDS)
def test_without_leave_nothing_is_fetched(catalog, monkeypatch, capfd, command, given):
    monkeypatch.setenv("CLIPSEARCH_ALLOW_URL", given)
    monkeypatch.setattr(socket, "getaddrinfo", None)
    monkeypatch.setattr(socket, "socket", None)
    assert run([*COMMANDS[command], "--catalog", catalog]) == 2
    out, err = capfd.readouterr()
    (line,) = err.splitlines()
    assert out == ""
    assert URL in line or URL.upper() in line
    assert "is a URL and was not fetched: use --allow-url or CLIPSEARCH_ALLOW_URL=1 to allow it" in line
    assert ("use --text for words" in line) == command.startswith("query")


def test_a_query_by_url_finds_what_the_file_finds(catalog, server, capfd):
    assert run(["query", server.url("/donut.png"), "--allow-url", "--catalog", catalog]) == 0
    by_url = capfd.readouterr().out
    assert run(["query", str(DONUT), "--catalog", catalog]) == 0
    assert by_url == capfd.readouterr().out
    assert by_url.split()[3] == "1.000"
    assert len(server.requests) == 1


def test_the_environment_allows_it_too(catalog, server, capfd, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_ALLOW_URL", f"1,127.0.0.1:{server.server_port}")
    url = server.url("/donut.png")
    assert run(["caption", url, "--json", "--catalog", catalog]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["image"], found["captions"][0]["text"]) == (url, "a glazed donut")


def test_the_environment_may_allow_one_host_and_port_only(catalog, server, capfd, monkeypatch):
    assert run(["caption", server.url("/donut.png"), "--catalog", catalog]) == 0
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert run(["caption", URL, "--catalog", catalog]) == 2
    assert "was not fetched" in capfd.readouterr().err
    monkeypatch.setenv("CLIPSEARCH_ALLOW_URL", "1")
    assert run(["caption", server.url("/donut.png"), "--catalog", catalog]) == 2
    assert f"CLIPSEARCH_ALLOW_URL=127.0.0.1:{server.server_port} allows that one" in capfd.readouterr().err


def test_classify_by_url(catalog, server, capfd):
    url = server.url("/donut.png")
    options = ["--allow-url", "--catalog", catalog]
    assert run(["classify", url, "a photo of a cat", "a photo of a donut", *options]) == 0
    assert capfd.readouterr().out.splitlines()[0].endswith("a photo of a donut")
    pizza = str(SAMPLES / "food" / "pizza.jpg")
    assert run(["classify", "a photo of a donut", "--images", pizza, url, *options]) == 0
    assert capfd.readouterr().out.splitlines()[0].endswith(f"  {url}")


def test_model_inspect_by_url(server, capfd):
    url = server.url("/donut.png")
    assert run(["model", "inspect", "starter", "--image", url, "--allow-url", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["image"] == url
    assert found["captions"][0]["text"] == "a photo of a donut"


def test_with_text_a_url_is_words(catalog, server, capfd):
    assert run(["query", "--text", "--allow-url", server.url("/donut.png"), "--catalog", catalog]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 4
    assert server.requests == []


def test_what_goes_wrong_is_one_line(catalog, server, capfd):
    server.serve("/page", b"<html>", Content_Type="text/html")
    server.serve("/broken.png", b"does not exist")
    for url, code, text in (
        (server.url("/page"), 1, "it is not a picture but text/html"),
        (server.url("/broken.png"), 1, "not a picture of a kind that can be read"),
        ("http://10.0.0.1/cat.jpg", 2, "only public addresses"),
        (server.url("/a cat.jpg"), 2, "%20"),
    ):
        assert run(["query", url, "--allow-url", "--catalog", catalog]) == code
        out, err = capfd.readouterr()
        (line,) = err.splitlines()
        assert out == ""
        assert url in line
        assert text in line


def test_the_library_never_fetches_on_its_own(catalog, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_ALLOW_URL", "1")
    monkeypatch.setattr(socket, "getaddrinfo", None)
    monkeypatch.setattr(socket, "socket", None)
    with Catalog.open(catalog) as opened:
        with pytest.raises(QueryError, match="was not fetched"):
            opened.search(URL)
        assert len(opened.search(words_query(URL))) == 4
        with pytest.raises(InputError, match="does not exist"):
            opened.search(Path(URL))
        with pytest.raises(InputError, match="does not exist"):
            opened.caption(URL)


def test_a_picture_of_the_catalog_is_left_out_of_its_own_hits(catalog, capfd):
    def found(*arguments: str) -> list[str]:
        assert run(["query", *arguments, "--paths", "--catalog", catalog]) == 0
        return capfd.readouterr().out.splitlines()

    assert found(str(DONUT))[0] == str(DONUT)
    others = found(str(DONUT), "--not-itself")
    assert len(others) == 3 and str(DONUT) not in others
    assert found("a donut", "--not-itself") == found("a donut")
