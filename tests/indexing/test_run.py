"""What an index run does with a folder that changes, with a model that really computes colours."""

import contextlib
import os
import shutil
import sqlite3
import threading
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ClipSearchNotice, ImageReadError, StoreError
from clipsearch.images.decode import DecodingLimits
from clipsearch.indexing import index_folders, scan
from clipsearch.indexing.scopes import plan_scopes
from clipsearch.store import Scope
from clipsearch.store.backends.connection import DATABASE_NAME
from tests.support.fakes import COLOURS, ColourEncoder
from tests.support.library import BATCH, Library, counts


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path) as library:
        for colour in ("red", "green", "blue"):
            library.paint(f"{colour}.png", colour)
        yield library


def test_new_pictures_are_embedded_and_found(library):
    assert counts(library.index()) == {"found": 3, "embedded": 3}
    assert [library.find(colour)[0] for colour in ("red", "green", "blue")] == ["red.png", "green.png", "blue.png"]


def test_a_second_run_embeds_nothing(library):
    library.index()
    assert counts(library.index()) == {"found": 3, "unchanged": 3}
    assert library.encoder.images_seen == 0


def test_renamed_image_keeps_its_embedding(library):
    library.index()
    (library.photos / "red.png").rename(library.photos / "rose.png")
    assert counts(library.index()) == {"found": 3, "reused": 1, "moved": 1, "unchanged": 2}
    assert library.encoder.images_seen == 0
    assert library.find("red", 3)[0] == "rose.png"


class TestMeasures:
    """Sharpness and brightness of pictures that an earlier version has indexed."""

    @staticmethod
    def forget(library) -> None:
        with contextlib.closing(sqlite3.connect(library.photos.parent / "catalog" / DATABASE_NAME)) as connection:
            connection.execute("UPDATE contents SET sharpness = NULL, brightness = NULL, phash = NULL")
            connection.commit()

    @staticmethod
    def known(library) -> list[tuple[int | None, int | None]]:
        details = library.store.reader.details([1, 2, 3]).values()
        return sorted((each.metadata.sharpness, each.metadata.brightness) for each in details)

    def test_all_are_measured_when_they_are_read_again_without_being_embedded(self, library):
        library.index()
        measured, hashes = self.known(library), library.store.reader.phashes()
        assert None not in {value for pair in measured for value in pair}
        self.forget(library)
        assert counts(library.index()) == {"found": 3, "unchanged": 3}
        assert len(library.store.pictures.unmeasured_contents()) == 3 * 32
        assert counts(library.index(again=True)) == {"found": 3, "unchanged": 3}
        assert library.encoder.images_seen == 0
        assert (self.known(library), library.store.reader.phashes()) == (measured, hashes)

    def test_a_copy_is_measured_as_its_content_is_read(self, library):
        library.index()
        self.forget(library)
        shutil.copy(library.photos / "red.png", library.photos / "rose.png")
        assert counts(library.index()) == {"found": 4, "reused": 1, "unchanged": 3}
        assert len(library.store.pictures.unmeasured_contents()) == 2 * 32

    def test_one_that_cannot_be_decoded_any_more_stays_unmeasured(self, library, monkeypatch):
        library.index()
        self.forget(library)

        def refuse(*_: object, **__: object) -> None:
            raise ImageReadError("damaged")

        monkeypatch.setattr("clipsearch.images.reading.decode_image", refuse)
        assert counts(library.index(again=True)) == {"found": 3, "unchanged": 3}
        assert len(library.store.pictures.unmeasured_contents()) == 3 * 32


