"""What an index run reads although it looks as it did the last time, and what it does not."""

import os
import shutil
import sys
from types import SimpleNamespace

import pytest
from PIL import Image
from sqlalchemy import update

from clipsearch.errors import ImageReadError
from clipsearch.images import decode, file_stamp, find, reading
from clipsearch.images.decode import DecodingLimits
from clipsearch.store import tables
from tests.support.fakes import COLOURS
from tests.support.library import Library, counts


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path) as library:
        for colour in ("red", "green", "blue"):
            library.paint(f"{colour}.png", colour)
        yield library


def refuse(*_: object, **__: object) -> None:
    raise ImageReadError("damaged")


class TestLimits:
    """What a picture went beyond is remembered with it: it is tried again when more is allowed."""

    SMALL = DecodingLimits(max_megapixels=0.0001)

    def test_a_picture_is_tried_again_when_more_megapixels_are_allowed(self, library):
        report = library.index(limits=self.SMALL)
        assert counts(report) == {"found": 3, "skipped": 3}
        assert {skipped.limit for skipped in report.skipped} == {"megapixels"}
        again = library.index(limits=self.SMALL)
        assert again.skipped == report.skipped
        assert counts(library.index(limits=DecodingLimits(max_megapixels=0.00011))) == {"found": 3, "skipped": 3}
        assert counts(library.index(limits=DecodingLimits(max_megapixels=1))) == {"found": 3, "embedded": 3}

    def test_a_lower_limit_asks_nothing_of_what_is_known(self, library):
        library.index()
        assert counts(library.index(limits=self.SMALL)) == {"found": 3, "unchanged": 3}

    def test_a_copy_is_tried_again_too(self, library):
        shutil.copy(library.photos / "red.png", library.photos / "red too.png")
        assert counts(library.index(limits=self.SMALL)) == {"found": 4, "skipped": 4}
        assert counts(library.index(limits=DecodingLimits())) == {"found": 4, "embedded": 3, "reused": 1}

    def test_a_file_of_too_many_bytes_is_tried_again(self, library, monkeypatch):
        monkeypatch.setattr(decode, "_MAX_EXTRA_BYTES", 0)
        with open(library.photos / "red.png", "ab") as file:
            file.write(bytes(5_000))
        few = DecodingLimits(max_megapixels=0.0002)  # 3,200 bytes
        report = library.index(limits=few)
        assert [skipped.limit for skipped in report.skipped] == ["bytes"]
        assert library.index(limits=few).skipped == report.skipped
        assert counts(library.index(limits=DecodingLimits(max_megapixels=0.0004))) == {
            "found": 3,
            "embedded": 1,
            "unchanged": 2,
        }

    @pytest.mark.parametrize(
        "reason", ["too large: 300 megapixels, the limit is 256", "it took longer than 60 s to decode", "truncated"]
    )
    def test_what_an_earlier_version_skipped_for_a_limit_is_tried_once(self, library, reason, monkeypatch):
        with monkeypatch.context() as broken:
            broken.setattr(reading, "decode_image", refuse)
            library.index()
        with library.store._database.write() as connection:
            connection.execute(update(tables.files).values(skip_reason=reason, ctime_ns=None, inode=None))
        assert counts(library.index(limits=self.SMALL)) == {"found": 3, "skipped": 3}
        library.encoder.images_seen = 0
        monkeypatch.setattr(reading, "open_regular_file", None)  # nothing is read any more
        assert counts(library.index(limits=self.SMALL)) == {"found": 3, "skipped": 3}

    def test_what_is_wrong_with_a_file_is_no_limit(self, library, monkeypatch):
        (library.photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
        assert [skipped.limit for skipped in library.index().skipped] == [None]
        monkeypatch.setattr(reading, "open_regular_file", None)
        more = DecodingLimits(max_seconds=1000)
        assert counts(library.index(limits=more)) == {"found": 4, "unchanged": 3, "skipped": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such time")
class TestWhatLooksUnchanged:
    """An edit may keep size and time of a file; its ctime can't be set."""

    def edit(self, library, name: str, colour: str) -> None:
        """Another content of the same size, with the time that the file had."""
        path = library.photos / name
        before, other = path.stat(), library.photos.parent / "other.bmp"
        Image.new("RGB", (16, 12), COLOURS[colour]).save(other)
        path.write_bytes(other.read_bytes())
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)

    @pytest.fixture
    def bitmaps(self, library, monkeypatch):
        monkeypatch.setattr(find, "keeps_change_times", lambda path: True)
        for colour in ("yellow", "black"):
            library.paint(f"{colour}.bmp", colour)
        library.index()
        return library

    @pytest.fixture
    def plain(self, bitmaps, monkeypatch):
        """A file system that keeps no ctime."""
        monkeypatch.setattr(find, "keeps_change_times", lambda path: False)
        return bitmaps

    def test_an_edit_that_keeps_size_and_time_is_seen(self, bitmaps):
        self.edit(bitmaps, "yellow.bmp", "white")
        assert counts(bitmaps.index()) == {"found": 5, "embedded": 1, "unchanged": 4}
        assert bitmaps.find("white")[0] == "yellow.bmp"

    def test_files_that_change_places_are_seen(self, bitmaps):
        yellow, black = (bitmaps.photos / f"{colour}.bmp" for colour in ("yellow", "black"))
        os.utime(yellow, ns=(5, 5))
        os.utime(black, ns=(5, 5))
        bitmaps.index()
        yellow.rename(bitmaps.photos / "third")
        black.rename(yellow)
        (bitmaps.photos / "third").rename(black)
        assert counts(bitmaps.index()) == {"found": 5, "unchanged": 3, "reused": 2}
        assert bitmaps.find("yellow")[0] == "black.bmp"

    def test_other_permissions_cost_a_hash_once(self, bitmaps, monkeypatch):
        for path in bitmaps.photos.iterdir():
            path.chmod(0o640)
        assert counts(bitmaps.index()) == {"found": 5, "unchanged": 5}
        assert bitmaps.encoder.images_seen == 0
        monkeypatch.setattr(reading, "open_regular_file", None)  # nothing is read
        assert counts(bitmaps.index()) == {"found": 5, "unchanged": 5}

    def test_what_an_earlier_version_did_not_know_is_filled_in_unread(self, bitmaps, monkeypatch):
        with bitmaps.store._database.write() as connection:
            connection.execute(update(tables.files).values(ctime_ns=None, inode=None))
        with monkeypatch.context() as nothing:
            nothing.setattr(reading, "open_regular_file", None)
            assert counts(bitmaps.index()) == {"found": 5, "unchanged": 5}
        self.edit(bitmaps, "black.bmp", "white")
        assert counts(bitmaps.index()) == {"found": 5, "embedded": 1, "unchanged": 4}

    def test_other_inodes_alone_are_no_reason_to_read(self, bitmaps, monkeypatch):
        with bitmaps.store._database.write() as connection:
            connection.execute(update(tables.files).values(inode=tables.files.c.inode + 1))
        monkeypatch.setattr(reading, "open_regular_file", None)
        assert counts(bitmaps.index()) == {"found": 5, "unchanged": 5}

    def test_a_file_system_that_makes_ctimes_up_is_not_believed(self, plain, monkeypatch):
        self.edit(plain, "yellow.bmp", "white")
        with monkeypatch.context() as nothing:
            nothing.setattr(reading, "open_regular_file", None)
            assert counts(plain.index()) == {"found": 5, "unchanged": 5}
        assert counts(plain.index(again=True)) == {"found": 5, "embedded": 1, "unchanged": 4}
        assert plain.find("white")[0] == "yellow.bmp"

    def test_a_file_whose_content_is_in_a_cloud_is_not_fetched(self, bitmaps, monkeypatch):
        (bitmaps.photos / "yellow.bmp").chmod(0o640)
        monkeypatch.setattr(find, "stamp_fields", lambda status: (status.st_size, status.st_mtime_ns, None, None))
        monkeypatch.setattr(reading, "open_regular_file", None)
        assert counts(bitmaps.index()) == {"found": 5, "unchanged": 5}

    def test_all_are_read_anew_and_only_what_changed_is_embedded(self, bitmaps):
        shutil.copy(bitmaps.photos / "black.bmp", bitmaps.photos / "night.bmp")
        (bitmaps.photos / "broken.png").write_bytes(b"nothing")
        bitmaps.index()
        opened = []
        open_file = reading.open_regular_file
        with pytest.MonkeyPatch.context() as watching:
            watching.setattr(reading, "open_regular_file", lambda path: (opened.append(path), open_file(path))[1])
            assert counts(bitmaps.index(again=True)) == {"found": 7, "unchanged": 6, "skipped": 1}
        assert len(opened) == 7
        assert bitmaps.encoder.images_seen == 0

    def test_a_file_that_was_touched_is_known(self, bitmaps):
        os.utime(bitmaps.photos / "black.bmp", ns=(7, 7))
        assert counts(bitmaps.index()) == {"found": 5, "unchanged": 4, "reused": 1}


class TestTimesBeyond64Bits:
    """File systems have more dates than 63 bits of nanoseconds since 1970."""

    DATES = (13_569_465_600, 0, -1, -86_400 * 365 * 30)  # the year 2400, 1970, before, 1940

    @pytest.mark.parametrize("seconds", DATES)
    def test_a_file_of_any_date_is_indexed_once(self, library, seconds):
        os.utime(library.photos / "red.png", (seconds, seconds))
        assert counts(library.index(limits=DecodingLimits())) == {"found": 3, "embedded": 3}
        assert counts(library.index(limits=DecodingLimits())) == {"found": 3, "unchanged": 3}

    def test_a_change_among_far_dates_is_seen(self, library, monkeypatch):
        monkeypatch.setattr(find, "keeps_change_times", lambda path: False)
        os.utime(library.photos / "red.png", (13_569_465_600, 13_569_465_600))
        library.index()
        library.paint("red.png", "white")
        os.utime(library.photos / "red.png", (13_569_465_601, 13_569_465_601))
        assert counts(library.index()) == {"found": 3, "embedded": 1, "unchanged": 2}

    @pytest.mark.parametrize(
        "odd",
        [
            {"st_mtime_ns": 1 << 70},
            {"st_mtime_ns": -(1 << 63) - 1},
            {"st_ino": (1 << 64) - 1},
            {"st_ctime_ns": 1 << 63},
            {"st_size": 1 << 64},
        ],
    )
    def test_whatever_numbers_a_file_system_has(self, library, monkeypatch, odd):
        real = file_stamp.stamp_fields
        for place in (find, file_stamp):
            monkeypatch.setattr(place, "stamp_fields", lambda status: real(SimpleNamespace(**fields(status) | odd)))
        assert counts(library.index()) == {"found": 3, "embedded": 3}
        assert counts(library.index()) == {"found": 3, "unchanged": 3}


@pytest.mark.skipif(sys.platform == "win32", reason="it has no blocks")
@pytest.mark.parametrize(("size_bytes", "blocks", "is_here"), [(5_000, 16, True), (5_000, 0, False), (50, 0, True)])
def test_a_file_without_blocks_is_in_a_cloud_unless_it_is_tiny(tmp_path, size_bytes, blocks, is_here):
    (tmp_path / "file").write_bytes(b"content")
    status = fields(os.stat(tmp_path / "file")) | {"st_size": size_bytes, "st_blocks": blocks}
    found = file_stamp.stamp_of(SimpleNamespace(**status))
    assert (found.ctime_ns is not None) is is_here
    assert (found.inode is not None) is is_here


def fields(status: os.stat_result) -> dict[str, int]:
    return {name: getattr(status, name) for name in dir(status) if name.startswith("st_")}
