"""What is told of hits, records, events, contact sheets and pages of all listings, over the API."""

import io
import json
from urllib.parse import quote

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.support.command_line import run
from tests.support.trips import LINES, SHOTS, make_trips
from tests.web.test_api import problem_of, search


@pytest.fixture
def catalog(tmp_path, colours):
    with Catalog.open(make_trips(tmp_path / "catalog", tmp_path / "photos"), shared=True) as opened:
        opened.captions.add([f"a red square {number}" for number in range(5)])
        for name in ("rex", "our-house", "boat"):
            opened.concepts.add(name, [1])
        yield opened


def get(client, path, status=200, **params):
    answer = client.get(path, params=params or None)
    assert answer.status_code == status, answer.text
    return answer


def all_linked(client, url):
    """The items of all pages of an answer that is an array."""
    found = []
    while url:
        answer = get(client, url)
        found.append(answer.json())
        url = answer.links.get("next", {}).get("url")
        assert url is None or url.startswith("/api/")
    return found


def test_hits_tell_date_place_size_and_kind_and_where_their_files_are(client):
    hits = {hit["id"]: hit for hit in search(client, "red")["hits"]}
    tower, screen = hits[3], hits[6]
    assert tower["taken_at"] == "2024-07-04T11:00:00" and tower["is_date_doubtful"] is False
    assert (tower["place"], tower["country"]) == ("Munich, Bavaria, Germany", "Germany")
    assert (tower["latitude"], tower["longitude"]) == (48.137, 11.575)
    assert (tower["width"], tower["height"], tower["format"]) == (96, 64, "JPEG")
    assert (tower["title"], tower["caption"], tower["rating"]) == ("The tower", None, 5)
    assert (screen["kind"], tower["kind"], screen["taken_at"]) == ("screenshot", None, None)
    original = get(client, tower["original_url"])
    assert len(original.content) == tower["size_bytes"]
    thumbnail = get(client, tower["thumbnail_url"])
    assert "immutable" in thumbnail.headers["cache-control"] and thumbnail.content.startswith(b"\xff\xd8")


def test_query_as_json_tells_what_the_api_does(client, catalog):
    told = {hit["id"]: hit for hit in search(client, "red")["hits"]}
    lines = run("query", "red", "--jsonl", "--catalog", catalog.directory).stdout.splitlines()
    assert len(lines) == len(SHOTS)
    for line in map(json.loads, lines):
        hit = told[line["content_id"]]
        names = ("taken_at", "is_date_doubtful", "place", "country", "latitude", "longitude", "camera", "kind")
        assert [line[name] for name in names] == [hit[name] for name in names]
        assert [line[name] for name in ("width", "height", "size_bytes", "format")] == [
            hit[name] for name in ("width", "height", "size_bytes", "format")
        ]


def test_records_are_all_that_is_known_of_pictures(client):
    found = get(client, "/api/items?id=6&id=99&id=3&id=6").json()
    assert found["missing"] == [99]
    screen, tower = found["pictures"]
    assert (screen["id"], screen["kind"], screen["text"], screen["text_lines"]) == (6, "screenshot", list(LINES), 2)
    assert (tower["before"], tower["after"], tower["stack"], tower["parts"]) == ([2, 1], [4, 5], [], 0)
    item = get(client, "/api/items/3").json()
    assert {name: tower[name] for name in item} == item
    assert tower["description"]["rating"] == 5 and tower["country"] == "Germany"


def test_events_are_listed_by_day_and_place(client):
    found = get(client, "/api/events", k=2).json()
    assert (found["total"], found["undated"], found["query"]) == (3, 1, "")
    louvre, evening = found["events"]
    assert (louvre["place"], louvre["first_taken"], louvre["pictures"]) == (
        "Paris, Île-de-France, France",
        "2024-07-05T09:00:00",
        1,
    )
    rest = get(client, "/api/events", k=2, after=found["next"]).json()
    assert [event["pictures"] for event in rest["events"]] == [3] and rest["next"] is None
    assert get(client, evening["thumbnail_url"]).content.startswith(b"\xff\xd8")
    days = [hit["id"] for hit in search(client, rest["events"][0]["query"])["hits"]]
    assert days == [4, 3, 2, 1]
    assert [event["id"] for event in get(client, "/api/events", q="in Paris").json()["events"]] == [5]


