"""Albums and saved searches travel with an export, by the content of their pictures."""

import json

import pytest

from clipsearch import InputError
from tests.transfer.conftest import open_catalog, paint

pytest.importorskip("pyarrow")

pytestmark = pytest.mark.usefixtures("colours")


@pytest.fixture
def exported(catalog, photos, tmp_path):
    catalog.albums.add("Sea", [photos / "blue.png", photos / "red.png"])
    blue = catalog.search("path:blue.png")[0].content_id
    catalog.saved.add("inner", "blue type:png")
    catalog.saved.add("able", "@inner & red")  # before what it refers to, by name
    catalog.saved.add("like", f"id:{blue} + 0.5:id:{blue}")
    report = catalog.export(tmp_path / "export")
    assert (report.albums, report.saved_searches) == (1, 3)
    return tmp_path / "export"


def test_they_are_imported_with_the_ids_of_the_other_catalog(catalog, photos, tmp_path, exported):
    with open_catalog(tmp_path / "other") as other:
        paint(tmp_path / "before", teal=(0, 128, 128))
        other.index(tmp_path / "before")  # so that content ids differ
        other.albums.add("SEA", [1])
        report = other.import_embeddings(exported, roots=[photos])
        assert (report.albums, report.saved_searches) == (1, 3)
        assert [other.pictures.get(each).paths[0].rpartition("/")[2] for each in other.albums.pictures("sea")] == [
            "teal.png", "blue.png", "copy.png",
        ]  # fmt: skip
        assert other.search("@like")[0].path.endswith("blue.png")
        assert other.saved.get("able").query == "@inner & red"
        again = other.import_embeddings(exported, roots=[photos])
        assert (again.albums, again.saved_searches) == (0, 0)


def test_a_search_for_a_picture_that_is_not_there_is_left_out(catalog, photos, tmp_path, exported):
    file = exported / "clipsearch.json"
    content = json.loads(file.read_bytes())
    for search in content["saved_searches"]:
        search["pictures"] = dict.fromkeys(search["pictures"], "0" * 64)
    file.write_text(json.dumps(content))
    with open_catalog(tmp_path / "other") as other:
        assert other.import_embeddings(exported, roots=[photos]).saved_searches == 2
        assert [each.name for each in other.saved.list()] == ["able", "inner"]


def test_an_export_without_them_is_as_before(catalog, tmp_path):
    catalog.export(tmp_path / "plain")
    assert not {"albums", "saved_searches"} & json.loads((tmp_path / "plain" / "clipsearch.json").read_bytes()).keys()


@pytest.mark.parametrize(
    "fields",
    [
        {"albums": [{"name": 3, "pictures": []}]},
        {"albums": [{"name": "a", "pictures": ["../.."]}]},
        {"albums": [{"name": "\udcff", "pictures": []}]},
        {"albums": ["a"]},
        {"saved_searches": [{"name": "A B", "query": "x"}]},
        {"saved_searches": [{"name": "a", "query": 3}]},
        {"saved_searches": [{"name": "a", "query": "id:3", "pictures": {"3": "../.."}}]},
        {"saved_searches": [{"name": "a", "query": "id:3", "pictures": ["3"]}]},
    ],
)
def test_damaged_ones_are_refused(catalog, photos, exported, fields):
    file = exported / "clipsearch.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | fields))
    with pytest.raises(InputError, match="is damaged"):
        catalog.import_embeddings(exported, roots=[photos])
