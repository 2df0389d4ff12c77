"""Stacks on the page, in the API, for assistants and on the command line."""

import re

import pytest

from clipsearch import Catalog
from tests.support.stacks import paint, paint_bursts


@pytest.fixture
def catalog(tmp_path, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(paint_bursts(tmp_path / "photos"))
        yield catalog


def test_the_api_shows_stacks_unless_told_otherwise(client):
    hits = client.get("/api/search", params={"q": "red", "k": 100}).json()["hits"]
    assert sorted(len(hit["stack"]) for hit in hits) == [0, 0, 2, 3]
    hits = client.get("/api/search", params={"q": "red", "k": 100, "stacks": "false"}).json()["hits"]
    assert len(hits) == 9 and not any(hit["stack"] for hit in hits)


def test_the_page_has_a_badge_that_fetches_the_others(client, catalog):
    stack = next(hit for hit in catalog.search("red", top_k=100) if len(hit.stack) == 3)
    page = client.get("/", params={"q": "red"}).text
    assert page.count('class="tile') == 4 and page.count('class="stack"') == 2
    (url,) = re.findall(rf'hx-get="(/pictures/{stack.content_id}/stack[^"]*)"', page)
    assert 'aria-expanded="false"' in page and 'aria-label="3 more of' in page
    tiles = client.get(url.replace("&amp;", "&")).text
    assert [int(each) for each in re.findall(r'data-id="(\d+)"', tiles)] == list(stack.stack)
    assert tiles.count(f'data-stack-of="{stack.content_id}"') == 3 and 'class="stack"' not in tiles


def test_the_others_pass_the_filters_too(client, catalog):
    stack = next(hit for hit in catalog.search("red", top_k=100) if len(hit.stack) == 3)
    tiles = client.get(f"/pictures/{stack.content_id}/stack", params={"q": "red path:red-3.jpg"}).text
    assert "red-3.jpg" in tiles and tiles.count("data-stack-of") == 1
    assert client.get(f"/pictures/{stack.content_id}/stack", params={"q": "taken:never"}).text.count("data-") == 0
    assert client.get("/pictures/99999/stack").text.count("data-") == 0


def test_a_long_burst_opens_in_pieces(client, catalog, tmp_path):
    folder = paint_bursts(tmp_path / "photos")
    for number in range(40):
        paint(folder / f"blue-{number:02}.jpg", "blue", 30_000 + number, spots=2 + number % 2)
    catalog.index(folder)
    stack = max(catalog.search("blue", top_k=100), key=lambda hit: len(hit.stack))
    others = list(stack.stack)
    url, seen = f"/pictures/{stack.content_id}/stack?q=blue", list[int]()
    while url:
        tiles = client.get(url).text
        seen += map(int, re.findall(r'data-id="(\d+)"', tiles))
        url = "".join(re.findall(r'hx-get="(/pictures/\d+/stack[^"]*)" hx-trigger="click"', tiles)).replace(
            "&amp;", "&"
        )
        if len(seen) == 24:
            assert f">{len(others) - 24} more of this moment<" in tiles
    assert seen == others and len(others) > 24
