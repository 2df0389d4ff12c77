"""Albums and saved searches over HTTP: pages of ids, and changes only where the server may be changed."""

import html
import re

import pytest

from tests.web.conftest import client_of
from tests.web.test_api import problem_of, search


@pytest.fixture
def ids(catalog):
    return sorted(hit.content_id for hit in catalog.search("an animal", top_k=4))


@pytest.fixture(autouse=True)
def _clean(catalog):
    yield
    for album in catalog.albums.list():
        catalog.albums.delete(album.name)
    for saved in catalog.saved.list():
        catalog.saved.remove(saved.name)


def test_an_album_is_filled_searched_and_deleted(client, ids):
    answer = client.post("/api/albums/2023/Italy & more", json={"add": ids})
    assert answer.status_code == 200, answer.text
    assert answer.json()["name"] == "2023/Italy & more" and answer.json()["count"] == 4
    changed = client.post("/api/albums/2023%2FITALY%20%26%20more", json={"remove": ids[1:2]}).json()
    assert changed == client.get("/api/albums").json()[0] and changed["count"] == 3
    assert {hit["id"] for hit in search(client, "album:italy", k=9)["hits"]} == {*ids} - {ids[1]}
    assert client.get("/api/facets", params={"q": "type:jpeg album:italy"}).json()["albums"]["2023/Italy & more"] <= 3
    assert client.get("/api/facets").json()["albums"] == {"2023/Italy & more": 3}
    (record,) = client.get("/api/items", params={"id": ids[0]}).json()["pictures"]
    assert record["albums"] == ["2023/Italy & more"]
    assert client.delete("/api/albums/2023/italy & more").status_code == 204
    assert client.get("/api/albums").json() == []


def test_an_album_has_pages(client, ids):
    client.post("/api/albums/a", json={"add": ids})
    first = client.get("/api/albums/A", params={"k": 3}).json()
    assert first["pictures"] == ids[:3] and first["count"] == 4
    second = client.get("/api/albums/A", params={"k": 3, "after": first["next"]}).json()
    assert second["pictures"] == ids[3:] and second["next"] is None
    client.post("/api/albums/b", json={"add": ids})
    problem_of(client.get("/api/albums/b", params={"after": first["next"]}), 400)


def test_a_change_with_an_unknown_picture_changes_nothing(client):
    problem_of(client.post("/api/albums/a", json={"add": [1], "remove": [10**9]}), 404)
    assert client.get("/api/albums").json() == []
    assert client.post("/api/albums/a", json={"add": [1, 2], "remove": [2]}).json()["count"] == 1


def test_a_search_is_saved_used_and_removed(client):
    saved = client.put("/api/saved/Webp", json={"query": "an animal type:webp"}).json()
    assert (saved["name"], saved["query"]) == ("webp", "an animal type:webp")
    assert client.get("/api/saved").json() == [saved]
    assert search(client, "@webp", k=3)["hits"] == search(client, "an animal type:webp", k=3)["hits"]
    problem_of(client.put("/api/saved/WEBP", json={"query": "a cat"}), 409)
    assert client.put("/api/saved/webp", json={"query": "a cat", "replace": True}).json()["query"] == "a cat"
    assert client.delete("/api/saved/webp").status_code == 204
    problem_of(client.delete("/api/saved/webp"), 404)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("albums/a", {"add": [10**9]}),
        ("albums/*", {"add": [1]}),
        ("albums/a", {"remove": [1]}),
        ("albums/a", {}),
    ],
)
def test_what_can_not_be_done(client, path, body):
    assert client.post(f"/api/{path}", json=body).status_code in (400, 404)
    assert client.get("/api/albums").json() == []


@pytest.mark.parametrize("body", [{"add": ["1"]}, {"add": [0]}, {"add": [1] * 10_001}, {"files": ["/etc/passwd"]}])
def test_requests_that_are_not_valid(client, body):
    problem_of(client.post("/api/albums/a", json=body), 422)


@pytest.mark.parametrize("query", ["./cat.jpg", "image:/etc/passwd", "https://example.org/a.png"])
def test_files_and_urls_can_not_be_saved(client, query):
    assert "by their numbers" in problem_of(client.put("/api/saved/x", json={"query": query}), 400)["detail"]
    assert client.get("/api/saved").json() == []


def test_where_the_server_may_not_be_changed(catalog, ids):
    catalog.albums.add("a", ids)
    with client_of(catalog, may_index=False) as client:
        problem_of(client.post("/api/albums/a", json={"add": ids}), 403)
        problem_of(client.delete("/api/albums/a"), 403)
        problem_of(client.put("/api/saved/x", json={"query": "a cat"}), 403)
        assert client.get("/api/albums").json()[0]["count"] == 4


def test_the_page_has_tabs_of_what_was_saved(client, catalog, ids):
    assert 'class="tabs"' not in client.get("/").text
    catalog.albums.add('Zoo "2024"', ids)
    catalog.albums.add("favorites", ids[:1])
    catalog.saved.add("webp", "an animal type:webp")
    page = client.get("/", params={"q": "is:favourite"}).text
    shown = page.split('class="tabs"')[1].split("</nav>")[0]
    tabs = re.findall(r'<a href="([^"]*)"[^>]*?( aria-current="page")?><bdi>([^<]*)</bdi>', shown)
    assert [(label, bool(current)) for _, current, label in tabs] == [
        ("All pictures", False), ("★ Favourites", True), ("@webp", False), ("Zoo &#34;2024&#34;", False),
    ]  # fmt: skip
    assert page.count('class="tile') == 1 and "a favourite" in page
    for url, _, label in tabs[1:]:
        shown = client.get(html.unescape(url)).text
        assert f'aria-current="page"><bdi>{label}</bdi>' in shown and "data-save=" not in shown
    assert f'data-favourite="{ids[0]}" aria-pressed="true"' in client.get(f"/pictures/{ids[0]}").text


@pytest.mark.parametrize(
    ("params", "saved"),
    [
        ({"q": "an animal in 2024"}, "an animal in 2024"),  # as it was written
        ({"q": "a cat", "type": "webp", "tag": "x"}, "a cat type:webp tag:x"),
        ({"q": "rock - n", "text": "1"}, '"rock - n"'),
        ({"type": "webp"}, "type:webp"),
        ({}, None),
        ({"q": "a cat -"}, None),
        ({"q": "type:nonsense"}, None),
    ],
)
def test_what_the_page_offers_to_save(client, params, saved):
    page = client.get("/", params=params).text
    found = re.search(r'data-save="([^"]*)"', page)
    assert (None if found is None else html.unescape(found[1])) == saved
    if saved is not None:
        assert client.put("/api/saved/x", json={"query": saved}).status_code == 200


def test_keywords_are_added_beside_the_files(client, ids):
    problem_of(client.post("/api/keywords", json={"ids": [10**9], "keywords": ["x"]}), 404)
    problem_of(client.post("/api/keywords", json={"ids": ids, "keywords": []}), 422)
    problem_of(client.post("/api/keywords", json={"ids": ids, "keywords": [" "]}), 400)