class TestMoved:
    def test_as_many_as_are_gone_were_moved_the_rest_are_copies(self, library):
        library.index()
        for name in ("one.png", "two.png"):
            shutil.copy(library.photos / "red.png", library.photos / name)
        (library.photos / "red.png").unlink()
        assert counts(library.index()) == {"found": 4, "reused": 2, "moved": 1, "unchanged": 2}

    def test_copies_that_are_gone_without_a_new_place_are_removed(self, library):
        for name in ("one.png", "two.png"):
            shutil.copy(library.photos / "red.png", library.photos / name)
        library.index()
        (library.photos / "one.png").rename(library.photos / "three.png")
        (library.photos / "two.png").unlink()
        assert counts(library.index()) == {"found": 4, "reused": 1, "moved": 1, "unchanged": 3, "removed": 1}

    def test_a_file_moved_onto_another_one(self, library):
        library.index()
        (library.photos / "red.png").replace(library.photos / "blue.png")
        assert counts(library.index()) == {"found": 2, "reused": 1, "moved": 1, "unchanged": 1}

    def test_a_file_moved_back_to_where_it_was(self, library):
        library.index()
        (library.photos / "red.png").rename(library.photos / "rose.png")
        library.index()
        (library.photos / "rose.png").rename(library.photos / "red.png")
        assert counts(library.index()) == {"found": 3, "reused": 1, "moved": 1, "unchanged": 2}

    def test_a_file_moved_to_another_folder_that_is_indexed_too(self, library):
        other = library.photos.parent / "other"
        other.mkdir()
        scopes = [library.store.roots.add(str(folder)) for folder in (library.photos, other)]
        run = partial(index_folders, scopes, store=library.store, encoder=library.encoder, model_id=library.model_id)
        run()
        (library.photos / "red.png").rename(other / "red.png")
        assert counts(run()) == {"found": 3, "reused": 1, "moved": 1, "unchanged": 2}

    def test_a_file_that_was_moved_and_changed_is_new(self, library):
        library.index()
        (library.photos / "red.png").unlink()
        library.paint("white.png", "white")
        assert counts(library.index()) == {"found": 3, "embedded": 1, "unchanged": 2, "removed": 1}


def test_a_copy_is_reused_and_a_deleted_file_is_not_found(library):
    library.index()
    shutil.copy(library.photos / "red.png", library.photos / "also red.png")
    (library.photos / "green.png").unlink()
    assert counts(library.index()) == {"found": 3, "reused": 1, "unchanged": 2, "removed": 1}
    assert library.encoder.images_seen == 0
    assert set(library.find("green")) == {"also red.png", "blue.png"}
    (library.photos / "also red.png").unlink()
    library.index()
    assert library.find("red")[0] == "red.png"


def test_a_file_that_comes_back_costs_nothing(library):
    library.index()
    (library.photos / "red.png").rename(library.photos.parent / "away.png")
    library.index()
    assert "red.png" not in library.find("red")
    (library.photos.parent / "away.png").rename(library.photos / "red.png")
    assert counts(library.index()) == {"found": 3, "reused": 1, "unchanged": 2}
    assert library.find("red")[0] == "red.png"


def test_a_changed_file_is_embedded_again(library):
    library.index()
    path = library.paint("red.png", "yellow")
    os.utime(path, ns=(1, 1))
    assert counts(library.index()) == {"found": 3, "embedded": 1, "unchanged": 2}
    assert library.find("yellow")[0] == "red.png"


def test_many_copies_in_one_run_are_embedded_once(library):
    for number in range(40):
        shutil.copy(library.photos / "blue.png", library.photos / f"copy {number:02}.png")
    assert counts(library.index()) == {"found": 43, "embedded": 3, "reused": 40}
    assert library.encoder.images_seen == 3


def test_damaged_files_are_reported_once_read_and_tried_again_when_they_change(library):
    broken = library.photos / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    shutil.copy(broken, library.photos / "broken too.png")
    report = library.index()
    assert counts(report) == {"found": 5, "embedded": 3, "skipped": 2}
    assert [Path(skipped.path).name for skipped in report.skipped] == ["broken too.png", "broken.png"]
    assert all(skipped.reason for skipped in report.skipped)
    again = library.index()
    assert counts(again) == {"found": 5, "unchanged": 3, "skipped": 2}
    assert again.skipped == report.skipped
    library.paint("broken.png", "white")
    assert counts(library.index()) == {"found": 5, "embedded": 1, "unchanged": 3, "skipped": 1}
    assert library.find("white")[0] == "broken.png"


