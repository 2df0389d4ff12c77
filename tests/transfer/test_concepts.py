"""Concepts travel with an export, by the content of their examples."""

import json

import pytest

from clipsearch import InputError
from clipsearch.transfer.formats.description import parse_description
from clipsearch.transfer.formats.seal import is_own
from tests.transfer.conftest import open_catalog, paint

pytest.importorskip("pyarrow")

pytestmark = pytest.mark.usefixtures("colours")


def digests(opened, content_ids):
    return [opened.pictures.get(content_id).blake3 for content_id in content_ids]


@pytest.mark.parametrize("target", ["export", "export.parquet"])
def test_concepts_are_exported_and_imported(catalog, photos, tmp_path, target):
    made = catalog.concepts.add("rex", [photos / "red.png", photos / "blue.png"], negatives=[photos / "green.png"])
    catalog.concepts.add("max", [photos / "green.png"], words="")
    report = catalog.export(tmp_path / target)
    assert report.concepts == 2
    with open_catalog(tmp_path / "other") as other:
        paint(tmp_path / "before", teal=(0, 128, 128))
        other.index(tmp_path / "before")  # so that content ids differ
        assert other.import_embeddings(tmp_path / target, roots=[photos]).concepts == 2
        found = other.concepts.get("rex")
        assert digests(other, found.positives) == digests(catalog, made.positives)
        assert digests(other, found.negatives) == digests(catalog, made.negatives)
        assert found.words == "rex" and other.concepts.get("max").words is None
        assert other.search("@max", top_k=1)[0].path == catalog.search("@max", top_k=1)[0].path
        # Once more changes nothing.
        assert other.import_embeddings(tmp_path / target, roots=[photos]).concepts == 0
        assert other.concepts.get("rex") == found


def test_what_a_catalog_knows_of_a_concept_stays(catalog, photos, tmp_path):
    catalog.concepts.add("rex", [photos / "red.png", photos / "blue.png"], words="theirs")
    catalog.export(tmp_path / "export")
    with open_catalog(tmp_path / "other") as other:
        other.index(photos)
        other.concepts.add("rex", [photos / "green.png"], negatives=[photos / "red.png"], words="ours")
        assert other.import_embeddings(tmp_path / "export").concepts == 1
        found = other.concepts.get("rex")
        assert found.words == "ours"
        names = [
            [other.pictures.get(each).paths[0].rpartition("/")[2] for each in ids]
            for ids in (found.positives, found.negatives)
        ]
        assert names[0] == ["green.png", "blue.png"] and len(names[1]) == 1


def test_an_export_without_concepts_is_as_before(catalog, tmp_path):
    assert catalog.export(tmp_path / "export").concepts == 0
    content = (tmp_path / "export" / "clipsearch.json").read_bytes()
    assert "concepts" not in json.loads(content)
    assert is_own(parse_description(content, where="here"))


def test_a_sealed_export_with_concepts_is_this_users_own(catalog, photos, tmp_path):
    catalog.concepts.add("rex", [photos / "red.png"])
    catalog.export(tmp_path / "export")
    content = (tmp_path / "export" / "clipsearch.json").read_bytes()
    assert is_own(parse_description(content, where="here"))
    assert not is_own(parse_description(content.replace(b'"rex"', b'"max"', 1), where="here"))


@pytest.mark.parametrize(
    "concept",
    [
        {"name": "a b", "words": None, "positives": [], "negatives": []},
        {"name": "Rex", "words": None, "positives": [], "negatives": []},
        {"name": 3, "words": None, "positives": [], "negatives": []},
        {"name": "rex", "words": 3, "positives": [], "negatives": []},
        {"name": "rex", "words": "\udcff", "positives": [], "negatives": []},
        {"name": "rex", "words": None, "positives": ["../.."], "negatives": []},
        {"name": "rex", "words": None, "positives": [3], "negatives": []},
        {"name": "rex", "words": None, "positives": 3, "negatives": []},
        {"name": "rex", "words": None, "positives": []},
        "rex",
        3,
    ],
)
def test_a_damaged_concept_is_refused(catalog, photos, tmp_path, concept):
    catalog.concepts.add("rex", [photos / "red.png"])
    catalog.export(tmp_path / "export")
    file = tmp_path / "export" / "clipsearch.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | {"concepts": [concept]}))
    with pytest.raises(InputError, match="is damaged"):
        catalog.import_embeddings(tmp_path / "export")
