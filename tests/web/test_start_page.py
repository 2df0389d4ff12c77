"""The page before anything is searched for."""

import re
from html import unescape

from clipsearch import Catalog
from tests.web.conftest import SAMPLES, client_of


def test_it_begins_with_what_the_catalog_has(client, catalog):
    assert 'hx-get="/start"' in client.get("/").text  # it is made meanwhile
    start = client.get("/start").text
    folders = dict(re.findall(r'title="[^"]*/(\w+)"><bdi>\1</bdi> <small>(\d+)</small>', start))
    assert folders and set(folders) <= {each.name for each in SAMPLES.iterdir() if each.is_dir()}
    assert start.count('title="') > 12 and "/?sort=added" in start
    links = [unescape(url) for url in re.findall(r'<a href="([^"]*)"', start)]
    queries = [url for url in links if url.startswith("/?q=")]
    assert len(queries) == 3
    for url in queries + [url for url in links if url.startswith("/?folder=")]:
        assert 'class="tile' in client.get(url).text
    number = folders["animals"]
    (url,) = [url for url in links if url.endswith("animals")]
    assert client.get(url).text.count('class="tile') == int(number) == catalog.pictures.facets("path:animals/").pictures
    assert '<section id="start"' in client.get("/").text
    assert 'id="start"' not in client.get("/", params={"q": "a dog"}).text


def test_an_empty_catalog_says_how_to_fill_it(tmp_path):
    with Catalog.open(tmp_path / "c", model="starter", create=True) as catalog:
        for may_index in (True, False):
            with client_of(catalog, may_index=may_index) as client:
                page = client.get("/").text
                assert "clipsearch index FOLDER" in page and "clipsearch watch" in page and 'id="start"' not in page
                assert ("button above" in page) == may_index


def test_an_empty_catalog_says_on_all_pages_how_pictures_are_added(tmp_path, colours):
    with (
        Catalog.open(tmp_path / "empty", model="colours", create=True, shared=True) as empty,
        client_of(empty) as client,
    ):
        for path, where in (
            ("/", "with the button above"),
            ("/duplicates", "on the first page"),
            ("/map", "on the first"),
        ):
            page = client.get(path)
            assert page.status_code == 200 and "There are no pictures here yet. Add a folder" in page.text
            assert where in page.text and "leaves this machine. Or in a terminal: <code>" in page.text


def test_an_unknown_page_leads_a_browser_home(client):
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path, message in (
        ("/nosuch<b>", "There is no page /nosuch&lt;b&gt;."),
        ("/pictures/99999", "The catalog has no"),
    ):
        page = client.get(path, headers=browser)
        assert page.status_code == 404 and message in page.text and '<a href="/">' in page.text
    for path, headers in ("/nosuch", {}), ("/api/nosuch", browser), ("/api/items/99999", browser):
        assert client.get(path, headers=headers).headers["content-type"] == "application/problem+json"