def test_a_file_deleted_after_it_was_listed(library, monkeypatch):
    from clipsearch.images import reading

    open_file = reading.open_regular_file

    def vanishing(path: str):
        if path.endswith("green.png"):
            os.unlink(path)
        return open_file(path)

    monkeypatch.setattr(reading, "open_regular_file", vanishing)
    report = library.index()
    assert counts(report) == {"found": 3, "embedded": 2, "skipped": 1}
    assert report.skipped[0].reason == "deleted before it could be read"
    monkeypatch.undo()
    assert counts(library.index()) == {"found": 2, "unchanged": 2}


def test_an_emptied_folder_removes_nothing_unless_told(library):
    library.index()
    for path in library.photos.iterdir():
        path.unlink()
    with pytest.warns(ClipSearchNotice, match="nothing is removed"):
        assert counts(library.index()) == {}
    assert len(library.find("red")) == 3
    assert counts(library.index(prune=True)) == {"removed": 3}
    assert library.find("red") == []


def test_a_drive_that_comes_back_costs_nothing(library, monkeypatch):
    library.index()
    away = library.photos.parent / "away"
    library.photos.rename(away)
    library.photos.mkdir()
    assert counts(library.index(prune=True)) == {"removed": 3}
    assert library.find("red") == []
    library.photos.rmdir()
    away.rename(library.photos)
    monkeypatch.setattr("clipsearch.images.reading.open_regular_file", None)  # nothing is read
    assert counts(library.index()) == {"found": 3, "reused": 3}
    assert counts(library.index()) == {"found": 3, "unchanged": 3}
    assert library.find("red")[0] == "red.png"


def test_a_file_that_comes_back_changed_is_read(library):
    library.index()
    (library.photos / "red.png").unlink()
    assert counts(library.index()) == {"found": 2, "unchanged": 2, "removed": 1}
    library.paint("red.png", "yellow")
    assert counts(library.index()) == {"found": 3, "embedded": 1, "unchanged": 2}
    assert library.find("yellow")[0] == "red.png"


def test_a_file_that_comes_back_is_embedded_with_a_model_that_is_new(library):
    library.index()
    (library.photos / "red.png").rename(library.photos.parent / "away.png")
    library.index()
    library.encoder = ColourEncoder("other colours")
    library.model_id = library.store.models.add(name="other", fingerprint=library.encoder.fingerprint, dim=4).model_id
    assert counts(library.index()) == {"found": 2, "embedded": 2}
    (library.photos.parent / "away.png").rename(library.photos / "red.png")
    assert counts(library.index()) == {"found": 3, "embedded": 1, "unchanged": 2}
    assert library.find("red")[0] == "red.png"


def test_a_copy_stands_in_for_a_file_that_can_not_be_read(library, monkeypatch):
    from clipsearch.images import reading

    shutil.copy(library.photos / "red.png", library.photos / "red too.png")
    library.index()
    library.encoder = ColourEncoder("other colours")
    library.model_id = library.store.models.add(name="other", fingerprint=library.encoder.fingerprint, dim=4).model_id
    open_file = reading.open_regular_file

    def refusing(path: str):
        if path.endswith("red.png"):
            raise PermissionError(13, "Permission denied")
        return open_file(path)

    monkeypatch.setattr(reading, "open_regular_file", refusing)
    assert counts(library.index()) == {"found": 4, "embedded": 3, "skipped": 1}
    assert library.find("red")[0] in ("red too.png", "red.png")  # both have that content


