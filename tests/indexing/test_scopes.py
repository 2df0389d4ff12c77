"""What is left out of an indexed folder: by patterns that the catalog remembers, and by forgetting."""

import os
import shutil
from contextlib import closing
from functools import partial

import numpy as np
import pytest

from clipsearch import Catalog
from clipsearch.errors import CatalogBusyError, ClipSearchNotice, InputError
from clipsearch.images import reading
from clipsearch.images.remote.walk import UrlWalk
from clipsearch.indexing import index_folders
from clipsearch.indexing.forget import forget_folder
from clipsearch.indexing.options import IndexOptions
from clipsearch.indexing.scopes import exclude_from, plan_scopes
from clipsearch.maintenance.status import read_status
from clipsearch.paths import catalog_place
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.types import ImageMetadata
from tests.support.library import Library, counts
from tests.support.listing_server import serving

NAMES = ("red.png", "private/green.png", "private/2024/blue.png", "sub/yellow.png", "sub/private/black.png")


ROW = np.array([1, 0, 0, 0], dtype=np.float32)


class Home(Library):
    """With what `Catalog.index` does beside `index_folders`."""

    def run(self, *folders, exclude=(), prune=False):
        scopes = plan_scopes(list(folders), roots=self.store.roots, prune=prune)()
        if exclude:
            scopes = exclude_from(scopes, exclude, roots=self.store.roots)
        options = IndexOptions(prune=prune)
        return index_folders(scopes, store=self.store, encoder=self.encoder, model_id=self.model_id, options=options)

    def names(self) -> set[str]:
        """Of the files that are found."""
        start = f"{self.photos}/"
        return {file.path.removeprefix(start) for file in self.store.reader.files_below([])}


@pytest.fixture
def home(tmp_path):
    with Home(tmp_path) as home:
        for name in NAMES:
            home.paint(name, name.rpartition("/")[2].removesuffix(".png"))
        yield home


class TestExclude:
    def test_what_is_left_out_is_not_indexed_also_by_later_runs(self, home):
        assert counts(home.run(home.photos, exclude=["private"])) == {"found": 2, "embedded": 2}
        assert home.names() == {"red.png", "sub/yellow.png"}
        assert counts(home.run()) == {"found": 2, "unchanged": 2}
        assert counts(home.run(home.photos)) == {"found": 2, "unchanged": 2}
        assert read_status(home.store).exclude == {str(home.photos): ("private",)}

    def test_what_was_indexed_before_is_removed_and_comes_back_unread(self, home, monkeypatch):
        home.run(home.photos)
        assert counts(home.run(home.photos, exclude=["/private/"])) == {"found": 3, "unchanged": 3, "removed": 2}
        assert "private/green.png" not in home.names()
        monkeypatch.setattr(reading, "open_regular_file", None)  # nothing is read
        assert counts(home.run(home.photos, exclude=[""])) == {"found": 5, "reused": 2, "unchanged": 3}
        assert read_status(home.store).exclude == {}

    def test_patterns_add_up_and_the_last_decides(self, home):
        home.run(home.photos, exclude=["*.png"])
        assert home.names() == set()
        home.run(home.photos, exclude=["!red.png"])
        assert home.names() == {"red.png"}
        home.run(home.photos, exclude=["", "sub", "private"])
        assert home.names() == {"red.png"}
        assert home.store.roots.list_all()[0].exclude == ("sub", "private")

    def test_an_ignore_file_takes_nothing_of_it_back(self, home):
        (home.photos / ".clipsearchignore").write_text("!private\n")
        (home.photos / "sub" / ".clipsearchignore").write_text("!private\n!*.png\n")
        home.run(home.photos, exclude=["private"])
        assert home.names() == {"red.png", "sub/yellow.png"}

    def test_patterns_are_relative_to_the_folder_that_was_named(self, home):
        home.run(home.photos)
        home.run(home.photos / "sub", exclude=["private", "/nothing"])
        assert home.store.roots.list_all()[0].exclude == ("/sub/**/private", "/sub/nothing")
        home.run()
        assert home.names() == set(NAMES) - {"sub/private/black.png"}
        home.run(home.photos / "sub", exclude=[""])
        home.run()
        assert home.names() == set(NAMES)

    def test_two_parts_of_one_folder(self, home):
        home.run(home.photos)
        home.run(home.photos / "sub", home.photos / "private", exclude=["2024", "black.png"])
        home.run()
        assert home.names() == {"red.png", "private/green.png", "sub/yellow.png"}

    def test_a_folder_that_becomes_part_of_a_larger_one_keeps_what_is_left_out_of_it(self, home):
        home.run(home.photos / "sub", exclude=["private"])
        home.run(home.photos)
        assert home.names() == set(NAMES) - {"sub/private/black.png"}
        assert [scope.exclude for scope in home.store.roots.list_all()] == [("/sub/**/private",)]

    def test_all_may_be_left_out(self, home):
        home.run(home.photos)
        assert counts(home.run(home.photos, exclude=["*"])) == {"removed": 5}

    def test_a_drive_that_is_away_is_asked_about_all_the_same(self, home):
        home.run(home.photos, exclude=["red.png"])
        home.photos.rename(home.photos.parent / "away")
        home.photos.mkdir()
        with pytest.warns(ClipSearchNotice, match="4 indexed files"):
            assert counts(home.run()) == {}

    @pytest.mark.parametrize("pattern", ["./private", "a\\", "# x", " "])
    def test_what_is_no_pattern_changes_nothing(self, home, pattern):
        with pytest.raises(InputError):
            home.run(home.photos, exclude=["red.png", pattern])
        assert home.store.roots.list_all()[0].exclude == ()