def test_a_contact_sheet_shows_a_page_of_hits_or_some_ids(client):
    first = get(client, "/api/contact-sheet", q="red", k=4)
    assert first.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(first.content)) as sheet:
        assert sheet.format == "JPEG" and sheet.size == (652, 692)
    second = get(client, first.links["next"]["url"])
    ids = [*first.headers["x-ids"].split(","), *second.headers["x-ids"].split(",")]
    assert list(map(int, ids)) == [hit["id"] for hit in search(client, "red")["hits"]]
    assert "next" not in second.links
    assert get(client, "/api/contact-sheet?id=3&id=99&id=1&id=3").headers["x-ids"] == "3,1"


def test_every_listing_has_pages(client, catalog):
    whole = get(client, "/api/concepts").json()
    pages = all_linked(client, "/api/concepts?k=2")
    assert [len(page) for page in pages] == [2, 1] and [*pages[0], *pages[1]] == whole
    pages = all_linked(client, "/api/items/6/text?k=1")
    assert [page[0]["text"] for page in pages] == list(LINES)
    pages = all_linked(client, "/api/unusual?k=2&q=type%3Ajpeg")
    assert [each["rank"] for page in pages for each in page] == [1, 2, 3, 4, 5, 6]
    for path, name in (("/api/caption?id=1&k=2", "captions"), ("/api/items/1/labels?k=30", "labels")):
        found, after = [], ""
        while after is not None:
            page = get(client, f"{path}{after and f'&after={quote(after)}'}").json()
            found += page[name]
            after = page["next"]
        assert [each["rank"] for each in found] == list(range(1, len(found) + 1)) and len(found) > 4


# (path, status, words of the answer)
PROBLEMS = [
    ("/api/items", 422, "id"),
    ("/api/items?id=0", 422, "id"),
    ("/api/items?id=nan", 422, "id"),
    (f"/api/items?id={10**30}", 422, "id"),
    ("/api/items?" + "&".join(f"id={number}" for number in range(1, 52)), 422, "id"),
    ("/api/events?k=0", 422, "k: "),
    ("/api/events?k=nan", 422, "k: "),
    ("/api/events?k=1001", 422, "k: "),
    ("/api/events?after=nonsense", 400, "invalid page cursor"),
    ("/api/events?after=" + "x" * 301, 422, "after: "),
    ("/api/events?q=%2Fetc%2Fpasswd", 400, "is a file name or a URL"),
    ("/api/events?q=taken%3A2024-13", 400, "taken"),
    ("/api/events?q=id%3A99", 404, "no picture with the number 99"),
    ("/api/contact-sheet", 400, "q or id"),
    ("/api/contact-sheet?q=red&id=1", 400, "q or id"),
    ("/api/contact-sheet?id=1&after=x", 400, "after"),
    ("/api/contact-sheet?q=red&k=49", 422, "k: "),
    ("/api/contact-sheet?q=type%3Apng", 404, "no picture matches"),
    ("/api/contact-sheet?id=99", 404, "no picture matches"),
    ("/api/contact-sheet?" + "&".join(["id=1"] * 49), 422, "id"),
    ("/api/contact-sheet?q=red&after=nonsense", 400, "invalid page cursor"),
    ("/api/concepts?after=nonsense", 400, "invalid page cursor"),
    ("/api/items/6/text?after=WzEsMl0", 400, "another search"),
    ("/api/items/6/text?k=0", 422, "k: "),
    ("/api/unusual?after=nonsense", 400, "invalid page cursor"),
    ("/api/items/1/similar?after=nonsense", 400, "invalid page cursor"),
]


def test_requests_that_make_no_sense_are_problems(client):
    for path, status, words in PROBLEMS:
        assert words in problem_of(client.get(path), status)["detail"], path


def test_a_cursor_is_valid_for_its_own_listing_alone(client):
    first = get(client, "/api/concepts?k=2").links["next"]["url"].rpartition("after=")[2]
    for path in ("/api/items/6/text?", "/api/caption?id=1&", "/api/items/1/labels?", "/api/unusual?", "/api/events?"):
        assert "another search" in problem_of(client.get(f"{path}after={first}"), 400)["detail"]
    after = get(client, "/api/caption?id=1&k=2").json()["next"]
    assert "another search" in problem_of(client.get(f"/api/caption?id=5&k=2&after={after}"), 400)["detail"]