def test_a_file_of_terabytes_is_not_read(library):
    with open(library.photos / "hole.png", "wb") as file:
        file.truncate(1 << 42)  # takes no room on the disk
    for _ in range(2):
        report = library.index(limits=DecodingLimits(max_megapixels=1))
        assert [skipped.reason for skipped in report.skipped] == ["too large: 4,398 GB, the limit is 1.1"]
    (library.photos / "hole.png").write_bytes((library.photos / "red.png").read_bytes())
    assert counts(library.index(limits=DecodingLimits(max_megapixels=1))) == {"found": 4, "reused": 1, "unchanged": 3}


def test_skipped_files_are_read_again_when_told_to(library, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise ImageReadError("damaged")

    with monkeypatch.context() as broken:
        broken.setattr("clipsearch.images.reading.decode_image", refuse)
        assert counts(library.index()) == {"found": 3, "skipped": 3}
    assert counts(library.index()) == {"found": 3, "skipped": 3}
    assert counts(library.index(retry=True)) == {"found": 3, "embedded": 3}
    assert counts(library.index(retry=True)) == {"found": 3, "unchanged": 3}


class TestManyVanish:
    @pytest.fixture
    def many(self, library):
        for number in range(247):
            library.paint(f"part {number % 5}/{number}.png", (number, 255 - number, 7))
        library.index()  # 250 files
        return library

    def remove(self, library, number: int) -> None:
        for path in sorted(library.photos.rglob("*.png"))[:number]:
            path.unlink()

    def test_a_few_are_removed(self, many):
        self.remove(many, 50)
        assert counts(many.index()) == {"found": 200, "unchanged": 200, "removed": 50}

    def test_more_than_fifty_and_a_fifth_are_kept_until_told(self, many):
        self.remove(many, 51)
        for _ in range(2):
            with pytest.warns(ClipSearchNotice, match="51 of 250 pictures in .* have vanished at once: nothing is rem"):
                assert counts(many.index()) == {"found": 199, "unchanged": 199}
        assert many.store.pictures.counts()[0] == 250
        assert counts(many.index(prune=True)) == {"found": 199, "unchanged": 199, "removed": 51}

    def test_those_that_were_moved_have_not_vanished(self, many):
        (many.photos / "part 1").rename(many.photos / "best of all")
        (many.photos / "part 2").rename(many.photos / "second")
        assert counts(many.index()) == {"found": 250, "unchanged": 151, "reused": 99, "moved": 99}

    def test_those_that_are_ignored_now_have_not_vanished(self, many):
        (many.photos / ".clipsearchignore").write_text("part*\n")
        assert counts(many.index()) == {"found": 3, "unchanged": 3, "removed": 247}
        (many.photos / ".clipsearchignore").write_text("*\n")
        assert counts(many.index()) == {"removed": 3}


def test_another_drive_in_the_place_of_the_one_before(library, monkeypatch):
    from clipsearch.indexing import removal

    library.index()
    monkeypatch.setattr(removal, "find_volume", lambda folder: "uuid another")
    assert counts(library.index()) == {"found": 3, "unchanged": 3}  # as when a drive is copied to a larger one
    (library.photos / "red.png").unlink()
    assert counts(library.index()) == {"found": 2, "unchanged": 2, "removed": 1}
    monkeypatch.setattr(removal, "find_volume", lambda folder: "uuid a third")
    (library.photos / "blue.png").unlink()
    for _ in range(2):
        with pytest.warns(ClipSearchNotice, match="another drive than before and lacks 1 indexed file: no"):
            assert counts(library.index()) == {"found": 1, "unchanged": 1}
    assert counts(library.index(prune=True)) == {"found": 1, "unchanged": 1, "removed": 1}


def test_a_slow_folder_beside_one_with_removed_files_loses_nothing(library, monkeypatch):
    """Numbers of removed files must not be given to new ones that are still listed."""
    for number in range(40):
        library.paint(f"x/{number}.png", (number, 0, 0))
    library.index(folder=library.photos / "x")
    for path in (library.photos / "x").iterdir():
        path.unlink()
    library.paint("x/one.png", "white")
    for number in range(40):
        library.paint(f"y/{number % 4}/{number}.png", (0, number, 9))
    scopes = [library.store.roots.add(str(library.photos / name)) for name in "xy"]
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (time.sleep(0.05), scandir(path))[1])
    monkeypatch.setattr(scan, "_COMPARED_AFTER_S", 0.0)
    report = index_folders(scopes, store=library.store, encoder=library.encoder, model_id=library.model_id)
    assert counts(report) == {"found": 41, "embedded": 41, "removed": 40}
    assert library.store.pictures.counts()[0] == 41


