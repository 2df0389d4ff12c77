"""What assistants are told of pictures: facts of hits, records, facets, events and contact sheets."""

import asyncio
import base64
import io
import json

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.support.trips import LINES, make_trips

pytest.importorskip("mcp", reason="mcp is not installed: pip install -e '.[mcp]'")
from mcp import Client

from clipsearch.mcp_server import make_server


@pytest.fixture
def catalog(tmp_path, colours):
    with Catalog.open(make_trips(tmp_path / "catalog", tmp_path / "photos"), shared=True) as opened:
        yield opened


@pytest.fixture
def call(catalog):
    """Calls a tool: its text, the bytes of its pictures, and whether it failed."""

    async def ask(name, arguments):
        async with Client(make_server(catalog)) as client:
            return await client.call_tool(name, arguments)

    def call(name, **arguments):
        answer = asyncio.run(ask(name, arguments))
        text = "\n".join(part.text for part in answer.content if part.type == "text")
        return text, [base64.b64decode(part.data) for part in answer.content if part.type == "image"], answer.is_error

    return call


def lines_of(call, name, **arguments):
    text, _, is_error = call(name, **arguments)
    assert not is_error, text
    return text.splitlines()


def test_a_hit_tells_date_place_size_kind_and_words(call):
    lines = lines_of(call, "search", query="red", thumbnails=False)
    (tower,) = [line for line in lines if "c-tower.jpg" in line]
    for part in (
        "id 3, relevance 0.",
        ", taken 2024-07-04 11:00:00, Munich, Bavaria, Germany (at 48.13700, 11.57500), 96 x 64 pixels, ",
        ' bytes JPEG: /',
        'c-tower.jpg, title: "The tower", rating 5',
    ):  # fmt: skip
        assert part in tower
    assert any(", screenshot: /" in line and "f-screen.jpg" in line for line in lines)


def test_next_pages_follow_the_cursor_to_the_end(call):
    for name, arguments in (
        ("search", {"query": "red", "thumbnails": False}),
        ("similar", {"id": 1, "thumbnails": False}),
        ("events", {}),
    ):
        whole = [line for line in lines_of(call, name, top_k=50, **arguments) if ": id" in line or ". id" in line]
        found, after = [], {}
        while True:
            lines = lines_of(call, name, top_k=2, **arguments, **after)
            found += [line for line in lines if ": id" in line or ". id" in line]
            if not lines[-1].startswith("next: "):
                break
            after = {"after": lines[-1].removeprefix("next: ")}
        assert found == whole


def test_details_are_all_that_is_known(call):
    found = json.loads(call("details", ids=[3, 99, 6, 3])[0])
    tower, screen = found["pictures"]
    assert found["missing"] == [99] and tower["paths"][0].endswith("c-tower.jpg")
    assert (tower["id"], tower["before"], tower["after"]) == (3, [2, 1], [4, 5])
    assert (tower["country"], tower["description"]) == ("Germany", {"title": "The tower", "rating": 5})
    assert (screen["kind"], screen["text"], screen["text_lines"]) == ("screenshot", list(LINES), 2)


def test_facets_are_of_the_filters_of_a_query(call):
    everything = json.loads(call("facets")[0])
    assert everything["pictures"] == 6 and everything["kinds"] == {"screenshot": 1}
    assert everything["places"] == {"Munich, Bavaria, Germany": 3, "Paris, Île-de-France, France": 1}
    assert (everything["first_taken"], everything["last_taken"]) == ("2024-07-04T10:00:00", "2024-07-05T09:00:00")
    assert json.loads(call("facets", query="place:paris")[0])["pictures"] == 1
    assert "words are ignored" in json.loads(call("facets", query="red")[0])["note"]


def test_events_are_lines(call):
    assert lines_of(call, "events", query="taken:2024-07-04") == [
        "2 events; 0 pictures without a date are in none",
        "2024-07-04 20:00 to 2024-07-04 20:00, Munich, Bavaria, Germany: 1 picture, id 4, taken:2024-07-04",
        "2024-07-04 10:00 to 2024-07-04 11:00, Munich, Bavaria, Germany: 3 pictures, id 3, taken:2024-07-04",
    ]


def test_a_contact_sheet_is_one_picture_of_a_query_or_of_ids(call):
    text, (sheet,), _ = call("contact_sheet", query="red", top_k=4)
    assert len(text.splitlines()) == 5 and text.splitlines()[-1].startswith("next: ")
    with Image.open(io.BytesIO(sheet)) as image:
        assert image.format == "JPEG" and image.size == (652, 692)
    text, sheets, _ = call("contact_sheet", ids=[3, 99])
    assert text == "no picture with the number 99 in the catalog" and len(sheets) == 1
    assert call("contact_sheet", query="type:png")[:2] == ("No picture matches.", [])


def test_calls_that_make_no_sense_are_told(call):
    for name, arguments, words in (
        ("details", {"ids": []}, "ids"),
        ("details", {"ids": list(range(1, 22))}, "ids"),
        ("details", {"ids": [0]}, "ids"),
        ("details", {"ids": [float("nan")]}, "ids"),
        ("contact_sheet", {}, "a query or ids"),
        ("contact_sheet", {"query": "red", "ids": [1]}, "a query or ids"),
        ("contact_sheet", {"ids": [98, 99]}, "no picture with the number 98"),
        ("contact_sheet", {"ids": [1] * 49}, "ids"),
        ("contact_sheet", {"query": "/etc/passwd"}, "name a picture by its id"),
        ("events", {"query": "/etc/passwd"}, "name a picture by its id"),
        ("events", {"query": "x" * 4001}, "query"),
        ("events", {"top_k": 201}, "top_k"),
        ("events", {"after": "nonsense"}, "invalid page cursor"),
        ("search", {"query": "red", "after": "WzEsMl0"}, "another search"),
        ("similar", {"id": 1, "after": "nonsense"}, "invalid page cursor"),
        ("text", {"id": 6, "after": "é"}, "invalid page cursor"),
        ("facets", {"query": "taken:2024-13"}, "taken"),
    ):
        text, shown, is_error = call(name, **arguments)
        assert is_error and words in text and not shown and "Traceback" not in text, (name, arguments)
