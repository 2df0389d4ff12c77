"""Files that are copied or linked to a folder."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from clipsearch.errors import InputError
from clipsearch.gallery import placing
from clipsearch.gallery.placing import PlacedFile, place_files, target_folder


@pytest.fixture
def files(tmp_path) -> list[str]:
    found = []
    for name, content in {"a/cat.jpg": b"cat", "b/cat.jpg": b"dog", "c/cat.jpg": b"cat", "d/no suffix": b""}.items():
        path = tmp_path / name
        path.parent.mkdir()
        path.write_bytes(content)
        os.utime(path, ns=(10**18, 10**18 + 7))
        found.append(str(path))
    return found


def outcome(files, folder, **options) -> list[tuple[str, str | None]]:
    return [(each.placing, each.target and each.target.name) for each in place_files(files, folder, **options)]


def test_copies_keep_times_and_never_replace_a_file(files, tmp_path):
    folder = tmp_path / "new"
    assert outcome([*files, files[0]], folder) == [
        ("copied", "cat.jpg"),
        ("copied", "cat-2.jpg"),
        ("present", "cat.jpg"),
        ("copied", "no suffix"),
    ]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "cat.jpg": b"cat",
        "cat-2.jpg": b"dog",
        "no suffix": b"",
    }
    assert {path.stat().st_mtime_ns for path in folder.iterdir()} == {10**18 + 7}
    assert {placing for placing, _ in outcome(files, folder)} == {"present"}
    (folder / "cat.jpg").write_bytes(b"own")
    assert outcome(files[:1], folder) == [("copied", "cat-3.jpg")]
    assert (folder / "cat.jpg").read_bytes() == b"own"


@pytest.mark.parametrize("has_symlinks", [True, False])
def test_links_lead_to_the_originals(files, tmp_path, monkeypatch, has_symlinks):
    if not has_symlinks:

        def refuse(*_, **__):
            raise OSError(errno.EPERM, "a required privilege is not held by the client")

        monkeypatch.setattr(Path, "symlink_to", refuse)
    folder = tmp_path / "links"
    assert outcome(files[:3], folder, links=True) == [
        ("linked", "cat.jpg"),
        ("linked", "cat-2.jpg"),
        ("present", "cat.jpg"),
    ]
    assert (folder / "cat-2.jpg").samefile(files[1])
    assert (folder / "cat.jpg").is_symlink() == has_symlinks
    assert {placing for placing, _ in outcome(files[:3], folder, links=True)} == {"present"}


def test_what_fails_is_told_and_the_others_go_on(files, tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    named = [str(tmp_path / "gone.jpg"), str(tmp_path / "pipe.jpg"), "s3://bucket/cat.jpg", files[1]]
    for links, done in ((False, "copied"), (True, "linked")):
        gone, pipe, url, last = place_files(named, tmp_path / done, links=links)
        assert gone == PlacedFile(named[0], "failed", reason="No such file or directory")
        assert (pipe.placing, pipe.reason) == ("failed", "a named pipe, not a regular file")
        assert (url.placing, url.reason) == ("failed", "it is not on this machine")
        assert last.placing == done
        assert [path.name for path in (tmp_path / done).iterdir()] == ["cat.jpg"]


def test_a_full_disk_leaves_no_part_of_a_file(files, tmp_path, monkeypatch):
    def fill(source, file, length):
        file.write(b"c")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", fill)
    (found,) = place_files(files[:1], tmp_path / "full")
    assert (found.placing, found.reason) == ("failed", "No space left on device")
    assert list((tmp_path / "full").iterdir()) == []


def test_a_link_in_the_folder_is_not_written_through(files, tmp_path):
    folder, outside = tmp_path / "folder", tmp_path / "outside.jpg"
    folder.mkdir()
    (folder / "cat.jpg").symlink_to(outside)
    assert outcome(files[:1], folder) == [("copied", "cat-2.jpg")]
    assert not outside.exists()


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for name in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError):
            list(place_files([], target_folder(name)))
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    for name in (tmp_path / "gone" / "x", tmp_path / "dangling" / "x"):
        with pytest.raises(InputError, match=f"the folder {name.parent} is not there: is the drive mounted"):
            target_folder(name)
    with pytest.raises(InputError, match="empty"):
        target_folder("")


def test_many_files_of_a_name_and_size_are_each_looked_at_once(tmp_path, monkeypatch):
    named = []
    for number in range(40):
        (tmp_path / f"{number}").mkdir()
        path = tmp_path / f"{number}" / "a.jpg"
        path.write_bytes(b"%04d" % number)
        named.append(str(path))
    tried = []
    create = placing.create_file
    monkeypatch.setattr(placing, "create_file", lambda *given: [tried.append(given), create(*given)][1])
    assert [name for _, name in outcome(named, tmp_path / "copies")] == ["a.jpg", *(f"a-{n}.jpg" for n in range(2, 41))]
    assert len(tried) == 40
    assert {placing for placing, _ in outcome(named, tmp_path / "copies")} == {"present"}


def test_a_name_that_is_all_suffix_keeps_it(tmp_path):
    for folder, content in (("a", b"1"), ("b", b"2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / ".jpg").write_bytes(content)
    named = [str(tmp_path / folder / ".jpg") for folder in "ab"]
    assert outcome(named, tmp_path / "copies") == [("copied", ".jpg"), ("copied", ".-2.jpg")]
