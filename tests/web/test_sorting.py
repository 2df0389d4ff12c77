"""The order of hits on the page, in the API and for assistants: headings of months, years, and this day."""

import asyncio
import re
from datetime import datetime

import pytest

from clipsearch import Catalog
from clipsearch.web.months import headings_of, name_month
from tests.search.test_sorting import ADDED, NAMED, TAKEN, TAKEN_REVERSED, catalog, photograph, photos
from tests.support.command_line import fail, run
from tests.web.conftest import client_of

__all__ = ["catalog", "photos"]


def file_names(names):
    return [name.rpartition("/")[2] for name in names]


def parts_of(page):
    """The headings of months and the names of pictures, in their order."""
    return [heading or name for heading, name in re.findall(r'<h2>([^<]*)</h2>|class="name">([^<]*)<', page)]


ALL = {
    "": TAKEN,
    "sort=taken&reverse=1": TAKEN_REVERSED,
    "sort=added": ADDED,
    "sort=name": NAMED,
    "sort=name&reverse=true": NAMED[::-1],
}


@pytest.mark.parametrize("order", ALL)
def test_the_api_sorts(client, order):
    url = f"/api/search?q=type:jpeg&k=3&{order}"
    found = client.get(url).json()
    hits = found["hits"]
    while found["next"]:
        found = client.get(f"{url}&after={found['next']}").json()
        hits += found["hits"]
    assert [hit["name"] for hit in hits] == file_names(ALL[order])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], TAKEN),
        (["--sort", "added"], ADDED),
        (["--sort", "name", "--reverse"], NAMED[::-1]),
        (["--sort", "taken", "--reverse"], TAKEN_REVERSED),
    ],
)
def test_the_command_line_sorts(catalog, photos, options, expected):
    catalog.close()
    found = run("query", "type:jpeg", *options, "--paths", "--catalog", photos.parent / "catalog")
    assert [line.removeprefix(f"{photos}/") for line in found.stdout.splitlines()] == expected
    assert "--sort" in fail("query", "x", "--sort", "size", "--catalog", photos.parent / "catalog", code=2)


def test_orders_that_are_none_are_refused(client):
    assert client.get("/api/search?q=red&sort=size").status_code == 422
    assert client.get("/?sort=size").status_code == 422


def test_the_page_is_headed_by_months(client):
    assert parts_of(client.get("/").text) == [
        *("May 2024", "last.jpg", "July 2023", "img9.jpg", "img10.jpg", "June 2023", "other.jpg"),
        *("March 2021", "IMG9.jpg", "Doubtful date", "reset.jpg", "No date", "undated.jpg"),
    ]
    page = client.get("/?q=type:jpeg&sort=taken&reverse=1").text
    assert parts_of(page)[:4] == ["March 2021", "IMG9.jpg", "June 2023", "other.jpg"]
    assert "the oldest first" in page
    assert parts_of(client.get("/?sort=name").text) == file_names(NAMED)
    assert "<h2>July 2023</h2>" not in client.get("/?q=red").text
    assert "<h2>July 2023</h2>" in client.get("/?q=red&sort=taken").text


def test_a_month_that_goes_on_has_no_second_heading(client, photos, catalog):
    for day in range(1, 29):
        for hour in (8, 20):
            photograph(photos / f"{day}-{hour}.jpg", "red", f"2022:02:{day:02} {hour}:{day:02}:00")
    catalog.index(photos)
    page = client.get("/").text
    assert parts_of(page)[-2:] == ["3-8.jpg", "2-20.jpg"] or page.count('class="tile') == 40
    (url,) = re.findall(r'hx-get="(/results[^"]*)"', page)
    following = client.get(url.replace("&amp;", "&")).text
    assert parts_of(page).count("February 2022") == 1
    assert parts_of(following)[0].endswith(".jpg") and "February 2022" not in following
    assert [each for each in parts_of(following) if " " in each] == ["March 2021", "Doubtful date", "No date"]


