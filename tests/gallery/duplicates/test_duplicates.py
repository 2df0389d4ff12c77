"""Pictures that are there more than once."""

import json
import os
import random
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw

from clipsearch import Catalog, ClipSearchNotice
from clipsearch.errors import CatalogNotFoundError, InputError, QueryError
from clipsearch.gallery.duplicates import default_threshold
from clipsearch.paths import sample_data_folder
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.vectors import normalise
from tests.benchmarks.copies import DOCUMENTS, burst, saved
from tests.support.command_line import fail, run

SAMPLES = sample_data_folder()


def draw(path, seed, side=120, **options):
    """Something with shapes in it, another for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture_of(seed, side).save(path, **options)


def picture_of(seed, side=120):
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize(
        (240, 240), Image.Resampling.BICUBIC
    )
    pen = ImageDraw.Draw(picture)
    for _ in range(12):
        left, top, width, height = rng.integers(0, 180, 2).tolist() + rng.integers(20, 60, 2).tolist()
        pen.ellipse((left, top, left + width, top + height), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return picture.resize((side, side), Image.Resampling.LANCZOS)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    draw(folder / "red.png", 1)
    draw(folder / "large red.png", 1, side=200)
    draw(folder / "green.png", 2)
    draw(folder / "blue.png", 3)
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


def kinds(groups, photos) -> dict[tuple[str, ...], str]:
    return {tuple(each.path.removeprefix(f"{photos}/") for each in group.pictures): group.kind for group in groups}


def ask(catalog, statement):
    with closing(sqlite3.connect(catalog.directory / DATABASE_NAME, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def stored_hashes(catalog):
    return dict(ask(catalog, "SELECT content_id, phash FROM contents"))


def test_copies_and_exact_ones_are_grouped_the_best_first(catalog, photos):
    groups = catalog.duplicates()
    assert kinds(groups, photos) == {("large red.png", "red.png"): "copy", ("blue.png", "more/blue again.png"): "exact"}
    by_first = {group.pictures[0].path: group for group in groups}
    near = by_first[str(photos / "large red.png")].pictures
    assert [(each.width, each.height, each.size_bytes, each.kind) for each in near] == [
        (200, 200, (photos / "large red.png").stat().st_size, "best"),
        (120, 120, (photos / "red.png").stat().st_size, "copy"),
    ]
    assert (near[0].score, near[1].score) == (1, pytest.approx(1, abs=0.05))
    spare = [group.spare_bytes for group in groups]
    assert spare == sorted(spare, reverse=True)
    assert by_first[str(photos / "blue.png")].spare_bytes == (photos / "blue.png").stat().st_size
    assert names(catalog.duplicates(exact_only=True), photos) == {("blue.png", "more/blue again.png")}


def test_a_group_of_copies_holds_exact_ones_too(catalog, photos):
    shutil.copy(photos / "large red.png", photos / "a large red.png")
    shutil.copy(photos / "red.png", photos / "red 2.png")
    catalog.index(photos)
    (group,) = [group for group in catalog.duplicates() if group.kind == "copy"]
    assert [(each.path.rsplit("/", 1)[1], each.kind) for each in group.pictures] == [
        ("a large red.png", "best"),
        ("large red.png", "exact"),
        ("red 2.png", "copy"),
        ("red.png", "copy"),
    ]
    assert [each.path for each in group.spare] == [each.path for each in group.pictures[1:]]


def test_frames_of_a_burst_are_similar_and_never_spare(tmp_path, colours):
    photos = tmp_path / "photos"
    frame = picture_of(1, side=320)
    draw(photos / "frame 1.png", 1, side=320)
    burst(frame, random.Random(0)).save(photos / "frame 2.png")
    frame.resize((80, 80)).save(photos / "small 1.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(photos)
        groups = catalog.duplicates()
    assert kinds(groups, photos) == {("frame 1.png", "small 1.png"): "copy", ("frame 1.png", "frame 2.png"): "similar"}
    assert [(group.spare_bytes > 0, len(group.spare)) for group in groups] == [(True, 1), (False, 0)]


def test_documents_are_in_no_group(tmp_path, colours):
    photos = tmp_path / "photos"
    photos.mkdir()
    for kind in ("page", "chat", "form", "almost blank"):
        for seed in range(3):
            DOCUMENTS[kind](seed + 1).save(photos / f"{kind} {seed}.png")
    saved(DOCUMENTS["page"](1), "JPEG", quality=60).save(photos / "again.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(photos)
        assert {frozenset(each) for each in kinds(catalog.duplicates(threshold=0.5), photos)} == {
            frozenset({"page 0.png", "again.png"})
        }


def test_pictures_taken_at_different_times_are_similar_at_most(tmp_path, colours):
    photos = tmp_path / "photos"
    for name, side, time in (("a", 200, "2024:05:01 10:00:00"), ("b", 160, "2024:05:01 10:00:01"), ("c", 120, None)):
        exif = Image.Exif()
        if time:
            exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = time
        draw(photos / f"{name}.jpg", 1, side=side, exif=exif, quality=95)
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(photos)
        assert kinds(catalog.duplicates(), photos) == {("a.jpg", "c.jpg"): "copy", ("a.jpg", "b.jpg"): "similar"}


def test_colour_and_what_the_camera_wrote_are_kept_before_bytes(tmp_path, colours):
    photos = tmp_path / "photos"
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Camera"
    draw(photos / "known.jpg", 1, exif=exif, quality=60)
    draw(photos / "larger.png", 1)
    draw(photos / "colour.jpg", 2, side=200, quality=60)
    picture_of(2, side=200).convert("L").save(photos / "grey.png")
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as catalog:
        catalog.index(photos)
        groups = kinds(catalog.duplicates(), photos)
    assert groups == {("known.jpg", "larger.png"): "copy", ("colour.jpg", "grey.png"): "copy"}


def test_what_was_changed_behind_the_catalogs_back_is_never_offered(catalog, photos):
    """Size and time are as they were; only whoever reads the file sees it."""
    for path in (photos / "red.png", photos / "more" / "blue again.png"):
        status = path.stat()
        content = bytearray(path.read_bytes())
        content[-20] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.warns(ClipSearchNotice, match="1 file has changed or disappeared"):
        assert catalog.duplicates() == []
    with pytest.warns(ClipSearchNotice, match="1 file has changed or disappeared"):
        assert catalog.duplicates(exact_only=True) == []


def test_a_catalog_without_hashes_gets_them(catalog, photos):
    hashes = stored_hashes(catalog)
    assert len(hashes) == 4 and None not in hashes.values()
    ask(catalog, "UPDATE contents SET phash = NULL")
    assert names(catalog.duplicates(), photos) == {("large red.png", "red.png"), ("blue.png", "more/blue again.png")}
    again = stored_hashes(catalog)
    assert again.keys() == hashes.keys()
    assert all(((again[each] ^ hashes[each]) & (1 << 64) - 1).bit_count() <= 3 for each in hashes)


def test_hashes_find_what_embeddings_do_not(catalog, photos):
    assert ("large red.png", "red.png") in names(catalog.duplicates(threshold=1), photos)


def test_only_below_the_folders_named_and_not_what_is_gone(catalog, photos):
    assert names(catalog.duplicates(photos / "more"), photos) == set()
    (photos / "red.png").unlink()
    catalog.index(photos, prune=True)
    assert names(catalog.duplicates(photos), photos) == {("blue.png", "more/blue again.png")}


def test_nobody_is_told_to_delete_the_last_one(catalog, photos):
    """The better one was deleted, or written anew, and nobody has indexed since."""
    (photos / "large red.png").unlink()
    draw(photos / "blue.png", 9)
    with pytest.warns(ClipSearchNotice, match="2 files have changed or disappeared"):
        assert catalog.duplicates() == []


def test_a_file_is_no_copy_of_itself(tmp_path, colours):
    photos = tmp_path / "photos"
    draw(photos / "z.png", 1)
    draw(photos / "green.png", 2)
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
    assert sorted((group["kind"], [each["kind"] for each in group["pictures"]]) for group in groups) == [
        ("copy", ["best", "copy"]),
        ("exact", ["best", "exact"]),
    ]
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
    assert table[-1].startswith("2 groups, 2 spare copies, ")
    assert sorted(line.split()[0] for line in table if line.endswith(".webp") or line.endswith(".jpg")) == [
        "best",
        "best",
        "copy",
        "exact",
    ]
    assert "no picture below" in fail("dupes", tmp_path / "elsewhere", *catalog, code=2)
    (photos / "fox.webp").unlink()
    alone = run("dupes", "--exact", photos, *catalog)
    assert (alone.stdout, len(alone.stderr.splitlines())) == ("", 2)
    assert "1 file has changed or disappeared" in alone.stderr
    assert "no duplicates found" in alone.stderr
    assert fail("dupes", "--threshold", "2", *catalog, code=2)
    assert fail("dupes", "--json", "--paths", *catalog, code=2)
    assert fail("dupes", "--catalog", tmp_path / "none", code=3)
