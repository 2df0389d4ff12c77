"""Plain words understood with what a catalog knows: people, positions and ratings of its pictures."""

import pytest
from PIL import Image

from clipsearch import Catalog
from tests.support.stacks import COLOURS
from tests.support.xmp import array, packet


@pytest.fixture
def photos(tmp_path):
    """A picture with a person, a rating and a position, and one without."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in (("anna.jpg", "red"), ("bare.jpg", "blue")):
        Image.new("RGB", (96, 64), COLOURS[colour]).save(folder / name)
    described = packet(
        array("Iptc4xmpExt:PersonInImage", ["Anna Lee"]),
        'xmp:Rating="5" exif:GPSLatitude="48,8.232N" exif:GPSLongitude="11,34.530E"',
    )
    (folder / "anna.jpg.xmp").write_bytes(described)
    return folder


@pytest.fixture
def catalog(tmp_path, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        yield opened


def test_people_places_and_ratings_of_the_catalog_are_filters(catalog, photos):
    catalog.index(photos)
    understood = catalog.understand("Anna in Munich, 5 stars")
    assert understood.text == "person:anna place:munich rating:5"
    hits = catalog.search(catalog.understand("a photo of Anna").query)
    assert [hit.path for hit in hits] == [str(photos / "anna.jpg")]


def test_without_people_positions_and_ratings_they_stay_words(catalog, photos):
    (photos / "anna.jpg.xmp").unlink()
    assert catalog.understand("Anna in Munich, 5 stars").phrases == ()
    catalog.index(photos)
    assert catalog.understand("Anna in Munich, 5 stars").phrases == ()
