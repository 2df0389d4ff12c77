"""What is written about pictures, on the page, in the API, on the command line and in Python."""

import json
import re

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.support.command_line import run
from tests.support.xmp import array, languages, packet
from tests.web.conftest import client_of

HARBOUR = packet(
    array("dc:subject", ["Places|France", "boat", "b&amp;w &lt;1900&gt;"])
    + languages("dc:title", x_default="Old harbour")
    + languages("dc:description", x_default="Boats in the\nold harbour")
    + array("dc:creator", ["Anna Lee"], "Seq")
    + array("Iptc4xmpExt:PersonInImage", ["Bob &quot;B&quot; Ray"]),
    'xmp:Rating="4" xmp:Label="Red"',
)
BEACH = packet(
    array("dc:subject", ["beach"]),
    'xmp:Rating="2" exif:GPSLatitude="48,8.244N" exif:GPSLongitude="11,34.53E" '
    'exif:DateTimeOriginal="2019-07-04T12:30:00"',
)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red", "green", "blue"):
        Image.new("RGB", (40, 30), name).save(folder / f"{name}.png")
    (folder / "red.png.xmp").write_bytes(HARBOUR)
    (folder / "green.xmp").write_bytes(BEACH)
    return folder


@pytest.fixture
def catalog(tmp_path, colours, photos):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        assert catalog.index(photos).sidecars == 2
        yield catalog


def id_of(catalog, query):
    (hit,) = catalog.search(query)
    return hit.content_id


def test_filters_find_what_is_written(catalog):
    for query in ("tag:boat", "person:ray", "label:red", "rating:>3", "title:harb", "creator:anna", "has:caption"):
        assert [hit.path[-7:] for hit in catalog.search(query)] == ["red.png"], query
    for query in ("place:munich", "country:de", "near:munich", "taken:2019-07", "rating:2", "has:gps"):
        assert [hit.path[-9:] for hit in catalog.search(query)] == ["green.png"], query
    assert len(catalog.search("-has:tags")) == 1
    facets = catalog.pictures.facets()
    assert facets.written.tags == {"Places/France": 1, "b&w <1900>": 1, "beach": 1, "boat": 1}
    assert facets.written.places == {"Munich, Bavaria, Germany": 1}


def test_the_page_of_a_picture_shows_it_and_links_to_others(client, catalog):
    page = client.get(f"/pictures/{id_of(catalog, 'tag:boat')}").text
    for text in ("Old harbour", "Boats in the\nold harbour", "★★★★☆", "Anna Lee", "b&amp;w &lt;1900&gt;"):
        assert text in page
    assert "<1900>" not in page
    links = [link.replace("&amp;", "&") for link in re.findall(r'class="name" href="([^"]+)"', page)]
    assert len(links) == 4
    for link in links:
        assert client.get(link).text.count('class="tile') == 1, link
    page = client.get(f"/pictures/{id_of(catalog, 'tag:beach')}").text
    assert "Munich, Bavaria, Germany" in page and "48.1374, 11.5755" in page
    plain = client.get(f"/pictures/{id_of(catalog, '-has:tags')}").text
    assert not any(f"<dt>{name}</dt>" in plain for name in ("Title", "Rating", "Tags", "People", "Place", "Creator"))


def test_the_filters_of_the_page(client):
    page = client.get("/").text
    assert '<option value="Munich, Bavaria, Germany">' in page and '<option value="boat">' in page
    assert 'name="rating"' in page
    for fields in ({"tag": "boat"}, {"rating": "4"}, {"person": "Bob"}, {"q": "red", "tag": "Places/France"}):
        found = client.get("/", params=fields).text
        assert found.count('class="tile') == 1 and "red.png" in found, fields
    found = client.get("/", params={"place": "Munich, Bavaria, Germany"}).text
    assert found.count('class="tile') == 1 and "green.png" in found
    assert client.get("/", params={"rating": "9"}).status_code == 400


def test_fields_that_no_picture_has_are_not_offered(tmp_path, colours):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "photos" / "red.png")
    with Catalog.open(tmp_path / "plain", model="colours", create=True) as catalog:
        catalog.index(tmp_path / "photos")
        with client_of(catalog) as client:
            page = client.get("/").text
            assert not any(f'name="{name}"' in page for name in ("tag", "person", "place", "rating"))


def test_the_api(client, catalog):
    item = client.get(f"/api/items/{id_of(catalog, 'tag:boat')}").json()
    assert item["place"] is None
    assert item["description"] == {
        "title": "Old harbour",
        "caption": "Boats in the\nold harbour",
        "keywords": ["Places/France", "boat", "b&w <1900>"],
        "people": ['Bob "B" Ray'],
        "rating": 4,
        "label": "red",
        "creator": "Anna Lee",
        **dict.fromkeys(("copyright", "location", "city", "region", "country")),
    }
    facets = client.get("/api/facets", params={"q": "rating:>=2"}).json()
    assert facets["ratings"] == {"2": 1, "4": 1}
    assert facets["people"] == {'Bob "B" Ray': 1}
    assert facets["places"] == {"Munich, Bavaria, Germany": 1}


def test_the_command_line(catalog, photos, tmp_path, colours):
    catalog.close()
    found = run("query", "--catalog", tmp_path / "catalog", "--json", "tag:beach")
    (hit,) = json.loads(found.stdout)["hits"]
    assert (hit["place"], hit["taken_at"]) == ("Munich, Bavaria, Germany", "2019-07-04T12:30:00")
    assert hit["description"] == {"keywords": ["beach"], "rating": 2}
    (photos / "red.png.xmp").write_bytes(HARBOUR.replace(b'Rating="4"', b'Rating="5" '))
    said = run("index", "--catalog", tmp_path / "catalog", "--model", "colours").stdout
    assert "read 1 new or changed sidecar\n" in said
