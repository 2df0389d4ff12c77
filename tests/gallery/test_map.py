"""The map of meaning: near pictures are alike, its regions are searches, and it follows the catalog."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog, QueryError
from clipsearch.errors import CatalogNotFoundError, ClipSearchNotice, VectorIndexError
from clipsearch.maintenance.orphans import find_leftovers, named_files
from clipsearch.paths import index_folder
from clipsearch.session import maps
from clipsearch.session.map_file import check_map
from clipsearch.store import Store
from tests.support.command_line import fail, run
from tests.support.fakes import COLOURS

HUES = ("red", "green", "blue")


def paint(folder, colour, numbers):
    for number in numbers:
        path = folder / f"{colour}-{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 12), tuple(abs(part - 3 * number) for part in COLOURS[colour])).save(path)


@pytest.fixture
def photos(tmp_path, colours):
    for colour in HUES:
        paint(tmp_path / "photos", colour, range(12))
    return tmp_path / "photos"


@pytest.fixture
def catalog(tmp_path, photos):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def map_file(catalog):
    (path,) = index_folder(catalog.directory).glob("map-*.bin")
    return path


def colours_of(catalog, content_ids):
    return [each.paths[0].rpartition("/")[2].partition("-")[0] for each in catalog.pictures.list(content_ids)]


def test_near_pictures_are_alike(catalog):
    assert catalog.pictures.find_map() is None
    found = catalog.pictures.map()
    assert len(found.content_ids) == found.laid_out == 36 and found.placed == 0
    assert found.positions.min() >= 0 and found.positions.max() <= 1
    shown = np.array(colours_of(catalog, found.content_ids.tolist()))
    apart = ((found.positions[:, None] - found.positions) ** 2).sum(axis=2)
    nearest = np.argsort(apart, axis=1)[:, 1:6]
    assert (shown[nearest] == shown[:, None]).mean() > 0.9
    assert catalog.pictures.map() is found is catalog.pictures.find_map()
    with Catalog.open(catalog.directory) as other:
        read = other.pictures.find_map()
        np.testing.assert_array_equal(read.content_ids, found.content_ids)
        np.testing.assert_array_equal(read.positions, found.positions)
        assert read.regions == found.regions


def test_regions_are_named_nested_and_hold_all_pictures(catalog, monkeypatch):
    monkeypatch.setattr("clipsearch.gallery.map._REGIONS", (3, 6))
    monkeypatch.setattr("clipsearch.gallery.map._FEWEST", 6)
    found = catalog.pictures.map()
    for level in (0, 1):
        regions = [each for each in found.regions if each.level == level]
        assert sum(each.pictures for each in regions) == 36
        assert len({each.name for each in regions}) == len(regions) and all(each.name for each in regions)
    for number, each in enumerate(found.regions):
        parts = [other.pictures for other in found.regions if other.parent == number]
        assert each.level == 1 or sum(parts) == each.pictures
        assert each.parent is None or found.regions[each.parent].level == each.level - 1
        inside = found.inside(each.box)
        assert len(inside) >= 0.9 * each.pictures
        np.testing.assert_array_equal(
            sorted(hit.content_id for hit in catalog.search(each.query, top_k=99, stacks=False)), inside
        )


def test_a_rectangle_is_a_filter_that_goes_with_others(catalog):
    with pytest.raises(QueryError, match="there is no map of the pictures yet: make it with 'clipsearch map'"):
        catalog.search("map:0,0,1,1")
    found = catalog.pictures.map()
    everything = {hit.content_id for hit in catalog.search("map:0,0,1,1", top_k=99, stacks=False)}
    assert everything == set(found.content_ids.tolist())
    x, y = found.positions[0].tolist()
    near = f"map:{max(0, x - 0.05):.6f},{max(0, y - 0.05):.6f},{min(1, x + 0.05):.6f},{min(1, y + 0.05):.6f}"
    some = {hit.content_id for hit in catalog.search(near, top_k=99, stacks=False)}
    assert int(found.content_ids[0]) in some < everything
    assert {hit.content_id for hit in catalog.search(f"-{near}", top_k=99, stacks=False)} == everything - some
    with_words = catalog.search(f"green {near} path:*-1*.png", top_k=99, stacks=False)
    assert {hit.content_id for hit in with_words} <= some
    assert catalog.pictures.facets(near).pictures == len(some)


def test_new_pictures_are_placed_next_to_those_like_them_and_deleted_ones_left_out(catalog, photos):
    before = catalog.pictures.map()
    (photos / "red-0.png").unlink()
    paint(photos, "blue", [12, 13])
    catalog.index(photos)
    after = catalog.pictures.map()
    assert (after.laid_out, after.placed, len(after.content_ids)) == (36, 2, 37)
    gone = np.setdiff1d(before.content_ids, after.content_ids)
    new = np.setdiff1d(after.content_ids, before.content_ids)
    assert len(gone) == 1 and colours_of(catalog, new.tolist()) == ["blue", "blue"]
    shown = np.array(colours_of(catalog, after.content_ids.tolist()))
    blue = after.positions[(shown == "blue") & ~np.isin(after.content_ids, new)]
    for position in after.positions[np.isin(after.content_ids, new)]:
        assert (position >= blue.min(axis=0)).all() and (position <= blue.max(axis=0)).all()
    assert sum(each.pictures for each in after.regions if each.level == 0) == 37
    with Catalog.open(catalog.directory) as other:
        assert other.pictures.find_map().placed == 2


def test_an_outgrown_map_is_made_again_and_turned_like_the_one_before(catalog, photos, monkeypatch):
    before = catalog.pictures.map()
    paint(photos, "yellow", range(4))
    catalog.index(photos)
    monkeypatch.setattr(maps, "_FEW", 2)
    assert catalog.pictures.find_map().placed == 4
    after = catalog.pictures.map()
    assert (after.laid_out, after.placed) == (40, 0)
    _, own, earlier = np.intersect1d(after.content_ids, before.content_ids, return_indices=True)
    here, there = after.positions[own], before.positions[earlier]
    # Better as it is than mirrored or turned by any right angle.
    centred, expected = here - here.mean(axis=0), there - there.mean(axis=0)
    agreement = [
        float((centred[:, ::swap] * signs * expected).sum())
        for swap in (1, -1)
        for signs in ([1, 1], [1, -1], [-1, 1], [-1, -1])
    ]
    assert max(agreement) == agreement[0]


def test_a_damaged_file_is_reported_and_the_map_made_again(catalog):
    found = catalog.pictures.map()
    path = map_file(catalog)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert check_map(path) == f"the map {path} is damaged"
    assert f"the map {path} is damaged" in run("doctor", "--catalog", catalog.directory, code=1).stdout
    with Catalog.open(catalog.directory) as other:
        with pytest.warns(ClipSearchNotice, match="is damaged: make it again with 'clipsearch map'"):
            again = other.pictures.map()
        np.testing.assert_array_equal(again.positions, found.positions)
    assert check_map(path) is None
    path.write_bytes(content)
    run("doctor", "--catalog", catalog.directory, "--fix")
    assert not path.exists()
    path.write_bytes(b"clipmap0 of another version")
    with Catalog.open(catalog.directory) as other:
        assert other.pictures.find_map() is None


def test_garbage_collection_keeps_the_map(catalog):
    catalog.pictures.map()
    path = map_file(catalog)
    stray = path.with_name("map.123.new")
    stray.touch()
    for each in (path, stray):
        os.utime(each, (1, 1))
    with Store(catalog.directory) as store:
        assert path in named_files(catalog.directory, store.reader)
        assert find_leftovers(catalog.directory, store.reader) == [stray]


def test_the_command_says_what_it_made(catalog, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(catalog.directory))
    first, *regions = run("map").stdout.splitlines()
    assert first.startswith("36 pictures, laid out in ") and len(regions) >= 1
    assert "map:" in regions[0]
    assert run("map").stdout.startswith("36 pictures, the map is up to date: ")
    row = json.loads(run("map", "--remake", "--json").stdout)
    assert row["pictures"] == 36 and row["seconds"] >= 0
    assert row["regions"][0]["query"].startswith("map:")
    assert "no catalog" in fail("map", "--catalog", tmp_path / "none", code=3)


def test_without_pictures_there_is_no_map(tmp_path, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        assert catalog.pictures.find_map() is None
        with pytest.raises(CatalogNotFoundError, match="nothing is indexed"):
            catalog.pictures.map()


def test_a_map_of_other_pictures_is_made_again(catalog, photos):
    catalog.pictures.map()
    for path in photos.iterdir():
        path.unlink()
    paint(photos, "white", range(3))
    catalog.index(photos)
    assert catalog.pictures.find_map() is None
    assert catalog.pictures.map().laid_out == 3


def test_pictures_that_come_while_the_map_is_made_are_on_it_afterwards(catalog, photos):
    def on_progress(done, steps):
        if not list(photos.glob("late-*")):
            for number in range(3):
                Image.new("RGB", (16, 12), (200, 10 + number, 10)).save(photos / f"late-{number}.png")
            catalog.index(photos)

    made = catalog.pictures.map(on_progress=on_progress)
    assert len(made.content_ids) == 36
    assert len(catalog.pictures.find_map().content_ids) == 39


def test_a_map_that_can_not_be_saved_stays_in_use(catalog, photos, monkeypatch):
    def fail_to_save(*_):
        raise VectorIndexError("the disk is full")

    monkeypatch.setattr(maps, "save_map", fail_to_save)
    with pytest.warns(ClipSearchNotice, match="the disk is full"):
        catalog.pictures.map()
    paint(photos, "red", range(20, 22))
    catalog.index(photos)
    assert len(catalog.pictures.find_map().content_ids) == 38


def test_pictures_that_come_back_are_where_they_were(catalog, photos, tmp_path):
    before = catalog.pictures.map()
    places = dict(zip(before.content_ids.tolist(), before.positions.tolist(), strict=True))
    (photos / "red-3.png").rename(tmp_path / "red-3.png")
    catalog.index(photos)
    assert len(catalog.pictures.find_map().content_ids) == 35
    (tmp_path / "red-3.png").rename(photos / "red-3.png")
    catalog.index(photos)
    after = catalog.pictures.find_map()
    assert dict(zip(after.content_ids.tolist(), after.positions.tolist(), strict=True)) == places
