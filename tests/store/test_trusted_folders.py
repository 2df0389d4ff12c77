"""Folders are those that the user has named on this machine: behind URLs, and in a backup of somebody else's."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from clipsearch import Catalog, restore_catalog
from clipsearch.cli import run
from clipsearch.errors import InputError
from clipsearch.store import Store
from clipsearch.store.trusted_folders import find_unnamed, remember_folders, require_named_folders
from clipsearch.trust import add_to_list, read_list
from tests.support.catalog_place import Place, names


@pytest.fixture
def roots(tmp_path):
    with Store(tmp_path / "catalog", create=True) as store:
        yield store.roots


@pytest.mark.parametrize(
    "url", ["s3://bucket/photos", "http://169.254.169.254/latest", "https://host:8080/a", "az://box/a"]
)
def test_what_only_the_catalog_names_is_not_asked(roots, url):
    roots.add(url)
    with pytest.raises(InputError, match="never named on this machine"):
        require_named_folders((), roots)
    require_named_folders((url,), roots)
    require_named_folders((), roots)


@pytest.mark.parametrize("named", ["s3://other/photos", "http://bucket/photos", "s3://bucket.evil.example/photos"])
def test_another_bucket_or_server_is_not_named_by_it(roots, named):
    roots.add("s3://bucket/photos")
    require_named_folders((named,), roots)
    with pytest.raises(InputError, match="s3://bucket was never named"):
        require_named_folders((), roots)


def test_folders_of_this_machine_need_no_naming(roots, tmp_path):
    roots.add(str(tmp_path))
    require_named_folders((), roots)
    require_named_folders((tmp_path, str(tmp_path), tmp_path.as_uri()), roots)


def test_a_catalog_with_a_url_that_is_none_is_refused_in_one_line(roots):
    roots.add("http://[bad")
    with pytest.raises(InputError, match="never named"):
        require_named_folders((), roots)


# ------------------------------------------------------------------ restored ones


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Takes the name of a machine and has its user's configuration from then on."""

    def switch(name: str) -> None:
        monkeypatch.setenv("CLIPSEARCH_CONFIG", str(tmp_path / f"config of {name}"))

    switch("mine")
    return switch


@pytest.fixture
def made_elsewhere(machine, tmp_path, colours):
    """A backup of a catalog of one red picture, whose folder was named on another machine."""
    machine("theirs")
    place = Place(tmp_path / "theirs", tmp_path / "photos")
    place.paint("red")
    place.index()
    with place.open() as catalog:
        catalog.admin.backup(tmp_path / "backup.sqlite3")
    machine("mine")
    return tmp_path / "backup.sqlite3", Place(tmp_path / "mine", place.photos)


def rename_root(backup: Path, root: str) -> None:
    with closing(sqlite3.connect(backup)) as connection:
        connection.execute("UPDATE roots SET path = ?", (os.fsencode(root),))
        connection.commit()


FOREIGN = ["/", "/etc", "{photos}/../..", "{photos}", "file:///etc", "s3://bucket/photos", "http://[bad", "/a\nb\udcff"]


