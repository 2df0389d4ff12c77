"""The page and the routes of the map of meaning."""

import time

import numpy as np
import pytest

from tests.web.conftest import client_of


def await_map(client):
    for _ in range(600):
        if (found := client.get("/api/map")).status_code == 200:
            return found.json()
        assert found.status_code == 404 and "not made yet" in found.json()["detail"]
        time.sleep(0.1)
    raise AssertionError("the map is not made")


def test_the_map_is_made_when_it_is_asked_for_and_sent_in_eight_bytes_a_picture(client, catalog):
    assert "POST /api/map starts it" in client.get("/api/map").json()["detail"]
    assert client.get("/api/map/positions").status_code == client.get("/api/map/years").status_code == 404
    refused = client.get("/api/search", params={"q": "map:0,0,1,1"})
    assert refused.status_code == 400 and "clipsearch map" in refused.json()["detail"]
    assert "data-wait" in client.get("/map").text
    described = await_map(client)
    made = catalog.pictures.find_map()
    count = described["pictures"]
    assert count == len(made.content_ids) == catalog.admin.status().pictures
    assert not described["outgrown"] and client.post("/api/map").json()["running"] is False

    answer = client.get("/api/map/positions", params={"v": described["version"]})
    content = answer.content
    assert len(content) == 8 * count and "immutable" in answer.headers["cache-control"]
    np.testing.assert_array_equal(np.frombuffer(content, "<u4", count), made.content_ids)
    places = np.frombuffer(content, "<u2", 2 * count, 4 * count).reshape(2, count) / 65_535
    np.testing.assert_allclose(places.T, made.positions, atol=1e-5)
    same = client.get("/api/map/positions", headers={"If-None-Match": answer.headers["etag"]})
    assert same.status_code == 304 and not same.content and "no-cache" in same.headers["cache-control"]

    own = [each for each in described["regions"] if each["first"] is not None]
    assert sum(each["pictures"] for each in own) == count
    years = client.get("/api/map/years").content
    taken = {each.content_id: each.metadata.taken_at for each in catalog.pictures.list(made.content_ids.tolist())}
    assert len(years) == count
    for number, year in zip(made.content_ids.tolist(), years, strict=True):
        assert year == 0 or year + 1899 == taken[number].year
    assert any(years)

    region = described["regions"][0]
    found = client.get("/api/search", params={"q": region["query"], "k": 100, "stacks": False}).json()["hits"]
    assert len(found) >= 0.9 * region["pictures"]
    page = client.get("/map").text
    assert page.count("/?q=map%3A") >= 1 and f">{region['name']}</bdi>" in page and "data-wait" not in page
    assert 'href="/map"' in client.get("/").text


def test_a_catalog_without_pictures_has_no_map(tmp_path):
    from clipsearch import Catalog

    with Catalog.open(tmp_path / "catalog", model="starter", create=True) as empty, client_of(empty) as client:
        page = client.get("/map")
        assert page.status_code == 200 and "There are no pictures here yet" in page.text
        assert client.get("/api/map").status_code == 404


@pytest.mark.parametrize("path", ["/api/map/positions", "/api/map/years"])
def test_other_versions_are_answered_with_the_current_one(client, path):
    client.post("/api/map")
    await_map(client)
    answer = client.get(path, params={"v": "other"})
    assert answer.status_code == 200 and "immutable" not in answer.headers["cache-control"]
