"""Camera raw files in indexed folders: read where the extra is installed, counted where it is not, and never lost."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from clipsearch.formats import IMAGE_SUFFIXES, RAW_SUFFIXES, UNSUPPORTED_SUFFIXES
from clipsearch.images import find
from clipsearch.indexing import scan
from clipsearch.store.backends.connection import DATABASE_NAME
from tests.support.fakes import COLOURS
from tests.support.library import Library, counts
from tests.support.make_hostile import draw_scene
from tests.support.raw_files import raw_file

pytest.importorskip("rawpy")


@pytest.fixture
def library(tmp_path: Path):
    with Library(tmp_path) as library:
        for colour in ("red", "green"):
            picture = Image.new("RGB", (640, 480), COLOURS[colour])
            (library.photos / f"{colour}.nef").write_bytes(
                raw_file(picture, make="NIKON CORPORATION", model="NIKON D70", is_dng=False, preview=picture)
            )
        library.paint("red.jpg", "blue")
        yield library


def uninstall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "IMAGE_SUFFIXES", IMAGE_SUFFIXES - RAW_SUFFIXES)
    for module in (find, scan):
        monkeypatch.setattr(module, "UNSUPPORTED_SUFFIXES", UNSUPPORTED_SUFFIXES | RAW_SUFFIXES)


def test_raw_files_are_indexed_next_to_the_jpegs_of_the_same_shots(library: Library) -> None:
    assert counts(library.index()) == {"found": 3, "embedded": 3}
    assert library.find("red")[0] == "red.nef"
    assert library.find("blue")[0] == "red.jpg"
    with closing(sqlite3.connect(library.photos.parent / "catalog" / DATABASE_NAME)) as connection:
        found = connection.execute("SELECT format, camera, width, height FROM contents ORDER BY format DESC").fetchall()
    assert found == [("NEF", "NIKON D70", 640, 480), ("NEF", "NIKON D70", 640, 480), ("JPEG", None, 16, 12)]


def test_damaged_raw_files_cost_themselves_only(library: Library) -> None:
    whole = raw_file(draw_scene(1200, 800))
    (library.photos / "half.dng").write_bytes(whole[: len(whole) // 3])
    (library.photos / "none.cr3").write_bytes(b"no picture")
    report = library.index()
    assert counts(report) == {"found": 5, "embedded": 3, "skipped": 2}
    for skipped in report.skipped:
        assert skipped.reason.startswith(("damaged", "truncated", "not a picture", "not supported"))


def test_without_the_extra_they_are_counted_and_indexed_once_it_is_there(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        uninstall(without)
        report = library.index()
        assert counts(report) == {"found": 1, "embedded": 1}
        assert report.unsupported == {".nef": 2}
    assert counts(library.index()) == {"found": 3, "embedded": 2, "unchanged": 1}


def test_indexed_raw_files_stay_in_the_catalog_without_the_extra(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index()
    with monkeypatch.context() as without:
        uninstall(without)
        (library.photos / "green.nef").unlink()
        assert counts(library.index()) == {"found": 1, "unchanged": 1, "removed": 1}
        assert library.find("red")[0] == "red.nef"
    assert counts(library.index()) == {"found": 2, "unchanged": 2}
