"""Equal content, equal hash; remembered only where that is safe."""

import dataclasses
import json
import os
import time
from pathlib import Path

import pytest
from blake3 import blake3

from clipsearch.encoders import fingerprint
from clipsearch.encoders.fingerprint import combine, fingerprint_of, hash_file
from clipsearch.images.preprocess import Preprocess

SPEC = Preprocess(32, 32, 32, 3, 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
AN_HOUR_NS = 3_600_000_000_000


@pytest.fixture
def memo(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fingerprint, "MEMO_MIN_BYTES", 0)
    return fingerprint.cache_dir() / fingerprint.MEMO_NAME


def settle(path: Path, age_ns: int = AN_HOUR_NS) -> None:
    """Makes the file look unchanged for a while."""
    then = time.time_ns() - age_ns
    os.utime(path, ns=(then, then))


def test_the_hash_is_blake3_of_the_content(tmp_path: Path) -> None:
    small, large, empty = tmp_path / "small", tmp_path / "large", tmp_path / "empty"
    small.write_bytes(b"abc")
    large.write_bytes(b"abc" * 1_000_000)
    empty.write_bytes(b"")
    for path in (small, large, empty):
        assert hash_file(path) == blake3(path.read_bytes()).hexdigest()


def test_a_remembered_hash_is_not_computed_again(tmp_path: Path, memo: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    settle(path)
    hash_file(path)
    entries = json.loads(memo.read_text())
    assert list(entries) == [str(path.resolve())]
    entries[str(path.resolve())][2] = "f" * 64
    memo.write_text(json.dumps(entries))
    assert hash_file(path) == "f" * 64
    link = tmp_path / "link"  # as the hub's snapshots are
    link.symlink_to(path)
    assert hash_file(link) == "f" * 64


def test_a_changed_file_is_hashed_again(tmp_path: Path, memo: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    settle(path)
    before = hash_file(path)
    path.write_bytes(b"abd")  # the same size
    settle(path, AN_HOUR_NS // 2)
    assert hash_file(path) != before


def test_a_file_changed_just_now_is_not_remembered(tmp_path: Path, memo: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    hash_file(path)
    assert not memo.exists()


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"x": 1}', "\x00", "[" * 100_000, '{"x": [3, 1000000000, "' + "?" * 64 + '"]}']
)
def test_a_damaged_memo_is_ignored(damage: str, tmp_path: Path, memo: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    settle(path)
    memo.parent.mkdir(parents=True, exist_ok=True)
    memo.write_text(damage.replace("x", str(path.resolve())))
    assert hash_file(path) == blake3(b"abc").hexdigest()


def test_a_name_too_long_for_a_file_leaves_the_memo(tmp_path: Path, memo: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    settle(path)
    memo.parent.mkdir(parents=True, exist_ok=True)
    memo.write_text(json.dumps({"x" * 5000: [1, 2, "0" * 64]}))
    hash_file(path)
    assert list(json.loads(memo.read_text())) == [str(path.resolve())]


def test_a_cache_folder_that_can_not_be_written_is_ignored(
    tmp_path: Path, memo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"not a folder")
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(blocked / "cache"))
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    settle(path)
    assert hash_file(path) == blake3(b"abc").hexdigest()


def test_files_that_are_gone_leave_the_memo(tmp_path: Path, memo: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for path in (old, new):
        path.write_bytes(b"abc")
        settle(path)
    hash_file(old)
    old.unlink()
    hash_file(new)
    assert list(json.loads(memo.read_text())) == [str(new.resolve())]


def test_every_part_counts(tmp_path: Path) -> None:
    weights, tokenizer = tmp_path / "model.safetensors", tmp_path / "tokenizer.json"
    weights.write_bytes(b"w")
    tokenizer.write_bytes(b"t")

    def compute(preprocess: Preprocess = SPEC, **settings: object) -> str:
        return fingerprint_of(
            weights=[weights], tokenizer_files=[tokenizer], preprocess=preprocess, settings={"type": "clip", **settings}
        )

    base = compute()
    assert compute() == base
    assert compute(dataclasses.replace(SPEC, resample=2)) != base
    assert compute(type="siglip") != base
    weights.write_bytes(b"W")
    assert compute() != base
    weights.write_bytes(b"w")
    tokenizer.write_bytes(b"T")
    assert compute() != base


def test_combining_ignores_the_order_of_keys_only() -> None:
    assert combine({"a": 1, "b": [1, 2]}) == combine({"b": [1, 2], "a": 1})
    assert combine({"a": [1, 2]}) != combine({"a": [2, 1]})
    assert combine({"a": "1"}) != combine({"a": 1})