def test_a_subfolder_alone_leaves_the_rest(library):
    library.paint("sub/white.png", "white")
    library.index()
    (library.photos / "sub" / "white.png").rename(library.photos / "sub" / "snow.png")
    (library.photos / "red.png").unlink()
    assert counts(library.index(folder=library.photos / "sub")) == {"found": 1, "reused": 1, "moved": 1}
    assert set(library.find("white")) == {"sub/snow.png", "red.png", "green.png", "blue.png"}


def test_an_interrupted_run_keeps_what_was_done_and_goes_on(library):
    for number in range(7 * BATCH):
        library.paint(f"{number:03}.png", (number, 255 - number, 7))

    def stop(done: int, total: int) -> None:
        if done >= 2 * BATCH:
            raise KeyboardInterrupt

    end_early(library, on_progress=stop)


def test_a_cancelled_run_keeps_what_was_done_and_goes_on(library):
    for number in range(7 * BATCH):
        library.paint(f"{number:03}.png", (number, 255 - number, 7))
    cancel = threading.Event()

    def stop(done: int, total: int) -> None:
        if done >= 2 * BATCH:
            cancel.set()

    end_early(library, on_progress=stop, cancel=cancel)


def test_a_run_that_is_cancelled_before_it_begins_stores_nothing(library):
    cancel = threading.Event()
    cancel.set()
    report = library.index(cancel=cancel)
    assert report.interrupted
    assert report.embedded == library.store.pictures.counts()[0] == 0


def end_early(library, **options):
    report = library.index(**options)
    assert report.interrupted
    assert 2 * BATCH <= report.embedded <= 4 * BATCH
    assert library.store.pictures.counts() == (report.embedded, report.embedded, 0)
    assert library.store.runs.find_last().finished is False
    rest = library.index()
    assert rest.unchanged == report.embedded
    assert rest.embedded == 7 * BATCH + 3 - report.embedded
    assert len(library.find("red", 1000)) == 7 * BATCH + 3


def test_progress_counts_to_the_end(library):
    for number in range(3 * BATCH):
        library.paint(f"{number:03}.png", (number, 2 * number, 7))
    (library.photos / "broken.png").write_bytes(b"nothing")
    shutil.copy(library.photos / "blue.png", library.photos / "copy.png")
    seen = []
    library.index(on_progress=lambda done, total: seen.append((done, total)))
    assert len(seen) >= 4
    assert seen == sorted(seen)
    assert all(done <= total for done, total in seen)
    assert seen[-1] == (3 * BATCH + 5, 3 * BATCH + 5)


def test_a_second_model_embeds_each_content_once(library):
    shutil.copy(library.photos / "blue.png", library.photos / "copy.png")
    library.index()
    library.encoder = ColourEncoder("other")
    library.model_id = library.store.models.add(
        name="other", fingerprint=library.encoder.fingerprint, dim=library.encoder.dim
    ).model_id
    assert counts(library.index()) == {"found": 4, "embedded": 3, "reused": 1}
    assert library.encoder.images_seen == 3
    assert library.find("red")[0] == "red.png"


