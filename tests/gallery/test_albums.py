"""Albums are made, searched in, changed and kept when files move."""

import pytest
from PIL import Image

from clipsearch import Catalog, CatalogNotFoundError, InputError, UnknownAlbumError, UnknownPictureError
from tests.support.fakes import COLOURS

pytestmark = pytest.mark.usefixtures("colours")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red", "green", "blue"):
        Image.new("RGB", (16, 12), COLOURS[name]).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def catalog(photos, tmp_path):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def names(catalog, query):
    return sorted(hit.path.rpartition("/")[2].removesuffix(".png") for hit in catalog.search(query))


def test_an_album_has_pictures_by_file_id_and_hit(catalog, photos):
    (blue,) = catalog.search("path:blue.png")
    assert catalog.albums.add("Italy 2023", [photos / "red.png", blue]) == 2
    assert catalog.albums.add("ITALY  2023", [f"id:{blue.content_id}"]) == 0
    (album,) = catalog.albums.list()
    assert (album.name, album.count) == ("Italy 2023", 2) and catalog.albums.get("italy 2023") == album
    assert catalog.albums.pictures("italy 2023")[1] == blue.content_id
    assert catalog.albums.of([blue.content_id]) == {blue.content_id: ["Italy 2023"]}


def test_filters_find_what_is_in_an_album(catalog, photos):
    catalog.albums.add("Italy 2023", [photos / "red.png", photos / "blue.png"])
    catalog.albums.add("Italy", [photos / "green.png"])
    assert names(catalog, 'album:"italy 2023"') == ["blue", "red"]
    assert names(catalog, "album:italy") == ["green"]  # the album of this very name
    assert names(catalog, "album:2023") == names(catalog, "album:*2023") == ["blue", "red"]
    assert names(catalog, "album:ital*") == ["blue", "green", "red"]
    assert names(catalog, "album:tal") == names(catalog, "album:spain") == []
    assert names(catalog, '-album:"Italy 2023"') == ["green"]
    assert catalog.search('red album:"Italy 2023"', top_k=9)[0].path.endswith("red.png")
    assert catalog.pictures.facets("album:italy").pictures == 1


def test_favourites_are_one_album_in_every_spelling(catalog, photos):
    catalog.albums.add("Favorites", [photos / "red.png"])
    catalog.albums.add("Favourite", [photos / "blue.png"])
    catalog.albums.add("Anna's favourites", [photos / "green.png"])
    assert names(catalog, "is:favourite") == names(catalog, "is:favorite") == ["blue", "red"]
    assert names(catalog, "album:favorites") == ["blue", "red"]
    assert [album.name for album in catalog.albums.list()] == ["favourites", "Anna's favourites"]
    with pytest.raises(InputError, match="keep their name"):
        catalog.albums.rename("favorites", "best")


def test_pictures_stay_when_their_files_move_and_when_they_vanish(catalog, photos):
    catalog.albums.add("a", [photos / "red.png", photos / "green.png"])
    (photos / "red.png").rename(photos / "rot.png")
    (photos / "green.png").unlink()
    catalog.index(photos)
    assert names(catalog, "album:a") == ["rot"]
    assert catalog.albums.get("a").count == 2
    catalog.admin.collect_garbage()
    assert catalog.albums.get("a").count == 1


def test_albums_are_renamed_and_deleted(catalog, photos):
    catalog.albums.add("a", [photos / "red.png", photos / "blue.png"])
    catalog.albums.add("b", [photos / "blue.png"])
    assert catalog.albums.remove("A", [photos / "red.png", photos / "green.png"]) == 1
    with pytest.raises(InputError, match="there is an album b"):
        catalog.albums.rename("a", "B")
    assert catalog.albums.rename("a", "A").name == "A"
    assert catalog.albums.delete("a") and not catalog.albums.delete("a")
    assert [album.name for album in catalog.albums.list()] == ["b"]


@pytest.mark.parametrize("name", ["", "  ", "*", "a\0b", "\udcff", "x" * 201])
def test_invalid_names(catalog, name):
    with pytest.raises(InputError, match="album"):
        catalog.albums.add(name, [1])
    assert catalog.albums.list() == []


def test_what_is_not_there(catalog, photos, tmp_path):
    with pytest.raises(InputError, match="name a picture"):
        catalog.albums.add("a", [])
    with pytest.raises(UnknownPictureError):
        catalog.albums.add("a", [1, 99])
    assert catalog.albums.list() == []
    catalog.albums.add("Summer", [1])
    for call in (catalog.albums.get, catalog.albums.pictures):
        with pytest.raises(UnknownAlbumError, match="did you mean Summer"):
            call("sumer")
    with pytest.raises(UnknownAlbumError):
        catalog.albums.remove("b", [1])
    with Catalog.open(tmp_path / "empty", model="colours", create=True) as empty, pytest.raises(CatalogNotFoundError):
        empty.albums.add("a", [1])


@pytest.mark.parametrize("name", ["👨‍👩‍👧 family", "می‌خواهم", "शक्‍ति"])
def test_joiners_are_part_of_names_and_not_compared(catalog, name):
    catalog.albums.add(name, [1])
    assert catalog.albums.get(name.replace("\u200c", "").replace("\u200d", "")).name == name


def test_one_name_is_one_picture_and_anything_else_none(catalog):
    assert catalog.albums.add("a", "id:1") == 1
    for wrong in ([None], [1.5], [True], [object()]):
        with pytest.raises(InputError, match="not a picture of the catalog"):
            catalog.albums.add("a", wrong)
