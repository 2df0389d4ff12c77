"""What is counted, grouped and chosen is pictures, however many parts they have."""

import io

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.support.fakes import COLOURS
from tests.web.conftest import client_of

PICTURES = 7


@pytest.fixture
def catalog(tmp_path, colours):
    """Three squares, two documents of four pages, and two pictures so long that they are indexed in crops."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for colour in ("red", "green", "yellow"):
        Image.new("RGB", (64, 48), COLOURS[colour]).save(photos / f"{colour}.png")
    for name, order in (("pages", 1), ("backwards", -1)):
        cover, *others = [
            Image.new("RGB", (40, 30), COLOURS[colour]) for colour in ("red", "green", "blue", "yellow")[::order]
        ]
        cover.save(photos / f"{name}.tif", save_all=True, append_images=others)
    for name, spot in (("long", "red"), ("longer", "green")):
        image = Image.new("RGB", (1600, 200), "blue")
        image.paste(COLOURS[spot], (0, 0, 200, 200))
        image.save(photos / f"{name}.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(photos)
        yield catalog


def ids(found) -> list[int]:
    return [each.content_id for each in found]


def test_a_status_counts_pictures(catalog):
    status = catalog.admin.status()
    assert (status.pictures, sum(status.formats.values())) == (PICTURES, PICTURES)
    assert repr(catalog).endswith(f"pictures: {PICTURES}>")


def test_facets_count_pictures(catalog):
    facets = catalog.pictures.facets()
    assert facets.pictures == PICTURES
    assert catalog.pictures.facets("type:tiff").pictures == 2


def test_pages_of_hits_count_pictures(catalog):
    first = catalog.search_page("red", page_size=3)
    second = catalog.search_page("red", page_size=3, after=first.next)
    seen = [*ids(first.hits), *ids(second.hits)]
    assert len(seen) == len(set(seen)) == 6


def test_clusters_hold_pictures(catalog):
    clusters = catalog.clusters(labels="colours", count=3)
    found = [number for cluster in clusters for number in cluster.content_ids]
    assert sorted(found) == sorted(set(found)) and len(found) == PICTURES


def test_duplicates_are_pictures(catalog):
    groups = catalog.duplicates()
    for group in groups:
        assert len(group.files) == len({file.path for file in group.files}) > 1
    for hit in catalog.search("red", top_k=100):
        found = ids(catalog.pictures.near_duplicates(hit.content_id))
        assert hit.content_id not in found and len(found) == len(set(found))


def test_unusual_and_representative_are_pictures(catalog):
    for query in (None, "type:tiff", "red"):
        for found in (catalog.pictures.unusual(query, top_k=20), catalog.pictures.representative(query, top_k=20)):
            assert len(ids(found)) == len(set(ids(found))) <= PICTURES
    assert sum(each.pictures for each in catalog.pictures.representative(top_k=3)) == PICTURES


def test_labels_are_of_pictures(catalog):
    labelled = list(catalog.labels.assign_all(labels=["red", "green", "blue"]))
    assert len(labelled) == len({each.path for each in labelled}) == PICTURES
    hit = next(hit for hit in catalog.search("red", top_k=100) if hit.part is not None and hit.part.kind == "page")
    assert catalog.classify(hit, ["red", "green"])[0].text == "red"


def test_captions_of_pictures_with_parts(catalog):
    catalog.captions.add(["red", "green", "blue"])
    for hit in catalog.search("red", top_k=100):
        assert catalog.caption(hit, top_k=1)[0].text in ("red", "green", "blue")
        assert catalog.caption(hit.path, top_k=3)


def test_concepts_of_pictures_with_parts(catalog):
    long, *_ = catalog.search("red path:long", top_k=1)
    concept = catalog.concepts.add("spots", [long, long.path], words="")
    assert concept.positives == (long.content_id,)
    found = catalog.search("@spots", top_k=100)
    assert len(ids(found)) == len(set(ids(found))) == PICTURES
    assert catalog.search("red", more=[long], top_k=1)


def test_suggestions_and_matches(catalog):
    catalog.suggestions("red")
    for hit in catalog.search("green", top_k=100):
        assert catalog.match("green", hit.content_id).part == hit.part
        assert catalog.pictures.get(hit.content_id).content_id == hit.content_id


def test_a_query_by_picture_finds_parts(catalog, tmp_path):
    Image.new("RGB", (64, 48), COLOURS["green"]).save(tmp_path / "query.png")
    hits = catalog.search(f"image:{tmp_path / 'query.png'}", top_k=100)
    parts = {hit.path.rsplit("/", 1)[1]: hit.part for hit in hits}
    assert parts["pages.tif"].page == 2 and parts["backwards.tif"].page == 3 and parts["green.png"] is None
    assert parts["longer.png"].kind == "crop"
    assert len(hits) == PICTURES


def test_an_uploaded_picture_finds_parts(catalog):
    content = io.BytesIO()
    Image.new("RGB", (64, 48), COLOURS["green"]).save(content, "PNG")
    with client_of(catalog) as client:
        answer = client.post("/api/pictures", files={"file": ("x.png", content.getvalue())})
        assert answer.status_code == 201, answer.text
        hits = client.get("/api/search", params={"q": answer.json()["term"]}).json()["hits"]
    assert len({hit["name"] for hit in hits}) == len(hits) <= PICTURES
    assert {hit["part"]["page"] for hit in hits if hit["part"] and hit["part"]["kind"] == "page"} == {2, 3}
