"""Concepts over HTTP: by content ids, and only where the server may be changed."""

import pytest

from tests.web.conftest import client_of
from tests.web.test_api import problem_of, search


@pytest.fixture
def ids(catalog):
    return [hit.content_id for hit in catalog.search("an animal", top_k=4)]


def test_a_concept_is_taught_searched_for_and_removed(client, catalog, ids):
    answer = client.post("/api/concepts", json={"name": "Rex", "positives": ids[:2], "words": "a cat"})
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made == {"name": "rex", "words": "a cat", "positives": ids[:2], "negatives": []}
    assert client.get("/api/concepts").json() == [made] and client.get("/api/concepts/REX").json() == made
    hits = search(client, "@rex", k=3)["hits"]
    assert {hit["id"] for hit in hits} & set(ids[:2])
    assert [hit["id"] for hit in hits] == [hit.content_id for hit in catalog.search("@rex", top_k=3)]
    more = client.post("/api/concepts", json={"name": "rex", "negatives": [ids[3]]}).json()
    assert more == made | {"negatives": [ids[3]]}
    fewer = client.delete(f"/api/concepts/rex/examples/{ids[1]}").json()
    assert fewer == more | {"positives": ids[:1]}
    answer = client.delete("/api/concepts/rex")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get("/api/concepts").json() == []


def test_a_concept_is_located_in_a_picture(client, ids):
    client.post("/api/concepts", json={"name": "rex", "positives": ids[:2]})
    page = client.get(f"/pictures/{ids[0]}", params={"q": "@rex + a cat"}).text
    for words in ("%40rex", "a+cat"):
        assert f"/api/items/{ids[0]}/heatmap?words={words}" in page
    answer = client.get(f"/api/items/{ids[0]}/heatmap", params={"words": "@rex"})
    assert answer.headers["content-type"] == "image/png"
    assert answer.content != client.get(f"/api/items/{ids[0]}/heatmap", params={"words": "a cat"}).content
    problem_of(client.get(f"/api/items/{ids[0]}/heatmap", params={"words": "@nobody"}), 404)


def test_what_is_not_there(client):
    assert "no concept @rex" in problem_of(client.get("/api/concepts/rex"), 404)["detail"]
    for method, path in (("delete", "/api/concepts/rex"), ("delete", "/api/concepts/rex/examples/1")):
        assert problem_of(getattr(client, method)(path), 404)["type"] == "urn:clipsearch:unknown-concept"
    assert "@rex" in problem_of(client.get("/api/search", params={"q": "@rex"}), 404)["detail"]
    problem_of(client.post("/api/concepts", json={"name": "rex", "positives": [99999]}), 404)
    problem_of(client.post("/api/concepts", json={"name": "a b", "positives": [1]}), 400)
    problem_of(client.post("/api/concepts", json={"name": "rex"}), 400)


def test_no_path_is_taken(client, ids):
    for positives in (["/etc/passwd"], ["id:1"], ["1"], [True], [0], [-1], [1.5], [1 << 70]):
        problem_of(client.post("/api/concepts", json={"name": "rex", "positives": positives}), 422)


def test_a_misspelt_member_is_refused(client, ids):
    said = problem_of(client.post("/api/concepts", json={"name": "rex", "positives": ids, "negative": [1]}), 422)
    assert "negative" in said["detail"]
    assert client.get("/api/concepts").json() == []


@pytest.mark.parametrize("body", [b"nope", b"{", b'{"name": "rex",}', b"\xff"])
def test_a_body_that_is_not_json_is_refused(client, body):
    answer = client.post("/api/concepts", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert "JSON" in answer.json()["detail"] or "parsing the body" in answer.json()["detail"]


def test_a_server_that_may_not_be_changed_answers_and_learns_nothing(catalog, ids):
    catalog.concepts.add("rex", ids[:2])
    with client_of(catalog, may_index=False) as client:
        assert search(client, "@rex")["hits"] and client.get("/api/concepts/rex").json()["positives"] == ids[:2]
        for method, path in (("delete", "/api/concepts/rex"), ("delete", f"/api/concepts/rex/examples/{ids[0]}")):
            assert "--index" in problem_of(getattr(client, method)(path), 403)["detail"]
        problem_of(client.post("/api/concepts", json={"name": "x", "positives": ids}), 403)
    assert [concept.name for concept in catalog.concepts.list()] == ["rex"]
