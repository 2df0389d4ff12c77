"""What differs between files that look the same."""

import pytest
from PIL import ExifTags, Image

from clipsearch import Catalog, UnknownPictureError


@pytest.fixture
def catalog(tmp_path, colours):
    folder = tmp_path / "photos"
    folder.mkdir()
    picture, exif = Image.new("RGB", (40, 30), "red"), Image.Exif()
    exif[ExifTags.Base.Model] = "Pixel 8"
    picture.save(folder / "a.jpg", exif=exif)
    picture.save(folder / "b.jpg", comment=b"!" * 1000)
    picture.save(folder / "c.jpg", comment=b"!" * 1001)
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(folder)
        opened.albums.add("best of", [folder / "a.jpg"])
        (folder / "b.jpg.xmp").touch()
        yield opened


def compare(catalog, tmp_path, *names):
    ids = {each.paths[0]: each.content_id for each in catalog.pictures.list([1, 2, 3])}
    paths = [str(tmp_path / "photos" / name) for name in names]
    return {each.name: each for each in catalog.pictures.compare([(ids[path], path) for path in paths])}


def test_what_differs_is_told_apart_and_what_all_lack_is_left_out(catalog, tmp_path):
    found = compare(catalog, tmp_path, "a.jpg", "b.jpg")
    assert {name for name, each in found.items() if each.differs} == {"size", "camera", "name", "albums", "sidecar"}
    assert found["camera"].values == ("Pixel 8", "") and found["albums"].values == ("best of", "")
    assert found["sidecar"].values == ("", "b.jpg.xmp") and found["pixels"].values == ("40 × 30", "40 × 30")
    assert "rating" not in found and "taken" not in found


def test_sizes_that_look_equal_are_given_in_bytes(catalog, tmp_path):
    first, other = compare(catalog, tmp_path, "b.jpg", "c.jpg")["size"].values
    assert first.startswith("1,") and first.endswith(" bytes") and first != other
    assert compare(catalog, tmp_path, "a.jpg", "b.jpg")["size"].values[1].endswith(" KB")


def test_an_unknown_picture_is_refused(catalog):
    with pytest.raises(UnknownPictureError):
        catalog.pictures.compare([(99, "/nowhere.jpg")])
