"""A snapshot file is used only when every byte of it is right."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import VectorIndexError
from clipsearch.indexes.faiss_index import FaissIndex
from clipsearch.indexes.snapshot import Sidecar, load_snapshot, save_snapshot, sidecar_path
from clipsearch.vectors import normalise

SIDECAR = Sidecar("catalog", "ab" * 32, "images", 8, "inner_product", 30, 2, 77)


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    index = FaissIndex(8)
    index.add(np.arange(30, dtype=np.int64), normalise(np.random.default_rng(0).standard_normal((30, 8))))
    save_snapshot(index, tmp_path / "sub" / "images.faiss", SIDECAR)
    return tmp_path / "sub" / "images.faiss"


def test_what_was_saved_comes_back(snapshot):
    index, sidecar = load_snapshot(snapshot, SIDECAR)
    assert index.count == 30
    assert sidecar.last_embedding_id == 77
    assert sidecar.size_bytes == snapshot.stat().st_size
    assert [path.name for path in sorted(snapshot.parent.iterdir())] == ["images.faiss", "images.json"]


@pytest.mark.parametrize(
    "change", [{"catalog": "other"}, {"fingerprint": "cd"}, {"generation": 3}, {"kind": "captions"}]
)
def test_a_snapshot_of_something_else_is_refused(snapshot, change):
    with pytest.raises(VectorIndexError, match="stale"):
        load_snapshot(snapshot, replace(SIDECAR, **change))


@pytest.mark.parametrize("where", [0, 10, 100, -1])
def test_one_flipped_bit_is_found(snapshot, where):
    data = bytearray(snapshot.read_bytes())
    data[where] ^= 1
    snapshot.write_bytes(bytes(data))
    with pytest.raises(VectorIndexError, match="damaged"):
        load_snapshot(snapshot, SIDECAR)


def test_truncated_missing_or_undescribed_is_refused(snapshot):
    whole = snapshot.read_bytes()
    snapshot.write_bytes(whole[:-5])
    with pytest.raises(VectorIndexError, match="damaged"):
        load_snapshot(snapshot, SIDECAR)
    snapshot.unlink()
    with pytest.raises(VectorIndexError, match="can't read"):
        load_snapshot(snapshot, SIDECAR)
    snapshot.write_bytes(whole)
    described = json.loads(sidecar_path(snapshot).read_text())
    for broken in ("", "{}", "[]", "null", json.dumps(described | {"extra": 1})):
        sidecar_path(snapshot).write_text(broken)
        with pytest.raises(VectorIndexError):
            load_snapshot(snapshot, SIDECAR)


def test_a_folder_that_can_not_be_written_is_an_error_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(VectorIndexError, match="can't write"):
        save_snapshot(FaissIndex(8), tmp_path / "file" / "images.faiss", SIDECAR)
