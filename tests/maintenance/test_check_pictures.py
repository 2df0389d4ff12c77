"""Picture files compared with the hashes of what was indexed: bit rot told from changes."""

import os
import shutil

import pytest
from sqlalchemy import update

from clipsearch import InputError, check_catalog
from clipsearch.cli import run
from clipsearch.maintenance import check_pictures
from clipsearch.paths import catalog_place
from clipsearch.store import Store, tables

COLOURS = ("red", "green", "blue", "white")


@pytest.fixture(autouse=True)
def honest_times(monkeypatch):
    monkeypatch.setattr(check_pictures, "keeps_change_times", lambda path: True)


@pytest.fixture
def shelf(place):
    for colour in COLOURS:
        place.paint(colour)
    place.index()
    return place


def rot(place, name: str, catalog=None) -> None:
    """Another byte in the file, and nothing that tells of it: its ctime can't be set, so the catalog's is."""
    path = place.photos / f"{name}.png"
    flip(path)
    with Store(catalog_place(catalog or place.catalog)) as store, store._database.write() as connection:
        known = tables.files
        connection.execute(
            update(known).where(known.c.relative_path == path.name).values(ctime_ns=path.stat().st_ctime_ns)
        )


def flip(path) -> None:
    """An edit that keeps size and time."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def found(report) -> list[tuple[str, str]]:
    return [(finding.severity, finding.message) for finding in report.findings if finding.check == "pictures"]


def test_sound_pictures(shelf):
    report = check_catalog(shelf.catalog, pictures="all")
    assert (found(report), report.picture_files, report.compared_files, report.is_sound) == ([], 4, 4, True)
    assert check_catalog(shelf.catalog).compared_files == 0


def test_rotten_bytes_are_an_error(shelf):
    rot(shelf, "green")
    report = check_catalog(shelf.catalog, pictures="all")
    rotten = "green.png has rotted: its bytes are not those that were indexed, and nothing has written to it since"
    assert found(report) == [("error", f"{shelf.photos}/{rotten}")]
    assert not report.is_sound
    # What is taken as it is by hand is right from then on.
    shelf.index()
    assert not check_catalog(shelf.catalog, pictures="all").is_sound
    shelf.index(again=True)
    assert found(check_catalog(shelf.catalog, pictures="all")) == []


def test_what_was_changed_since_is_no_error(shelf):
    shelf.paint("red", "black")
    flip(shelf.photos / "white.png")  # its ctime tells
    (shelf.photos / "blue.png").chmod(0o640)
    (shelf.photos / "green.png").unlink()
    report = check_catalog(shelf.catalog, pictures="all")
    assert [(severity, message.partition(", such as")[0]) for severity, message in found(report)] == [
        ("info", "2 picture files are changed since the last 'clipsearch index'"),
        ("info", "1 picture file is missing"),
    ]
    assert (report.compared_files, report.is_sound) == (1, True)


def test_where_times_can_not_tell_it_is_a_warning(shelf, monkeypatch):
    rot(shelf, "green")
    monkeypatch.setattr(check_pictures, "keeps_change_times", lambda path: False)
    report = check_catalog(shelf.catalog, pictures="all")
    assert [severity for severity, _ in found(report)] == ["warning"]
    assert "changed by a program that keeps both, or rotted" in found(report)[0][1]


def test_a_file_that_can_not_be_read(shelf, monkeypatch):
    hash_file = check_pictures.hash_file

    def failing(path: str):
        if path.endswith("blue.png"):
            raise OSError(5, "Input/output error")
        return hash_file(path)

    monkeypatch.setattr(check_pictures, "hash_file", failing)
    report = check_catalog(shelf.catalog, pictures="all")
    assert found(report) == [("warning", f"{shelf.photos}/blue.png can't be read: Input/output error")]
    assert report.compared_files == 3


def test_a_drive_that_is_away_and_content_in_a_cloud_are_only_told(shelf, monkeypatch):
    shutil.move(shelf.photos, shelf.photos.parent / "away")
    report = check_catalog(shelf.catalog, pictures="all")
    assert found(report) == [
        (
            "info",
            f"4 picture files are in a missing folder, as on a drive that is not mounted, such as {found_path(report)}",
        )
    ]
    assert report.is_sound
    shutil.move(shelf.photos.parent / "away", shelf.photos)
    monkeypatch.setattr(check_pictures, "is_elsewhere", lambda status: True)
    monkeypatch.setattr(check_pictures, "hash_file", None)  # nothing is read
    report = check_catalog(shelf.catalog, pictures="all")
    assert [severity for severity, _ in found(report)] == ["info"]
    assert report.is_sound


def found_path(report) -> str:
    return found(report)[0][1].rpartition("such as ")[2]


def test_so_many_by_chance(shelf):
    seen = set()
    hash_file = check_pictures.hash_file
    with pytest.MonkeyPatch.context() as watching:
        watching.setattr(check_pictures, "hash_file", lambda path: (seen.add(path), hash_file(path))[1])
        for _ in range(60):
            assert check_catalog(shelf.catalog, pictures=1).compared_files == 1
    assert len(seen) == 4  # by chance one in 30 million is left out
    with pytest.raises(InputError, match="invalid number of pictures"):
        check_catalog(shelf.catalog, pictures=0)


def test_it_can_be_stopped_and_says_what_was_found(shelf, monkeypatch):
    rot(shelf, "blue")
    monkeypatch.setattr(check_pictures, "_AT_ONCE", 1)

    def stop(done: int, total: int) -> None:
        assert total == 4
        if done == 3:
            raise KeyboardInterrupt

    report = check_catalog(shelf.catalog, pictures="all", on_progress=stop)
    assert (report.is_interrupted, report.compared_files) == (True, 3)


def test_a_database_that_can_not_be_read_comes_first(shelf):
    shelf.database.write_bytes(b"no database")
    report = check_catalog(shelf.catalog, pictures="all")
    assert ("info", "no picture was compared: the database comes first") in found(report)


def test_on_the_command_line(shelf, capsys):
    assert run(["doctor", "--pictures", "--catalog", str(shelf.catalog)]) == 0
    assert "4 of 4 picture files compared with their hashes" in capsys.readouterr().out
    assert run(["doctor", "--pictures", "2", "--catalog", str(shelf.catalog)]) == 0
    assert "2 of 4 picture files compared" in capsys.readouterr().out
    assert run(["doctor", "2", "--catalog", str(shelf.catalog)]) == 2
    assert "--pictures" in capsys.readouterr().err
    rot(shelf, "red")
    assert run(["doctor", "--pictures", "--full", "--catalog", str(shelf.catalog)]) == 1
    assert "red.png has rotted" in capsys.readouterr().out


def test_a_catalog_on_a_server(shelf, postgres):
    url = postgres.make_database()
    shelf._replace(catalog=url).index()
    rot(shelf, "red", url)
    report = check_catalog(url, pictures="all")
    assert [severity for severity, _ in found(report)] == ["error"]
    assert report.compared_files == 4
