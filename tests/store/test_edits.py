"""An edited picture stays in its albums, and an example of its concepts; another picture of its name does not."""

from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.store import edits

pytestmark = pytest.mark.usefixtures("colours")


def paint(path, seed, *, taken=None, turned=False, light=1.0):
    """A picture of random squares, with a date of its camera."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray((rng.integers(0, 255, (6, 8, 3)) * light).astype(np.uint8)).resize((160, 120))
    if turned:
        image = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    if taken is not None:
        exif[271] = "Maker"
        exif[306] = taken.strftime("%Y:%m:%d %H:%M:%S")
        exif.get_ifd(34665)[36867] = exif[306]
    image.save(path, exif=exif, quality=92)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    paint(folder / "dated.jpg", 1, taken=datetime(2024, 5, 1, 10, 0, 3))
    paint(folder / "plain.jpg", 2)
    return folder


@pytest.fixture
def catalog(photos, tmp_path):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        opened.albums.add("a", [photos / "plain.jpg", photos / "dated.jpg"])
        opened.concepts.add("rex", [photos / "dated.jpg"], negatives=[photos / "plain.jpg"])
        yield opened


def names(catalog):
    return sorted(hit.path.rpartition("/")[2] for hit in catalog.search("album:a"))


def test_a_turned_picture_of_the_same_date_and_a_lighter_one_stay(catalog, photos):
    paint(photos / "dated.jpg", 1, taken=datetime(2024, 5, 1, 10, 0, 3), turned=True)
    paint(photos / "plain.jpg", 2, light=0.9)
    assert catalog.index(photos).embedded == 2
    assert names(catalog) == ["dated.jpg", "plain.jpg"]
    assert catalog.albums.get("a").count == 2
    ids = {hit.path.rpartition("/")[2]: hit.content_id for hit in catalog.search("album:a")}
    assert catalog.albums.pictures("a") == [ids["plain.jpg"], ids["dated.jpg"]]  # in their order
    concept = catalog.concepts.get("rex")
    assert (concept.positives, concept.negatives) == ((ids["dated.jpg"],), (ids["plain.jpg"],))


def test_a_turned_picture_without_a_date_stays(catalog, photos):
    paint(photos / "plain.jpg", 2, turned=True)
    catalog.index(photos)
    assert names(catalog) == ["dated.jpg", "plain.jpg"]


def test_another_picture_of_the_same_name_does_not(catalog, photos):
    paint(photos / "dated.jpg", 3, taken=datetime(2025, 5, 1, 10, 0, 3))
    paint(photos / "plain.jpg", 4)
    catalog.index(photos)
    assert names(catalog) == []
    assert catalog.albums.get("a").count == 2  # the former contents, which may come back


def test_a_copy_that_was_not_edited_stays_too(catalog, photos):
    (photos / "copy.jpg").write_bytes((photos / "plain.jpg").read_bytes())
    catalog.index(photos)
    paint(photos / "plain.jpg", 2, light=0.9)
    catalog.index(photos)
    assert names(catalog) == ["copy.jpg", "dated.jpg", "plain.jpg"]
    assert len(catalog.concepts.get("rex").negatives) == 2


def test_copies_that_are_edited_in_different_ways_both_stay(catalog, photos):
    (photos / "copy.jpg").write_bytes((photos / "plain.jpg").read_bytes())
    catalog.index(photos)
    paint(photos / "plain.jpg", 2, light=0.9)
    paint(photos / "copy.jpg", 2, light=0.95)
    catalog.index(photos)
    assert names(catalog) == ["copy.jpg", "dated.jpg", "plain.jpg"]
    assert catalog.albums.get("a").count == 3


def test_a_renamed_file_is_no_edit_of_what_had_the_name(catalog, photos):
    """As where one of a burst is deleted, and another one gets its name: all of them look alike."""
    paint(photos / "next.jpg", 2, light=0.97)
    catalog.index(photos)
    before = catalog.albums.pictures("a")
    (photos / "next.jpg").replace(photos / "plain.jpg")
    catalog.index(photos)
    assert names(catalog) == ["dated.jpg"]
    assert catalog.albums.pictures("a") == before
    assert len(catalog.concepts.get("rex").negatives) == 1


def test_a_file_that_is_copied_over_another_is_no_edit(catalog, photos):
    paint(photos / "next.jpg", 2, light=0.97)
    catalog.index(photos)
    (photos / "plain.jpg").write_bytes((photos / "next.jpg").read_bytes())
    catalog.index(photos)
    assert names(catalog) == ["dated.jpg"]


def test_what_is_undone_is_as_before(catalog, photos):
    before, original = catalog.albums.pictures("a"), (photos / "plain.jpg").read_bytes()
    paint(photos / "plain.jpg", 2, light=0.9)
    catalog.index(photos)
    assert catalog.albums.pictures("a") != before
    (photos / "plain.jpg").write_bytes(original)
    catalog.index(photos)
    assert catalog.albums.pictures("a") == before


@pytest.mark.parametrize(
    ("before", "now", "is_same"),
    [
        (0b1111, 0b0111, True),
        (-1, -2, True),  # 64 bits as a signed number
        (-1, 1, False),
        (0, 0, False),  # of one colour, as many are
        (None, 5, False),
    ],
)
def test_hashes_of_one_picture_are_near(before, now, is_same):
    undated = {"taken_at": None, "camera": None}
    assert edits._is_same(SimpleNamespace(phash=before, **undated), SimpleNamespace(phash=now, **undated)) is is_same