class TestForget:
    def test_an_indexed_folder_is_forgotten_until_it_is_named(self, home, monkeypatch):
        home.run(home.photos)
        report = forget_folder(home.photos, store=home.store)
        assert (report.folders, report.files, report.pictures) == ((str(home.photos),), 5, 5)
        assert home.names() == set()
        assert read_status(home.store).folders == ()
        with pytest.raises(InputError, match="no folder was indexed before"):
            home.run()
        assert sorted(path.name for path in home.photos.rglob("*.png")) == sorted(
            name.rpartition("/")[2] for name in NAMES
        )
        monkeypatch.setattr(reading, "open_regular_file", None)  # nothing is read
        assert counts(home.run(home.photos)) == {"found": 5, "reused": 5}

    def test_a_subfolder_is_left_out_until_it_is_named(self, home):
        home.run(home.photos)
        report = forget_folder(home.photos / "private", store=home.store)
        assert (report.folders, report.files, report.pictures) == ((), 2, 2)
        left = {"red.png", "sub/yellow.png", "sub/private/black.png"}
        assert home.names() == left
        assert counts(home.run()) == {"found": 3, "unchanged": 3}
        assert counts(home.run(home.photos)) == {"found": 3, "unchanged": 3}
        assert home.names() == left
        assert counts(home.run(home.photos / "private")) == {"found": 2, "reused": 2}
        assert counts(home.run()) == {"found": 5, "unchanged": 5}
        assert home.store.roots.list_all()[0].exclude == ()

    def test_a_part_of_what_was_forgotten_is_not_indexed_in_silence(self, home):
        home.run(home.photos)
        forget_folder(home.photos / "private", store=home.store)
        report = home.run(home.photos / "private" / "2024")
        (skipped,) = report.skipped
        assert skipped.reason.startswith(f"private in {home.photos} was forgotten or is excluded by --exclude: ")

    def test_a_folder_around_several(self, home):
        home.run(home.photos / "private", home.photos / "sub")
        report = forget_folder(home.photos, store=home.store)
        assert set(report.folders) == {str(home.photos / "private"), str(home.photos / "sub")}
        assert report.files == 4
        assert home.names() == set()

    def test_a_picture_that_lies_elsewhere_too_is_still_found(self, home):
        shutil.copy(home.photos / "private" / "green.png", home.photos / "sub" / "green.png")
        home.run(home.photos)
        report = forget_folder(home.photos / "private", store=home.store)
        assert (report.files, report.pictures) == (2, 1)

    def test_its_drive_may_be_away_and_its_name_a_link(self, home):
        drive = home.photos.parent / "drive"
        home.photos.rename(drive)
        home.photos.symlink_to(drive)
        home.run(home.photos)
        shutil.rmtree(drive / "private")
        assert forget_folder(home.photos / "private", store=home.store).files == 2
        shutil.rmtree(drive)
        assert forget_folder(home.photos, store=home.store).files == 3
        assert home.names() == set()

    def test_it_may_only_be_asked(self, home):
        home.run(home.photos)
        with home.store.writing():
            report = forget_folder(home.photos, store=home.store, dry_run=True)
        assert (report.files, report.pictures, report.is_dry_run) == (5, 5, True)
        assert home.names() == set(NAMES)

    @pytest.mark.parametrize("name", ["nothing", "red.png", "priv"])
    def test_what_is_not_in_the_catalog(self, home, name):
        home.run(home.photos)
        with pytest.raises(InputError, match=r"nothing below .* is in the catalog; indexed folders: "):
            forget_folder(home.photos / name, store=home.store)
        assert home.names() == set(NAMES)

    def test_not_while_another_changes_the_catalog(self, home):
        home.run(home.photos)
        with (
            Catalog.open(home.store.place.directory) as catalog,
            closing(Store(home.store.place)) as other,
            other.writing(),
            pytest.raises(CatalogBusyError),
        ):
            catalog.admin.forget(home.photos)


