"""The public names as people type them: old ones, what notebooks show, and what `dir` lists."""

import warnings
from operator import attrgetter
from pathlib import Path

import pytest
from PIL import Image

import clipsearch
from clipsearch import Catalog, ImageReadError, InputError, SearchHit
from clipsearch.renamed import RENAMED
from clipsearch.search.paging import SearchPage
from tests.support.fakes import COLOURS


@pytest.fixture
def catalog(tmp_path: Path, colours):
    photos = tmp_path / "photos"
    photos.mkdir()
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (40, 20), COLOURS[colour]).save(photos / f"{colour}.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


@pytest.mark.parametrize(("old", "new"), RENAMED["Catalog"].items())
def test_an_old_name_of_the_catalog_is_the_new_one_with_a_warning(catalog, old, new):
    with pytest.warns(DeprecationWarning, match=rf"^Catalog\.{old} is Catalog\.{new} now") as warned:
        assert getattr(catalog, old) == attrgetter(new)(catalog)
    assert warned[0].filename == __file__


@pytest.mark.parametrize(("old", "new"), RENAMED["PictureDetails"].items())
def test_an_old_name_of_the_details_is_the_new_one_with_a_warning(catalog, old, new):
    details = catalog.pictures.get(1)
    with pytest.warns(DeprecationWarning, match=rf"^PictureDetails\.{old} is PictureDetails\.{new} now"):
        assert getattr(details, old) == attrgetter(new)(details)


def test_old_names_are_public_names_no_more(catalog):
    assert not set(RENAMED["Catalog"]) & {*dir(Catalog), *dir(catalog)}
    assert catalog.pictures.get(1).metadata.width == 40


def test_a_name_that_never_was_is_an_attribute_error_as_always(catalog):
    for owner in (catalog, catalog.pictures.get(1)):
        with pytest.raises(AttributeError, match=f"'{type(owner).__name__}' object has no attribute 'nonsense'"):
            _ = owner.nonsense


def test_dir_lists_all_public_names():
    assert set(clipsearch.__all__) <= set(dir(clipsearch))


def test_a_catalog_says_where_it_is_and_what_is_in_it(catalog, tmp_path):
    place = str(tmp_path / "catalog")
    assert repr(catalog) == f"<Catalog {place!r}, model 'colours', pictures: 3>"
    catalog.close()
    assert repr(catalog) == f"<Catalog {place!r}>"
    with Catalog.open(tmp_path / "empty", create=True) as empty, warnings.catch_warnings(action="error"):
        assert repr(empty) == f"<Catalog {str(tmp_path / 'empty')!r}, no model yet, pictures: 0>"


def test_a_hit_is_a_query_by_its_number_though_its_file_is_gone(catalog):
    (hit,) = catalog.search("red", top_k=1)
    expected = catalog.search(Path(hit.path))
    Path(hit.path).unlink()
    found = catalog.search(hit)
    assert [each.content_id for each in found] == [each.content_id for each in expected]
    assert found[0].content_id == hit.content_id
    assert catalog.match(hit, hit.content_id).score == pytest.approx(1, abs=1e-3)


def test_the_thumbnail_of_a_hit_is_the_upright_picture(tmp_path):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200), "red").save(path, exif=exif)
    hit = SearchHit(1, 0.3, 0.9, str(path), 1)
    assert (hit.thumbnail(side=100).size, hit.thumbnail().size) == ((50, 100), (200, 400))
    for missing in (str(tmp_path / "none.jpg"), "no\0name", str(tmp_path)):
        with pytest.raises(ImageReadError, match="can't read the picture"):
            SearchHit(1, 0.3, 0.9, missing, 1).thumbnail()
    for side in (0, -1, 1.5, 65_536):
        with pytest.raises(InputError, match="side of a thumbnail"):
            hit.thumbnail(side=side)


def test_notebooks_show_hits_with_their_pictures_and_escape_all_text(catalog, tmp_path):
    path = tmp_path / "<b>&'\".png"
    Image.new("RGB", (40, 20), "red").save(path)
    shown = SearchHit(1, 0.3, 0.9, str(path), 1)._repr_html_()
    assert shown.count("data:image/jpeg;base64,") == 1
    assert "<b>" not in shown
    assert "1. &lt;b&gt;&amp;&#x27;&quot;.png, relevance 0.90" in shown
    missing = SearchHit(2, float("nan"), 1.0, "/none/caf\udce9.png", 2)._repr_html_()
    assert "<img" not in missing
    assert ">2. caf?.png<" in missing
    page = catalog.search_page("red", page_size=2)
    assert isinstance(page, SearchPage)
    assert page._repr_html_().count("<img ") == 2


def test_notebooks_show_a_heat_map_over_its_picture(catalog):
    found = catalog.heat_map(Image.new("RGB", (900, 300), "blue"), "<i>red</i>")
    assert found.picture is not None
    assert found.picture.size == (384, 128)
    shown = found._repr_html_()
    assert shown.count("data:image/jpeg;base64,") == 1
    assert "&lt;i&gt;red&lt;/i&gt;" in shown
    assert "<i>" not in shown