def test_a_folder_that_can_not_be_listed_forgets_nothing(library, monkeypatch):
    library.paint("sub/white.png", "white")
    library.index()
    open_folder = os.open

    def refusing(path, *options, **others):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return open_folder(path, *options, **others)

    monkeypatch.setattr(os, "open", refusing)
    report = library.index()
    monkeypatch.undo()
    assert report.removed == 0
    assert [(Path(skipped.path).name, skipped.reason) for skipped in report.skipped] == [("sub", "Permission denied")]
    assert library.find("white")[0] == "sub/white.png"


def test_copies_are_stored_while_the_run_goes_on(library):
    for number in range(40 * BATCH):
        os.link(library.photos / "blue.png", library.photos / f"copy {number:04}.png")

    def stop(done: int, total: int) -> None:
        # Asked of the database, as another process would see it.
        stored.append(library.store.pictures.counts()[0])
        assert stored[-1] == done

    stored = [0]
    assert counts(library.index(on_progress=stop)) == {"found": 40 * BATCH + 3, "embedded": 3, "reused": 40 * BATCH}
    assert max(after - before for before, after in pairwise(stored)) <= 500


def test_what_the_machine_failed_at_is_tried_again(library, monkeypatch):
    from clipsearch.images import reading

    def out_of_memory(source, **options):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(reading, "decode_image", out_of_memory)
        report = library.index()
    assert {skipped.reason for skipped in report.skipped} == {"not enough memory to decode it"}
    assert counts(library.index()) == {"found": 3, "embedded": 3}


def test_one_folder_that_can_not_be_listed_does_not_stop_the_others(library, tmp_path, monkeypatch):
    from clipsearch.errors import InputError

    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (9, 9), "white").save(other / "white.png")
    walk = scan.ImageWalk

    def refusing(root, **options):
        if root == str(library.photos):
            raise InputError("can't list the folder")
        return walk(root, **options)

    library.index()
    monkeypatch.setattr(scan, "ImageWalk", refusing)
    scopes = [library.store.roots.add(str(folder)) for folder in (library.photos, other)]
    report = index_folders(scopes, store=library.store, encoder=library.encoder, model_id=library.model_id)
    assert (report.embedded, report.removed) == (1, 0)
    assert [skipped.path for skipped in report.skipped] == [str(library.photos)]


def test_metadata_is_kept(library):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F], exif[0x0110] = "Maker", "Model 5"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    Image.new("RGB", (30, 20), "white").save(library.photos / "photo.jpg", exif=exif)
    library.index()
    from sqlalchemy import select

    from clipsearch.store.tables import contents

    with library.store._database.read() as connection:
        row = connection.execute(select(contents).where(contents.c.format == "JPEG")).one()
    assert (row.width, row.height, row.camera) == (20, 30, "Maker Model 5")
    assert row.taken_at.isoformat() == "2024-05-06T07:08:09"


def test_stored_embeddings_are_the_encoders(library):
    library.index()
    (rows,) = library.store.reader.rows_after("images", model_id=library.model_id, dim=4)
    crops = np.array([np.full((8, 8, 3), COLOURS[name], np.uint8) for name in ("blue", "green", "red")])
    np.testing.assert_allclose(rows.embeddings, library.encoder.encode_images(crops), atol=1e-3)


def test_what_another_run_has_made_of_the_folders_counts_when_the_own_one_begins(library):
    roots = library.store.roots
    roots.add(str(library.photos))
    all_of_them = plan_scopes([], roots=roots, prune=False)
    gone = plan_scopes([library.photos / "gone"], roots=roots, prune=True)
    around = roots.add(str(library.photos.parent))
    assert all_of_them() == [around]
    assert gone() == [Scope(around.root_id, around.root, "photos/gone")]


@pytest.mark.parametrize("number", [1 << 53, (1 << 31) + 1, -5])
def test_a_file_number_that_can_not_be_is_refused(library, number):
    library.index()
    with library.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE files SET file_id = ? WHERE file_id = 1", (number,))
    with pytest.raises(StoreError, match="invalid id"):
        library.index()
