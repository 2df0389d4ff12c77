"""Crops in an index run: embedded with --detail, added to what was indexed before, and found."""

import pytest
from PIL import Image

from clipsearch.parts import Part
from clipsearch.search.retrieval import handicap_of
from tests.support.library import Library, counts


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path) as library:
        yield library


def paint_spot(library: Library, name: str, ground: str, spot: str) -> None:
    """A picture with a spot in its top left corner, on a ninth of it."""
    image = Image.new("RGB", (300, 300), ground)
    image.paste(spot, (0, 0, 100, 100))
    image.save(library.photos / name)


def test_a_small_thing_is_found_by_its_crop(library):
    paint_spot(library, "spot.png", "blue", "red")
    library.paint("blue.png", "blue")
    library.index(detail=True)
    best, *_ = library.hits("red")
    assert (best.path.rsplit("/", 1)[1], best.part.kind) == ("spot.png", "crop")
    assert best.part.box[:2] == (0.0, 0.0)
    assert best.location.endswith("spot.png#xywh=percent:0,0,55,55")
    assert library.hits("blue")[0].part is None or library.hits("blue")[0].part.box[0] > 0


def test_each_picture_is_one_hit(library):
    for number in range(3):
        paint_spot(library, f"{number}.png", "blue", "red")
        paint_spot(library, f"other{number}.png", "green", "yellow")
    library.index(detail=True)
    for top_k in (1, 2, 3, 4, 10):
        ids = [hit.content_id for hit in library.hits("blue", top_k=top_k)]
        assert len(ids) == len(set(ids)) == min(top_k, 2)  # equal pictures are copies


def test_crops_are_added_later_and_once(library):
    paint_spot(library, "spot.png", "blue", "red")
    library.paint("small.png", "green")
    assert counts(library.index()) == {"found": 2, "embedded": 2}
    assert library.encoder.images_seen == 2
    assert counts(library.index(detail=True)) == {"found": 2, "embedded": 2}
    assert library.hits("red")[0].part is not None
    assert counts(library.index(detail=True)) == {"found": 2, "unchanged": 2}
    assert library.encoder.images_seen == 0
    assert counts(library.index()) == {"found": 2, "unchanged": 2}
    assert library.hits("red")[0].part is not None


def test_a_long_picture_is_cut_without_detail(library):
    image = Image.new("RGB", (1600, 200), "blue")
    image.paste("red", (0, 0, 200, 200))
    image.save(library.photos / "long.png")
    library.index()
    (hit,) = library.hits("red")
    assert hit.part.box == (0.0, 0.0, 0.125, 1.0)


def test_a_copy_has_the_crops_of_its_content(library):
    paint_spot(library, "spot.png", "blue", "red")
    library.index(detail=True)
    paint_spot(library, "copy.png", "blue", "red")
    assert counts(library.index(detail=True)) == {"found": 2, "reused": 1, "unchanged": 1}
    assert len(library.hits("red")[0].copies) == 1


def test_a_crop_makes_up_for_the_number_of_crops(library):
    """A whole picture of a colour comes before a crop of the same colour."""
    paint_spot(library, "spot.png", "blue", "red")
    library.paint("red.png", "red")
    library.index(detail=True)
    first, second, *_ = library.hits("red")
    assert [each.path.rsplit("/", 1)[1] for each in (first, second)] == ["red.png", "spot.png"]
    assert first.part is None
    assert first.relevance > second.relevance


def test_a_page_and_a_scene_have_no_handicap():
    assert handicap_of(None) == handicap_of(Part("page", page=2)) == 0
    assert handicap_of(Part("scene", start_s=1.0, end_s=2.0)) == 0
    assert handicap_of(Part("crop", box=(0.0, 0.0, 0.5, 0.5))) > 0
