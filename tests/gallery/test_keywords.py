"""Keywords are written beside files, never into them."""

import pytest
from PIL import Image

from clipsearch import Catalog, InputError, UnknownPictureError
from tests.support.fakes import COLOURS

pytestmark = pytest.mark.usefixtures("colours")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red", "blue"):
        Image.new("RGB", (16, 12), COLOURS[name]).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def catalog(photos, tmp_path):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def test_keywords_are_written_to_sidecars_and_found_after_the_next_run(catalog, photos):
    before = (photos / "red.png").read_bytes()
    (red,) = catalog.search("path:red.png")
    report = catalog.pictures.add_keywords([red.content_id], ["Sea & <sand>", " holiday "])
    assert (report.written, report.failed) == (1, ())
    assert (photos / "red.png").read_bytes() == before
    assert catalog.search("tag:holiday") == []
    catalog.index()
    assert [hit.content_id for hit in catalog.search('tag:"sea & <sand>" tag:holiday')] == [red.content_id]
    assert catalog.pictures.add_keywords([red.content_id], ["holiday"]).written == 0  # it has it


def test_one_that_can_not_be_written_is_told_and_the_others_are(catalog, photos):
    (photos / "red.png.xmp").mkdir()
    ids = [hit.content_id for hit in catalog.search("type:png", top_k=9)]
    report = catalog.pictures.add_keywords(ids, ["x"])
    assert report.written == 1 and len(report.failed) == 1 and "red.png.xmp" in report.failed[0]


@pytest.mark.parametrize("words", [[], [""], ["a\0b"], ["x" * 301], ["a"] * 2 + [str(each) for each in range(100)]])
def test_what_is_no_keyword(catalog, photos, words):
    with pytest.raises(InputError, match="keyword"):
        catalog.pictures.add_keywords([1], words)
    with pytest.raises(UnknownPictureError):
        catalog.pictures.add_keywords([99], ["x"])
    assert not list(photos.glob("*.xmp"))


def test_nothing_is_written_where_the_file_is_gone(catalog, photos):
    (photos / "red.png").unlink()
    (red,) = catalog.search("path:red.png")
    report = catalog.pictures.add_keywords([red.content_id], ["x"])
    assert report.written == 0 and "is not there" in report.failed[0]
    assert not list(photos.glob("*.xmp"))
