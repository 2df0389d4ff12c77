"""Pictures in groups of what they show."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.errors import CatalogNotFoundError, InputError, QueryError
from clipsearch.indexes.flat import cluster_rows
from clipsearch.vectors import normalise
from tests.support.command_line import fail, run
from tests.support.fakes import COLOURS


def test_rows_around_a_few_directions_fall_into_these():
    random = np.random.default_rng(0)
    middles = normalise(random.standard_normal((5, 32)))
    which = random.integers(5, size=200)
    rows = normalise(middles[which] + 0.03 * random.standard_normal((200, 32)))
    centroids, groups = cluster_rows(rows, 5)
    assert centroids.shape == (5, 32)
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-5)
    assert len({(group, kind) for group, kind in zip(groups.tolist(), which.tolist(), strict=True)}) == 5
    np.testing.assert_array_equal(groups, (rows @ centroids.T).argmax(axis=1))
    again = cluster_rows(rows, 5)
    np.testing.assert_array_equal(again[1], groups)
    assert cluster_rows(rows[:3], 3)[1].tolist() != [0, 0, 0]
    assert cluster_rows(rows[:1], 1)[1].tolist() == [0]


@pytest.fixture
def catalog(tmp_path, colours):
    for colour in ("red", "green", "blue"):
        for number in range(4):
            path = tmp_path / "photos" / colour / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 12), tuple(abs(part - 5 * number) for part in COLOURS[colour])).save(path)
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(tmp_path / "photos")
        yield opened


def test_groups_are_called_by_what_sets_them_apart(catalog, tmp_path):
    groups = catalog.clusters(count=3, labels=["red", "green", "blue"])
    assert {group.names[0]: {Path(path).parent.name for path in group.paths} for group in groups} == {
        colour: {colour} for colour in ("red", "green", "blue")
    }
    assert all(len(group.paths) == len(group.content_ids) == 4 for group in groups)
    (only,) = catalog.clusters(tmp_path / "photos" / "red", count=1, labels=["red", "green", "blue"])
    assert len(only.paths) == 4
    assert sum(len(group.paths) for group in catalog.clusters(count=99, labels=["red"])) == 12
    assert len(catalog.clusters(labels=["red"])) == 2
    with pytest.raises(InputError, match=r"no picture below .*elsewhere is in the catalog"):
        catalog.clusters(tmp_path / "elsewhere", labels=["red"])
    with pytest.raises(QueryError, match="at least 1"):
        catalog.clusters(count=0, labels=["red"])


def test_a_label_that_fits_all_pictures_names_no_group_of_some(catalog):
    groups = catalog.clusters(count=3, labels=["a picture", "red", "green", "blue"])
    assert {group.names[0] for group in groups} == {"red", "green", "blue"}


def test_one_group_of_all_pictures_is_called_by_what_fits_most(tmp_path, colours):
    for number in range(8):
        colour = "blue" if number < 6 else "green"
        Image.new("RGB", (16, 12 + number), COLOURS[colour]).save(tmp_path / f"{number}.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(tmp_path)
        (only,) = catalog.clusters(count=1, labels=["red", "green", "blue"])
    assert only.names[0] == "blue"


def test_nothing_but_copies(tmp_path, colours):
    for side in (10, 20):
        Image.new("RGB", (side, side), "red").save(tmp_path / f"{side}.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(tmp_path)
        groups = catalog.clusters(count=2, labels=["red", "blue"])
        assert sum(len(group.paths) for group in groups) == 2


def test_on_the_command_line(indexed_samples, tmp_path):
    place = ["--catalog", indexed_samples.copy_to(tmp_path / "catalog")]
    groups = json.loads(run("cluster", "-n", "6", "--json", *place).stdout)["groups"]
    paths = [path for group in groups for path in group["paths"]]
    assert len(groups) == 6
    assert len(set(paths)) == len(paths) == 40
    lines = run("cluster", "-n", "6", "--labels", "coco", *place).stdout.splitlines()
    assert sum(" pictures: " in line or " picture: " in line for line in lines) == 6
    assert "no picture below" in fail("cluster", tmp_path / "none", *place, code=2)
    assert fail("cluster", "-n", "0", *place, code=2)
    assert fail("cluster", "--labels", "nope", *place, code=2)
    assert fail("cluster", "--catalog", tmp_path / "none", code=3)


def test_where_nothing_was_indexed(tmp_path):
    with Catalog.open(tmp_path / "none", create=True) as catalog, pytest.raises(CatalogNotFoundError):
        catalog.clusters(labels="coco")
