"""Parts on the page and in the API: which one matches, its picture, and the strip of all of them."""

import io
import json

import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.errors import ImageReadError
from clipsearch.parts import Part

FRAGMENT = "xywh=percent:0,0,12.5,100"


@pytest.fixture
def catalog(tmp_path, colours):
    photos = tmp_path / "photos"
    photos.mkdir()
    image = Image.new("RGB", (1600, 200), "blue")
    image.paste("red", (0, 0, 200, 200))
    image.save(photos / "long.png")
    Image.new("RGB", (64, 48), "lime").save(photos / "green.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(photos)
        yield catalog


def size_of(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as image:
        return image.size


def test_hits_name_their_part(client):
    found = client.get("/api/search", params={"q": "red"}).json()["hits"]
    parts = {hit["name"]: hit["part"] for hit in found}
    assert parts["green.png"] is None
    assert parts["long.png"]["kind"] == "crop"
    assert parts["long.png"]["fragment"] == FRAGMENT
    assert parts["long.png"]["box"] == [0.0, 0.0, 0.125, 1.0]


def test_a_thumbnail_of_a_part(client, catalog):
    (hit,) = [hit for hit in catalog.search("red") if hit.part is not None]
    for path, size in (("", (512, 64)), (f"?part={FRAGMENT}", (200, 200))):
        for _ in range(2):  # the second from the cache
            answer = client.get(f"/api/thumbnail/{hit.content_id}{path}")
            assert answer.status_code == 200
            assert size_of(answer.content) == size
    tags = {client.get(f"/api/thumbnail/{hit.content_id}{path}").headers["etag"] for path in ("", f"?part={FRAGMENT}")}
    assert len(tags) == 2


@pytest.mark.parametrize("part", ["t=1", "page=1", "xywh=percent:0,0,13,100", "../..", "\0", "x" * 64])
def test_a_part_that_is_none_is_not_found(client, catalog, part):
    (hit,) = [hit for hit in catalog.search("red") if hit.part is not None]
    answer = client.get(f"/api/thumbnail/{hit.content_id}", params={"part": part})
    assert answer.status_code == 404
    assert "no part" in answer.json()["detail"]


def test_a_whole_picture_has_no_scene(catalog):
    (hit,) = catalog.search("path:green")
    with pytest.raises(ImageReadError, match="it has no scenes"):
        catalog.pictures.thumbnail(hit.content_id, part=Part("scene", start_s=1.0, end_s=2.0))


def test_the_page_shows_the_part(client, catalog):
    page = client.get("/", params={"q": "red"}).text
    assert "<bdi>long.png</bdi><span>&nbsp;· detail</span>" in page
    assert "part=xywh%3Dpercent" in page
    (hit,) = [hit for hit in catalog.search("red") if hit.part is not None]
    picture = client.get(f"/pictures/{hit.content_id}", params={"q": "red"}).text
    assert '<rect x="0.0" y="0.0" width="12.5" height="100.0"/>' in picture
    assert 'class="parts"' not in picture  # crops overlap: no strip
    assert "<rect" not in client.get(f"/pictures/{hit.content_id}").text
    assert "<rect" in client.get(f"/pictures/{hit.content_id}", params={"part": FRAGMENT}).text


def test_the_heat_map_of_a_crop_is_drawn_at_its_place(client, catalog):
    (hit,) = [hit for hit in catalog.search("red") if hit.part is not None]
    url = f"/api/items/{hit.content_id}/heatmap"
    assert client.get(url, params={"words": "red", "part": "t=3"}).status_code == 404
    answer = client.get(url, params={"words": "red", "part": FRAGMENT})
    across, down = (float(share) for share in answer.headers["x-heat-peak"].split(","))
    assert 0 < across < 0.125
    assert 0 < down < 1
    with Image.open(io.BytesIO(answer.content)) as image:
        alpha = image.getchannel("A")
        assert alpha.width == 8 * alpha.height
        assert alpha.getbbox() == (0, 0, alpha.height, alpha.height)
    whole = client.get(url, params={"words": "red"})
    with Image.open(io.BytesIO(whole.content)) as image:
        assert image.getchannel("A").getbbox() == (0, 0, *image.size)


def test_the_parts_of_a_picture_in_the_api(client, catalog):
    (hit,) = [hit for hit in catalog.search("red") if hit.part is not None]
    parts = client.get(f"/api/items/{hit.content_id}/parts").json()
    assert [part["fragment"] for part in parts] == [part.fragment for part in catalog.pictures.parts(hit.content_id)]
    assert parts[0] == {
        **{"kind": "crop", "fragment": FRAGMENT, "box": [0.0, 0.0, 0.125, 1.0]},
        **dict.fromkeys(("page", "start_s", "end_s")),
    }
    assert client.get("/api/items/999/parts").status_code == 404


def test_matching_one_picture_takes_its_best_part(catalog):
    (hit,) = [hit for hit in catalog.search("red") if hit.part is not None]
    matched = catalog.match("red", hit.content_id)
    assert (matched.part, matched.score) == (hit.part, pytest.approx(hit.score, abs=1e-5))
    assert matched.terms[0].score == pytest.approx(hit.score, abs=1e-5)
    assert json.dumps(matched.part.to_json()) == json.dumps(hit.part.to_json())


def test_a_part_is_looked_for_like_a_picture(catalog):
    (hit,) = [hit for hit in catalog.search("red") if hit.part is not None]
    assert catalog.classify(hit, ["red", "blue"])[0].text == "red"
    assert catalog.classify(catalog.pictures.embedding(hit.content_id), ["red", "blue"])[0].text == "blue"


def test_parts_of_a_picture_in_their_order(catalog):
    (hit,) = [hit for hit in catalog.search("red") if hit.part is not None]
    parts = catalog.pictures.parts(hit.content_id)
    assert [part.box[0] for part in parts] == sorted(part.box[0] for part in parts)
    assert parts[0] == hit.part
    assert hit.thumbnail().size == (200, 200)


def test_filters_find_parts_too(catalog):
    assert [hit.part is None for hit in catalog.search("red path:long")] == [False]
