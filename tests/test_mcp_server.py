"""The catalog for assistants, asked by a real client over stdio."""

import base64
import io
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import ClientSession, StdioServerParameters, stdio_client
from mcp.server.mcpserver.exceptions import ToolError
from PIL import Image

from clipsearch import Catalog
from clipsearch.errors import StoreError
from tests.support.sample_catalog import SampleCatalog


@pytest.fixture(scope="module")
def directory(indexed_samples: SampleCatalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = indexed_samples.copy_to(tmp_path_factory.mktemp("mcp") / "catalog")
    with Catalog.open(made) as catalog:
        catalog.captions.add(["a glazed donut", "a cat looks at you"])
    return made


class Client:
    """A client of one server process, asked from this thread."""

    def __init__(self, portal: BlockingPortal, session: ClientSession) -> None:
        self._portal = portal
        self._session = session

    def ask(self, question: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        async def in_time() -> Any:
            with anyio.fail_after(90):
                return await question(self._session, *arguments)

        return self._portal.call(in_time)

    def call(self, name: str, **arguments: Any) -> Any:
        return self.ask(ClientSession.call_tool, name, arguments)


@asynccontextmanager
async def connected(directory: Path) -> AsyncIterator[ClientSession]:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "clipsearch", "mcp", "--catalog", str(directory)],
        env={"CLIPSEARCH_CACHE": os.environ["CLIPSEARCH_CACHE"], "PATH": "/usr/bin"},
    )
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        with anyio.fail_after(90):
            await session.initialize()
        yield session


@pytest.fixture(scope="module")
def client(directory: Path) -> Iterator[Client]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(connected(directory)) as session:
        yield Client(portal, session)


def texts(result: Any) -> list[str]:
    return [part.text for part in result.content if part.type == "text"]


def pictures(result: Any) -> list[bytes]:
    return [base64.b64decode(part.data) for part in result.content if part.type == "image"]


TOOLS = {
    *("search", "similar", "contact_sheet", "details", "text", "caption", "classify", "status", "facets", "events"),
    "saved",
}


def test_it_tells_what_it_can_do(client):
    tools = client.ask(ClientSession.list_tools).tools
    assert {tool.name for tool in tools} == TOOLS
    assert all(tool.description and tool.annotations.read_only_hint for tool in tools)


def test_a_search_answers_with_lines_and_small_pictures(client):
    found = client.call("search", query="a glazed donut", top_k=3)
    assert not found.is_error
    *lines, last = texts(found)[0].splitlines()
    assert (
        len(lines) == 3
        and last.startswith("next: ")
        and lines[0].startswith("1. id ")
        and lines[0].endswith("donut.png")
    )
    shown = pictures(found)
    assert len(shown) == 3
    for jpeg in shown:
        with Image.open(io.BytesIO(jpeg)) as image:
            assert image.format == "JPEG" and max(image.size) <= 256


def test_pictures_can_be_left_out_and_what_is_not_there_is_said(client):
    found = client.call("search", query="a nuclear submarine under the ice", thumbnails=False)
    assert pictures(found) == [] and texts(found)[0].startswith("Nothing seems to match")
    found = client.call("search", query="a nuclear submarine", min_relevance=0.99)
    assert texts(found) == ["No picture matches."]


def test_typing_errors_are_noticed_and_filters_alone_have_no_relevance(client):
    found = client.call("search", query="a zerba", top_k=1, thumbnails=False)
    assert texts(found)[0].splitlines()[-2] == "suggestion: a zebra"
    found = client.call("search", query="a zerba", min_relevance=0.99)
    assert texts(found) == ["No picture matches.\nsuggestion: a zebra"]
    found = client.call("search", query="type:png", top_k=2, thumbnails=False)
    assert len(texts(found)[0].splitlines()) == 3 and "relevance" not in texts(found)[0]


def test_words_for_a_picture_and_pictures_like_it(client):
    first = texts(client.call("search", query="a glazed donut", top_k=1, thumbnails=False))[0]
    number = int(first.split("id ")[1].split(",")[0])
    said = texts(client.call("caption", id=number))[0].splitlines()[0]
    assert said.startswith("relevance 0.") and said.endswith(" a glazed donut")
    said = texts(client.call("classify", id=number, texts=["a dog", "a donut"]))[0].splitlines()
    assert said[0].endswith(" a donut") and float(said[0].split()[0]) > 0.9
    *like, last = texts(client.call("similar", id=number, top_k=2, thumbnails=False))[0].splitlines()
    assert [line[:6] for line in like] == ["1. id ", "2. id "] and f"id {number}," not in "".join(like)
    more = texts(client.call("similar", id=number, top_k=2, thumbnails=False, after=last.removeprefix("next: ")))[0]
    assert more.startswith("3. id ")