@pytest.mark.parametrize("root", FOREIGN)
@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_that_was_never_named_here_does_not_count(made_elsewhere, root, is_there, capfd, tmp_path):
    backup, place = made_elsewhere
    root = root.format(photos=place.photos)
    rename_root(backup, root)
    if is_there:  # another folder of the user's own
        own = Place(place.catalog, tmp_path / "own")
        own.paint("blue")
        own.index()
    assert run(["restore", str(backup), "--catalog", str(place.catalog), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["unnamed"] == [root]
    assert place.find("red") == []
    with place.open() as catalog:
        assert catalog.admin.status().folders == ()
        with pytest.raises(InputError, match="no folder was indexed before"):
            catalog.index()
    with place.open() as catalog, Store(place.catalog) as store:
        assert (catalog.admin.status().files, store.reader.folders()) == (0, [])


def test_a_folder_that_is_named_again_comes_back_without_embedding(made_elsewhere, capfd):
    backup, place = made_elsewhere
    assert run(["restore", str(backup), "--catalog", str(place.catalog)]) == 0
    assert f"ignored: {place.photos} was never named on this machine" in capfd.readouterr().out
    with place.open() as catalog:
        report = catalog.index(place.photos)
        assert (report.embedded, report.found) == (0, 1)
        assert names(catalog, "red") == ["red"]
    assert restore_catalog(backup, place.catalog).unnamed == ()


def test_many_folders_are_told_in_some_lines(made_elsewhere, capfd):
    backup, place = made_elsewhere
    with closing(sqlite3.connect(backup)) as connection:
        connection.executemany(
            "INSERT INTO roots (path, added_at) VALUES (?, '2026-01-01 00:00:00.000000')",
            [(f"/none/{number}".encode(),) for number in range(30)],
        )
        connection.commit()
    assert run(["restore", str(backup), "--catalog", str(place.catalog)]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 12


@pytest.mark.parametrize("root", ["{photos}", "{photos}/..", "/"])
def test_a_folder_that_is_named_with_the_backup_counts(made_elsewhere, root):
    backup, place = made_elsewhere
    report = restore_catalog(backup, place.catalog, roots=[root.format(photos=place.photos)])
    assert report.unnamed == ()
    assert place.find("red") == ["red"]
    assert restore_catalog(backup, place.catalog.with_name("other")).unnamed == ()


def test_the_users_own_backup_is_restored_as_it_was(machine, tmp_path, colours):
    place = Place(tmp_path / "catalog", tmp_path / "photos")
    place.paint("red")
    place.index()
    with place.open() as catalog:
        catalog.admin.backup(tmp_path / "backup.sqlite3")
    # The same machine; then the same catalog, whose folders count, where nothing is known of the user any more.
    assert restore_catalog(tmp_path / "backup.sqlite3", tmp_path / "new").unnamed == ()
    machine("new")
    assert restore_catalog(tmp_path / "backup.sqlite3", place.catalog).unnamed == ()
    assert place.find("red") == ["red"]
    assert restore_catalog(tmp_path / "backup.sqlite3", tmp_path / "third").unnamed == (str(place.photos),)


def test_what_was_set_aside_once_is_not_known_the_second_time(made_elsewhere):
    backup, place = made_elsewhere
    for _ in range(2):
        assert restore_catalog(backup, place.catalog).unnamed == (str(place.photos),)


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_does_not_lead_out_of_a_named_folder(machine, tmp_path):
    (tmp_path / "named").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "named" / "link").symlink_to(tmp_path / "secret")
    remember_folders([str(tmp_path / "named")])
    inside, out = (str(tmp_path / "named" / name) for name in ("inside", "link"))
    assert find_unnamed([inside, out, f"{inside}/../../secret"], []) == [out, f"{inside}/../../secret"]


def test_names_of_folders_survive_the_list(machine, tmp_path):
    folders = ["/a b", "/new\nline", "/bytes\udcff", "/per%20cent", "/ümlaut"]
    remember_folders(folders)
    assert find_unnamed([*folders, "/a", "/per cent"], []) == ["/a", "/per cent"]


def test_a_list_that_is_full_forgets_the_oldest(machine):
    for number in range(12):
        assert add_to_list("some", f"{number}" + "x" * 40_000)
    assert [entry.rstrip("x") for entry in read_list("some")] == ["6", "7", "8", "9", "10", "11"]


def test_an_import_names_its_folders(machine, tmp_path, colours):
    machine("theirs")
    place = Place(tmp_path / "theirs", tmp_path / "photos")
    place.paint("red")
    place.index()
    with place.open() as catalog:
        catalog.export(tmp_path / "export")
    machine("mine")
    with Catalog.open(tmp_path / "mine", model="colours", create=True) as catalog:
        catalog.import_embeddings(tmp_path / "export", roots=[place.photos])
        catalog.admin.backup(tmp_path / "backup.sqlite3")
    assert restore_catalog(tmp_path / "backup.sqlite3", tmp_path / "other").unnamed == ()
