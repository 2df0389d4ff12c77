"""The counts of the page's filters."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.web.conftest import client_of

_FACET = re.compile(r'name="(\w+)" value="([^"]*)" id="facet-[^>]*><bdi>([^<]*)</bdi> <small>([\d,]+)</small>')


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    place = tmp_path_factory.mktemp("facets")
    (place / "p").mkdir()
    for number, camera in enumerate(("Canon R6", "Canon R6", "Canon R6 II", "Nikon Z")):
        image = Image.new("RGB", (64, 48), (50 * number, 90, 10))
        exif = image.getexif()
        exif[0x0110] = camera
        exif[0x010F] = camera.split()[0]
        image.save(place / "p" / f"{number}.{'png' if number == 1 else 'jpg'}", exif=exif)
    with Catalog.open(place / "c", model="starter", create=True) as catalog:
        catalog.index(place / "p")
    with Catalog.open(place / "c", shared=True) as catalog, client_of(catalog) as made:
        yield made


def facets_of(client, url):
    """Return the count and URL of each facet by its name and label."""
    found = _FACET.findall(client.get(url).text)
    return {
        (name, unescape(label)): (count, f"/?{urlencode({name: unescape(value)})}")
        for name, value, label, count in found
    }


def test_each_count_is_the_number_of_pictures_behind_its_link(client):
    found = facets_of(client, "/")
    assert found["camera", "Canon R6"][0] == "3"  # in the name of the other one too
    for count, url in found.values():
        assert client.get(url).text.count('class="tile') == int(count) > 0, url


def test_a_chosen_value_narrows_the_others_and_what_has_none_is_left_out(client):
    url = facets_of(client, "/")["camera", "Canon R6 II"][1]
    found = facets_of(client, url)
    assert ("type", "JPEG") in found and ("type", "PNG") not in found
    assert not any(name == "camera" for name, _ in found)


def test_filters_of_the_words_count_too_and_are_taken_back(client):
    page = client.get("/", params={"q": "camera:nikon type:jpeg"}).text
    assert "Counted: the 1 picture that" in page
    assert re.search(r'href="/\?q=type%3Ajpeg"[^>]*aria-label="Remove the filter camera:nikon"', page)


def test_likely_matches_are_counted_for_words(client):
    assert "data-countable" in client.get("/", params={"q": "id:1"}).text
    counted = client.get("/filters", params={"q": "id:1"}).text
    assert "that are likely matches." in counted and "data-countable" not in counted
    counted = client.get("/filters", params={"q": "a submarine"}).text
    assert "Nothing is likely a match. Counted: the 4 pictures that the filters let pass." in counted


def test_a_query_with_a_mistake_has_the_facets_of_all(client):
    answer = client.get("/filters", params={"q": 'a "dog'})
    assert answer.status_code == 200 and "the 4 pictures" in answer.text
