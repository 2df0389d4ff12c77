"""Queries that are taken as plain words, on the page, in the API and for assistants."""

import asyncio
import re
from html import unescape

import pytest

from clipsearch.query import parse_query, words_query
from clipsearch.query.filters import quoted
from clipsearch.web.page_query import PageQuery

# Each means something else, or nothing, in the query language.
TEXTS = [
    "an animal without cats",
    "a rocket in July 2023",
    "dog - cat",
    "type:jpeg",
    "id:1",
    "taken:99",
    "rock & roll",
    '"in quotes" and "more',
    "back\\slash",
    "@rex",
    "2:dog",
]


def ids_of(hits):
    return [hit["id"] for hit in hits]


@pytest.mark.parametrize("text", TEXTS)
def test_the_api_takes_a_query_as_words(client, text):
    found = client.get("/api/search", params={"q": text, "text": "true", "k": 5}).json()
    expected = client.get("/api/search", params={"q": quoted(text), "k": 5}).json()
    assert ids_of(found["hits"]) == ids_of(expected["hits"]) and len(found["hits"]) == 5
    assert found["phrases"] == [] and found["query"] == text


@pytest.mark.parametrize("text", TEXTS)
def test_the_page_takes_a_query_as_words(client, text):
    page = client.get("/", params={"q": text, "text": "1"})
    assert page.status_code == 200
    assert 'class="phrase"' not in page.text
    assert re.search(r'name="text" value="1" checked', page.text)
    assert unescape(re.search(r'name="q" type="search" value="([^"]*)"', page.text)[1]) == text
    # Links add to the same words, which are then in quotes.
    more = [unescape(link) for link in re.findall(r'href="(/\?[^"]*more=\d+[^"]*)"', page.text)]
    assert more and not any("text=1" in link for link in more)
    assert client.get(more[0]).status_code == 200


def test_the_address_has_the_switch_where_it_is_set():
    query = PageQuery("dog - cat", text=True)
    assert query.url() == "/?q=dog+-+cat&text=1"
    assert query.typed == words_query("dog - cat") != parse_query("dog - cat")
    assert PageQuery("dog - cat").url() == "/?q=dog+-+cat"
    assert PageQuery("", text=True).parse() == PageQuery("").parse()


def test_without_words_the_switch_means_nothing(client):
    assert client.get("/", params={"text": "1"}).text.count('class="tile') > 0
    assert client.get("/api/search", params={"q": " ", "text": "true"}).status_code == 400
    marked = client.get("/api/search", params={"q": "", "text": "true", "more": [1]})
    assert marked.status_code == 200


def test_assistants_can_take_a_query_as_words(catalog):
    pytest.importorskip("mcp", reason="mcp is not installed: pip install -e '.[mcp]'")
    from mcp import Client

    from clipsearch.mcp_server import make_server

    async def lines_of(**arguments):
        async with Client(make_server(catalog)) as client:
            answer = await client.call_tool("search", {"thumbnails": False, "top_k": 3, **arguments})
            return answer.content[0].text.splitlines()

    for text in TEXTS:
        found = asyncio.run(lines_of(query=text, text=True))
        assert found[:3] == asyncio.run(lines_of(query=quoted(text)))[:3], text
        assert not any("was taken as" in line for line in found), text


def test_a_picture_found_by_its_name_says_so_in_place_of_a_percentage(client):
    page = client.get("/", params={"q": "wooden"}).text
    (label,) = re.findall(r'aria-label="(wooden-chair[^"]*)"', page)[:1]
    assert "relevant" not in label and "written: home/wooden-chair" in label
    assert page.count('<span class="relevance" aria-hidden="true">name</span>') == 1
    assert "those whose name or keywords have your words" in page
    shown = client.get("/", params={"q": "a cat"}).text
    assert ">name</span>" not in shown and "whose name or keywords" not in shown


def test_what_is_not_written_to_its_end_gets_a_hint(client, catalog):
    catalog.saved.add("dog-days", "a dog")
    hints = {
        "a dog is:": "is: takes blurred, sharp, ",
        "beach @do": "@dog-days",
        "album:nosuch": "there is no album nosuch",
        "taken:1970": "",
        "a dog": "",
    }
    for text, hint in hints.items():
        live = client.get("/live", params={"q": text}).text
        said = unescape(re.search(r'data-hint="([^"]*)"', live)[1])
        assert said.startswith(hint) and bool(said) == bool(hint), (text, said)


def test_an_empty_page_says_what_let_nothing_pass(client, catalog):
    catalog.albums.add("dogs", [1])
    said = {
        "album:nosuch": "There is no album nosuch.",
        "album:dogz": "There is no album dogz: did you mean dogs?",
        "taken:1970": "No picture passes the filters.",
        "is:favourite": "No picture passes the filters.",
    }
    for text, sentence in said.items():
        assert f"\n{sentence}\n" in client.get("/", params={"q": text}).text, text
