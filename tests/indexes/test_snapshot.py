"""A snapshot file is used only when every byte of it is right."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import VectorIndexError
from clipsearch.indexes import snapshot
from clipsearch.indexes.flat import FaissIndex
from clipsearch.indexes.snapshot import (
    Sidecar,
    index_path,
    load_snapshot,
    remove_snapshots,
    save_snapshot,
    sidecar_path,
)
from clipsearch.vectors import normalise

SIDECAR = Sidecar("catalog", "ab" * 32, "images", 8, "inner_product", 30, 2, 77)


def save(folder: Path, seed: int = 0) -> tuple[Path, str]:
    index = FaissIndex(8)
    index.add(np.arange(30, dtype=np.int64), normalise(np.random.default_rng(seed).standard_normal((30, 8))))
    checksum = save_snapshot(index, folder, SIDECAR)
    return index_path(folder, SIDECAR, checksum), checksum


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sub"


def test_what_was_saved_comes_back(folder):
    path, checksum = save(folder)
    assert load_snapshot(folder, SIDECAR, checksum).count == 30
    assert sorted(file.name for file in folder.iterdir()) == [path.name, sidecar_path(path).name]


@pytest.mark.parametrize("change", [{"catalog": "other"}, {"generation": 3}, {"count": 29}, {"last_embedding_id": 1}])
def test_a_snapshot_of_something_else_is_refused(folder, change):
    _, checksum = save(folder)
    with pytest.raises(VectorIndexError):
        load_snapshot(folder, replace(SIDECAR, **change), checksum)


@pytest.mark.parametrize("where", [0, 10, 100, -1])
def test_one_flipped_bit_is_found(folder, where):
    path, checksum = save(folder)
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(VectorIndexError, match="damaged"):
        load_snapshot(folder, SIDECAR, checksum)


def test_truncated_missing_or_undescribed_is_refused(folder):
    path, checksum = save(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(VectorIndexError, match="damaged"):
        load_snapshot(folder, SIDECAR, checksum)
    path.unlink()
    with pytest.raises(VectorIndexError, match="can't read"):
        load_snapshot(folder, SIDECAR, checksum)
    path.write_bytes(whole)
    described = json.loads(sidecar_path(path).read_text())
    for broken in ("", "{}", "[]", "null", json.dumps(described | {"extra": 1})):
        sidecar_path(path).write_text(broken)
        with pytest.raises(VectorIndexError):
            load_snapshot(folder, SIDECAR, checksum)


def test_older_files_go_and_those_of_others_stay(folder):
    old, _ = save(folder, 1)
    new, checksum = save(folder, 2)
    (folder / f"{'cd' * 8}-images-{'0' * 16}.faiss").write_text("another model's")
    assert old != new
    remove_snapshots(folder, SIDECAR, keep=checksum)
    assert not old.exists()
    assert len(list(folder.iterdir())) == 3
    assert load_snapshot(folder, SIDECAR, checksum).count == 30


def test_a_folder_that_can_not_be_written_is_an_error_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(VectorIndexError, match="is not a folder, but index files go there"):
        save_snapshot(FaissIndex(8), tmp_path / "file", SIDECAR)


@pytest.mark.parametrize("when", ["save", "replace"])
def test_ctrl_c_leaves_no_half_written_file(folder, monkeypatch, when):
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if when == "save":
            patched.setattr(snapshot, "file_checksum", interrupt)
        else:
            patched.setattr(Path, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save(folder, 1)
    assert not list(folder.glob("*.new"))
    _, checksum = save(folder, 2)
    remove_snapshots(folder, SIDECAR, keep=checksum)
    assert len(list(folder.iterdir())) == 2


def test_what_a_killed_process_had_written_goes_and_what_is_being_written_stays(folder):
    _, checksum = save(folder)
    killed, writing, other = (
        folder / f"{fingerprint * 8}-images.{number}.new" for fingerprint, number in (("ab", 1), ("ab", 2), ("cd", 1))
    )
    for path in (killed, writing, other):
        path.write_bytes(b"part")
    for path in (killed, other):
        os.utime(path, (1e9, 1e9))
    remove_snapshots(folder, SIDECAR, keep=checksum)
    assert set(folder.glob("*.new")) == {writing, other}
    assert load_snapshot(folder, SIDECAR, checksum).count == 30


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000])
def test_a_description_that_is_none_is_a_damaged_index(folder, content):
    path, checksum = save(folder)
    path.with_suffix(".json").write_text(content)
    with pytest.raises(VectorIndexError):
        load_snapshot(folder, SIDECAR, checksum)


@pytest.mark.skipif(os.name != "posix", reason="needs permissions as POSIX has them")
def test_the_files_are_the_owners_alone(folder):
    folder.mkdir()
    umask = os.umask(0)
    try:
        save(folder)
    finally:
        os.umask(umask)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