def test_status_says_what_there_is(client, directory):
    said = texts(client.call("status"))[0]
    assert "40 pictures in 40 files, 2 captions" in said and "model: starter" in said
    assert "concepts" not in said
    with Catalog.open(directory) as catalog:
        catalog.concepts.add("rex", [1])
        catalog.concepts.add("our-house", [2])
    assert "concepts: @our-house, @rex" in texts(client.call("status"))[0]
    assert "id 1" in texts(client.call("search", query="@rex", top_k=1))[0]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("search", {"query": 'a "dog'}, "a quote that is not closed"),
        ("search", {"query": "/etc/passwd"}, "name a picture by its id"),
        ("search", {"query": "https://example.org/x.jpg"}, "name a picture by its id"),
        ("search", {"query": "x", "top_k": 0}, "top_k"),
        ("caption", {"id": 999}, "no picture with the number 999"),
        ("similar", {"id": 999}, "no picture with the number 999"),
        ("classify", {"id": 1, "texts": []}, "texts"),
    ],
)
def test_what_cannot_be_answered_is_told(client, name, arguments, words):
    found = client.call(name, **arguments)
    assert found.is_error and words in texts(found)[0]


def test_the_pictures_of_an_answer_keep_to_a_budget(directory):
    from clipsearch.mcp_server.answers import thumbnails

    with Catalog.open(directory, shared=True) as catalog:
        shown = thumbnails(catalog, catalog.search("a cat", top_k=10), max_bytes=20_000)
    sizes = [len(part.data) for part in shown if not isinstance(part, str)]
    assert 1 <= len(sizes) < 10 and sum(sizes) <= 20_000
    assert shown[-1] == "Size limit reached: the remaining pictures are omitted."


@pytest.fixture(scope="module")
def tools(directory):
    """Calls a tool in this process: its text, and whether it failed."""
    from clipsearch.mcp_server import make_server

    with Catalog.open(directory, shared=True) as catalog:
        server = make_server(catalog)

        def call(name, **arguments):
            try:
                result = anyio.run(server.call_tool, name, arguments)
            except ToolError as error:
                return str(error), True
            return str(result), bool(getattr(result, "is_error", False))

        yield call


@pytest.mark.parametrize(
    "number", [0, -1, 999, 1 << 62, 1 << 63, 1 << 64, 10**30, 1.5, "x", None, True, float("nan"), []]
)
@pytest.mark.parametrize("name", ["caption", "similar", "classify"])
def test_numbers_of_no_picture_are_told_by_every_tool(tools, directory, name, number):
    more = {"texts": ["a dog"]} if name == "classify" else {}
    text, is_error = tools(name, id=number, **more)
    assert is_error or number is True  # which counts as 1
    assert str(directory) not in text and "Traceback" not in text


@pytest.mark.parametrize(
    "arguments",
    [
        {"query": ""}, {"query": " "}, {"query": "x" * 4001}, {"query": None}, {"query": ["x"]}, {},
        {"query": "\ud800"},
        {"query": "x", "top_k": 51}, {"query": "x", "top_k": 10**30}, {"query": "x", "top_k": float("inf")},
        {"query": "x", "min_relevance": float("nan")}, {"query": "x", "min_relevance": -0.1}, {"query": "id:999"},
        {"query": "x", "thumbnails": "perhaps"}, {"query": "image:upload-0123456789abcdef"}, {"query": "taken:2024-13"},
    ],
)  # fmt: skip
def test_searches_that_make_no_sense_are_told(tools, arguments):
    text, is_error = tools("search", **arguments)
    assert is_error and "Traceback" not in text


@pytest.mark.parametrize("texts_", [[""], ["\ud800"], ["x"] * 201, None, [1], [None], [["x"]]])
def test_candidates_that_are_none_are_told(tools, texts_):
    assert tools("classify", id=1, texts=texts_)[1]


def test_a_fault_of_the_catalog_is_named_without_a_path(tools, monkeypatch, caplog, directory):
    def fail(*_, **__):
        raise StoreError(f"the catalog {directory} failed")

    monkeypatch.setattr(Catalog, "search_page", fail)
    text, is_error = tools("search", query="x")
    assert is_error and str(directory) not in text and "the catalog can't be used" in text
    assert str(directory) in caplog.text


def test_without_a_catalog_it_ends_with_one_line(tmp_path):
    import subprocess

    command = [sys.executable, "-m", "clipsearch", "mcp", "--catalog", str(tmp_path / "none")]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr.count("\n") == 1
