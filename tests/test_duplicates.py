"""Pictures that are there more than once."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.duplicates import default_threshold
from clipsearch.errors import CatalogNotFoundError, QueryError
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
    assert "no picture is there twice" in run("dupes", tmp_path / "elsewhere", *catalog).stderr
    assert fail("dupes", "--threshold", "2", *catalog, code=2)
    assert fail("dupes", "--json", "--paths", *catalog, code=2)
    assert fail("dupes", "--catalog", tmp_path / "none", code=3)