def test_the_menu_keeps_the_query_and_the_query_keeps_the_order(client):
    page = client.get("/?q=red&sort=name&reverse=1&camera=Cam").text
    form = page[page.index("<form") : page.index("</form>")]
    assert 'name="sort"' in form and 'name="q"' in form and 'name="camera"' in form
    assert re.search(r'<option value="name" selected>', form)
    assert re.search(r'name="reverse" value="1" checked', form)
    page = client.get("/?q=red&sort=name&reverse=1").text
    marks = re.findall(r'href="(/\?[^"]*more=[^"]*)"', page)
    assert marks and all("sort=name" in mark and "reverse=1" in mark for mark in marks)


def test_years_lead_to_their_pictures(client):
    page = client.get("/").text
    years = {year: url for url, year in re.findall(r'<a href="([^"]*)">(\d{4})</a>', page)}
    assert list(years) == ["2024", "2023", "2021"]
    from_2023 = client.get(years["2023"].replace("&amp;", "&")).text
    assert parts_of(from_2023)[:2] == ["July 2023", "img9.jpg"]
    assert re.findall(r'<a href="[^"]*">(\d{4})</a>', from_2023) == list(years), "the others stay within reach"
    page = client.get("/?sort=taken&reverse=1").text
    years = {year: url for url, year in re.findall(r'<a href="([^"]*)">(\d{4})</a>', page)}
    assert list(years) == ["2021", "2023", "2024"]
    assert parts_of(client.get(years["2023"].replace("&amp;", "&")).text)[0] == "June 2023"
    assert 'class="years"' not in client.get("/?sort=name").text
    assert 'class="years"' not in client.get("/?q=red&sort=taken").text


def test_on_this_day(client, catalog, photos):
    assert "On this day" not in client.get("/").text
    assert client.get("/api/on-this-day").json()["years"] == {}
    today = datetime.now()
    if (today.month, today.day) == (2, 29):
        pytest.skip("there is none in most years")
    for year in (2018, 2019):
        photograph(photos / f"{year}.jpg", "blue", f"{year}:{today:%m:%d} 12:00:00")
    catalog.index(photos)
    page = client.get("/").text
    (url,) = re.findall(r'class="this-day"><a href="([^"]*)"', page)
    assert "On this day</a>: 2 pictures from 2 years" in page
    found = client.get("/api/on-this-day").json()
    assert found["years"] == {"2018": 1, "2019": 1}
    assert [hit["name"] for hit in client.get("/api/search", params={"q": found["query"]}).json()["hits"]] == [
        *("2019.jpg", "2018.jpg"),
    ]
    shown = client.get(url.replace("&amp;", "&")).text
    assert parts_of(shown)[1::2] == ["2019.jpg", "2018.jpg"]
    assert 'class="this-day"' not in shown, "only the start page has the link"


def test_the_page_of_an_empty_catalog(tmp_path, colours):
    with Catalog.open(tmp_path / "empty", model="colours", create=True) as empty, client_of(empty) as client:
        assert client.get("/?sort=taken").status_code == 200
        assert client.get("/").status_code == 200


def test_names_of_months():
    assert name_month("2023-07") == "July 2023"
    assert name_month("0001-12") == "December 1"
    assert headings_of(["2023-07", "2023-07", "", ""], "2023-07") == ["", "", "No date", ""]
    assert headings_of(["", ""], "") == ["", ""]


def test_assistants_sort(catalog):
    pytest.importorskip("mcp", reason="mcp is not installed: pip install -e '.[mcp]'")
    from mcp import Client

    from clipsearch.mcp_server import make_server

    async def lines_of(**arguments):
        async with Client(make_server(catalog)) as client:
            answer = await client.call_tool("search", {"query": "type:jpeg", "thumbnails": False, **arguments})
            lines = answer.content[0].text.splitlines()
            return [line.rpartition("/")[2] for line in lines if not line.startswith("next: ")]

    assert asyncio.run(lines_of(sort="name")) == file_names(NAMED)
    assert asyncio.run(lines_of(sort="added", reverse=True, top_k=2)) == file_names(ADDED[::-1][:2])
