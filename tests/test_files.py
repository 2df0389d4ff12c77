"""Files of others: never a pipe or a device, never more than a limit, replaced as a whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from clipsearch.files import (
    SCRATCH_NAMES,
    atomic_file,
    atomic_write,
    byte_order_mark,
    open_regular_file,
    read_regular_file,
    write_file,
)


def test_what_became_a_pipe_after_it_was_looked_at_is_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    system_open = os.open

    def swap(name, flags, *args):
        path.unlink()
        os.mkfifo(path)
        return system_open(name, flags, *args)

    monkeypatch.setattr(os, "open", swap)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None
    with pytest.raises(OSError, match="a named pipe, not a regular file"):
        open_regular_file(path)
    assert before is None or len(os.listdir("/proc/self/fd")) == before


def test_links_are_followed_unless_that_is_not_wanted(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").symlink_to("a")
    assert read_regular_file(tmp_path / "b", max_bytes=3) == b"abc"
    with pytest.raises(OSError, match="a link"):
        open_regular_file(tmp_path / "b", follow_link=False)


def test_a_larger_file_is_not_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abcd")
    with pytest.raises(OSError, match="larger than 3 B"):
        read_regular_file(path, max_bytes=3)
    assert read_regular_file(path, max_bytes=4) == b"abcd"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="a file of Linux that says it is empty")
def test_files_of_the_system_that_say_they_are_empty_have_a_limit_too():
    assert Path("/proc/self/maps").stat().st_size == 0
    assert read_regular_file("/proc/self/maps", max_bytes=10_000_000)
    with pytest.raises(OSError, match="larger than"):
        read_regular_file("/proc/self/maps", max_bytes=10)


@pytest.mark.parametrize("mode", [None, 0o640, 0o600])
def test_permissions_stay(tmp_path, mode):
    path = tmp_path / "a"
    if mode is not None:
        path.write_bytes(b"old")
        path.chmod(mode)
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == (0o666 & ~umask if mode is None else mode)
    assert os.listdir(tmp_path) == ["a"]


def test_nothing_but_a_file_is_replaced(tmp_path):
    os.mkfifo(tmp_path / "a")
    (tmp_path / "b").symlink_to("c")
    (tmp_path / "d").mkdir()
    for name in "abd":
        with pytest.raises(OSError, match="not a regular file"):
            write_file(tmp_path / name, b"new")
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "d"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_says_the_encoding(encoding):
    mark = "\ufeff".encode(encoding)
    assert byte_order_mark(mark + "a".encode(encoding)) == (mark, encoding)
    assert byte_order_mark("a".encode(encoding)) == (b"", "")


def test_an_atomic_write_replaces_what_has_the_name(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o644)
    (tmp_path / "kept").write_bytes(b"kept")
    (tmp_path / "b").symlink_to("kept")
    for name in ("a", "b", "c"):
        atomic_write(tmp_path / name, b"new")
        assert (tmp_path / name).read_bytes() == b"new"
        assert not (tmp_path / name).is_symlink()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert (tmp_path / "kept").read_bytes() == b"kept"
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c", "kept"]


@pytest.mark.parametrize("is_durable", [False, True])
def test_an_atomic_file_that_is_not_finished_leaves_the_old_one(tmp_path, is_durable):
    path = tmp_path / "description.json"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(path, is_durable=is_durable) as file:
        file.write(b"half")
        assert [bool(SCRATCH_NAMES.fullmatch(name)) for name in sorted(os.listdir(tmp_path))] == [True, False]
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["description.json"]


def test_a_long_name_is_written_atomically_too(tmp_path):
    atomic_write(tmp_path / ("a" * 255), b"new", mode=0o666)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / ("a" * 255)).stat().st_mode) == 0o666 & ~umask
