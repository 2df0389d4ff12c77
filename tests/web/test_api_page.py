"""The page that describes the API: complete, with commands that work, and nothing from other hosts."""

import html
import re
import shlex

import pytest

from clipsearch import Catalog
from clipsearch.web.api_page import kind_of, operations_of, schemas_of
from tests.support.trips import make_trips


@pytest.fixture
def catalog(tmp_path, colours):
    with Catalog.open(make_trips(tmp_path / "catalog", tmp_path / "photos"), shared=True) as opened:
        opened.captions.add(["a red square"])
        opened.concepts.add("rex", [1])
        yield opened


def test_every_operation_and_schema_stands_on_the_page(client):
    page = client.get("/api/docs")
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    described = client.get("/openapi.json").json()
    ids = re.findall(r'<section id="([^"]+)"', page.text)
    operations = [f"{method.upper()}{path}" for path, each in described["paths"].items() for method in each]
    schemas = [name for name in described["components"]["schemas"] if not name.startswith("Body_")]
    assert sorted(ids) == sorted([*operations, *schemas])
    targets = re.findall(r'href="#([^"]+)"', page.text)
    assert set(targets) <= set(ids) and {"Hit", "GET/api/events", "Problem"} <= set(targets)
    assert '"/openapi.json"' in page.text and "<script" not in page.text
    assert [each for each in re.findall(r'(?:src|href)="([^"#]+)"', page.text) if not each.startswith("/")] == []


# Of the sample: no film, and whose stream goes on.
_UNANSWERED = ("/api/films/1", "/api/index/events", "/api/map", "/api/map/positions", "/api/map/years")


def test_the_commands_that_read_work_as_they_stand(client, catalog):
    catalog.albums.add("Italy 2023", [1])
    commands = [
        shlex.split(html.unescape(each)) for each in re.findall(r"<pre[^>]*>(.*?)</pre>", client.get("/api/docs").text)
    ]
    read = [words[1].removeprefix("http://127.0.0.1") for words in commands if "-X" not in words]
    assert len(read) > 20 and len(commands) > len(read)
    for path in read:
        if path not in _UNANSWERED:
            assert client.get(path).status_code == 200, path


def test_commands_with_bodies_have_what_is_required(client):
    described = client.get("/openapi.json").json()
    groups = operations_of(described, base="http://127.0.0.1:8123")
    commands = {(each.method, each.path): each.curl for group in groups.values() for each in group}
    assert commands["POST", "/api/classify"] == (
        "curl -X POST 'http://127.0.0.1:8123/api/classify?text=a+dog' -F file=@picture.jpg"
    )
    assert """-d '{"name": "rex",""" in commands["POST", "/api/concepts"]
    assert commands["GET", "/api/thumbnail/{id}"].endswith("/api/thumbnail/1 -o FILE")
    fields = {each.name: each for each in schemas_of(described)["Lesson"]}
    assert fields["name"].is_required and fields["name"].kind.bounds == "at least 1 characters, at most 200 characters"
    assert (fields["positives"].kind.text, fields["words"].kind.text) == ("array of integer", "string or null")


def test_kinds_of_values_are_named():
    assert kind_of({"type": "object", "additionalProperties": {"type": "integer"}}).text == "object of integer"
    assert kind_of({"enum": ["a", "b"], "type": "string"}).text == '"a" | "b"'
    hits = kind_of({"type": "array", "items": {"$ref": "#/components/schemas/Hit"}})
    assert (hits.text, hits.schema) == ("array of Hit", "Hit")
    assert kind_of({}).text == ""
