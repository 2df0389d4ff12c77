"""Pictures that are there more than once."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog, ClipSearchNotice
from clipsearch.duplicates import default_threshold
from clipsearch.errors import CatalogNotFoundError, InputError, QueryError
from clipsearch.settings import sample_data_folder
from clipsearch.vectors import normalise
from tests.test_command_line import fail, run

SAMPLES = sample_data_folder()


def paint(path, colour, side=16):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), colour).save(path)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    paint(folder / "red.png", (255, 0, 0))
    paint(folder / "large red.png", (250, 5, 0), side=40)
    paint(folder / "green.png", (0, 255, 0))
    paint(folder / "blue.png", (0, 0, 255))
    (folder / "more").mkdir()
    shutil.copy(folder / "blue.png", folder / "more" / "blue again.png")
    return folder


@pytest.fixture
def catalog(tmp_path, photos, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def names(groups, photos) -> set[tuple[str, ...]]:
    return {tuple(each.path.removeprefix(f"{photos}/") for each in group.pictures) for group in groups}


def test_copies_and_near_copies_are_grouped_the_best_first(catalog, photos):
    groups = catalog.duplicates()
    assert names(groups, photos) == {("large red.png", "red.png"), ("blue.png", "more/blue again.png")}
    by_first = {group.pictures[0].path: group for group in groups}
    near = by_first[str(photos / "large red.png")].pictures
    assert [(each.width, each.height, each.size_bytes) for each in near] == [
        (40, 40, (photos / "large red.png").stat().st_size),
        (16, 16, (photos / "red.png").stat().st_size),
    ]
    assert (near[0].score, 0.95 < near[1].score < 1) == (1, True)
    spare = [group.spare_bytes for group in groups]
    assert spare == sorted(spare, reverse=True)
    assert by_first[str(photos / "blue.png")].spare_bytes == (photos / "blue.png").stat().st_size
    assert names(catalog.duplicates(exact_only=True), photos) == {("blue.png", "more/blue again.png")}
    assert names(catalog.duplicates(threshold=1), photos) == {("blue.png", "more/blue again.png")}


def test_every_picture_of_a_group_is_near_to_the_first(tmp_path, colours):
    """From red to green in small steps: each is near to the next, the ends are not."""
    photos = tmp_path / "photos"
    for step in range(30):
        paint(photos / f"{step:02}.png", (255 - 8 * step, 8 * step, 0))
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(photos)
        groups = catalog.duplicates(threshold=0.98)
        found = [each for group in groups for each in group.pictures]
        assert len(groups) > 1
        assert len({each.path for each in found}) == len(found)
        for group in groups:
            first, *others = group.pictures
            scores = {hit.path: hit.score for hit in catalog.search(f"id:{first.content_id}", top_k=30)}
            for each in others:
                assert each.score == pytest.approx(scores[each.path], abs=1e-3)
                assert each.score >= 0.98


def test_only_below_the_folders_named_and_not_what_is_gone(catalog, photos):
    assert names(catalog.duplicates(photos / "more"), photos) == set()
    (photos / "red.png").unlink()
    catalog.index(photos, prune=True)
    assert names(catalog.duplicates(photos), photos) == {("blue.png", "more/blue again.png")}


def test_nobody_is_told_to_delete_the_last_one(catalog, photos):
    """The better one was deleted, or written anew, and nobody has indexed since."""
    (photos / "large red.png").unlink()
    paint(photos / "blue.png", (0, 250, 250))
    with pytest.warns(ClipSearchNotice, match="2 files have changed or gone"):
        assert catalog.duplicates() == []


def test_a_file_is_no_copy_of_itself(tmp_path, colours):
    photos = tmp_path / "photos"
    paint(photos / "z.png", (255, 0, 0))
    paint(photos / "green.png", (0, 255, 0))
    (photos / "a.png").symlink_to(photos / "z.png")
    os.link(photos / "green.png", photos / "second name.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        assert catalog.index(photos).found == 4
        assert catalog.duplicates() == []
        shutil.copy(photos / "z.png", photos / "zz.png")
        catalog.index(photos)
        assert names(catalog.duplicates(), photos) == {("z.png", "zz.png")}


def test_a_folder_is_the_one_that_a_link_leads_to(catalog, photos, tmp_path):
    (tmp_path / "view").symlink_to(photos)
    assert catalog.duplicates(tmp_path / "view") == catalog.duplicates(photos) == catalog.duplicates()
    with pytest.raises(InputError, match="no picture below"):
        catalog.duplicates(photos, photos / "nothing")
    assert catalog.duplicates(tmp_path) == catalog.duplicates()


def test_the_threshold_follows_how_alike_pictures_are():
    rows = normalise(np.random.default_rng(0).standard_normal((300, 512)))
    assert default_threshold(rows) == pytest.approx(0.85, abs=0.005)
    assert default_threshold(normalise(rows + rows[:1] * 1.2)) == pytest.approx(0.938, abs=0.01)
    assert default_threshold(rows[:1]) == default_threshold(np.repeat(rows[:1], 9, axis=0)) == 0.95


@pytest.mark.parametrize("threshold", [0, -1, 1.1, float("nan")])
def test_thresholds_that_are_none(catalog, threshold):
    with pytest.raises(QueryError, match="threshold"):
        catalog.duplicates(threshold=threshold)


def test_where_nothing_was_indexed(tmp_path):
    with Catalog.open(tmp_path / "none", create=True) as catalog, pytest.raises(CatalogNotFoundError):
        catalog.duplicates()


def test_on_the_command_line(tmp_path):
    photos, catalog = tmp_path / "photos", ["--catalog", tmp_path / "catalog"]
    shutil.copytree(SAMPLES / "animals", photos)
    with Image.open(photos / "rabbit.webp") as rabbit:
        rabbit.resize((rabbit.width * 9 // 10, rabbit.height * 9 // 10)).save(photos / "small rabbit.jpg")
    shutil.copy(photos / "fox.webp", photos / "fox 2.webp")
    run("index", photos, "--model", "starter", *catalog)
    groups = json.loads(run("dupes", "--json", *catalog).stdout)["groups"]
    assert {each["path"].rsplit("/", 1)[1] for group in groups for each in group["pictures"]} == {
        "rabbit.webp",
        "small rabbit.jpg",
        "fox 2.webp",
        "fox.webp",
    }
    assert sorted(run("dupes", "--paths", *catalog).stdout.splitlines()) == [
        str(photos / "fox.webp"),
        str(photos / "small rabbit.jpg"),
    ]
    assert run("dupes", "-0", "--exact", *catalog).stdout == f"{photos / 'fox.webp'}\0"
    table = run("dupes", *catalog, cwd=tmp_path).stdout.splitlines()
    assert table[-1].startswith("2 groups, 2 pictures beside the best of each, ")
    assert "no picture below" in fail("dupes", tmp_path / "elsewhere", *catalog, code=2)
    (photos / "fox.webp").unlink()
    alone = run("dupes", "--exact", photos, *catalog)
    assert (alone.stdout, len(alone.stderr.splitlines())) == ("", 2)
    assert "1 file has changed or gone" in alone.stderr
    assert "no picture is there twice" in alone.stderr
    assert fail("dupes", "--threshold", "2", *catalog, code=2)
    assert fail("dupes", "--json", "--paths", *catalog, code=2)
    assert fail("dupes", "--catalog", tmp_path / "none", code=3)