def test_a_catalog_on_a_server_does_the_same(home, postgres):
    home.store.close()
    home.store, encoder = Store(catalog_place(postgres.make_database()), create=True), home.encoder
    home.model_id = home.store.models.add(name="m", fingerprint=encoder.fingerprint, dim=encoder.dim).model_id
    assert counts(home.run(home.photos, exclude=["red.png"])) == {"found": 4, "embedded": 4}
    assert counts(home.run()) == {"found": 4, "unchanged": 4}
    assert forget_folder(home.photos / "private", store=home.store).pictures == 2
    (home.photos / "sub" / "yellow.png").chmod(0o640)
    (home.photos / "sub" / "private" / "black.png").rename(home.photos / "night.png")
    os.utime(home.photos / "night.png", (13_569_465_600, 13_569_465_600))
    expected = {"found": 3, "embedded": 1, "reused": 1, "moved": 1, "unchanged": 1, "removed": 0}
    report = home.run(exclude=["", "private"])
    assert {name: getattr(report, name) for name in expected} == expected
    assert forget_folder(home.photos, store=home.store, dry_run=True).files == 3
    assert forget_folder(home.photos, store=home.store).files == 3
    assert home.names() == set()


def test_a_folder_on_a_web_server(home):
    pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")
    home.paint("my pictures/a+b.png", "white")
    with serving(home.photos) as url:
        scope = home.store.roots.add(url)
        images = [image for part in UrlWalk(url) for image in part]
        rows = [ContentRecord(bytes([number]) * 32, 1, ImageMetadata(1, 1, "PNG"), ROW) for number in range(6)]
        files = [
            FileRecord(scope.root_id, image.relative_path, image.size_bytes, image.mtime_ns, row.blake3)
            for image, row in zip(images, rows, strict=True)
        ]
        home.store.pictures.record(rows, files, model_id=home.model_id)
        run = partial(index_folders, store=home.store, encoder=home.encoder, model_id=home.model_id)
        assert counts(run(home.store.roots.list_all())) == {"found": 6, "unchanged": 6}
        # Names are said as people say them, not as links have them.
        report = run(exclude_from(home.store.roots.list_all(), ["/my pictures/a+b.*"], roots=home.store.roots))
        assert counts(report) == {"found": 5, "unchanged": 5, "removed": 1}
        assert forget_folder(f"{url}/private/", store=home.store).files == 2
        assert counts(run(home.store.roots.list_all())) == {"found": 3, "unchanged": 3}
        report = run(exclude_from(home.store.roots.list_all(), ["*"], roots=home.store.roots))
        assert counts(report) == {"removed": 3}
        assert forget_folder(url, store=home.store).folders == (url,)
