"""What OpenVINO makes of a model, kept in the cache: never loaded when it is not as it was written."""

import locale
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.openvino.compile import check_crops
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.errors import ModelError
from clipsearch.paths import cache_dir

pytestmark = pytest.mark.empty_cache


def rows(model: Path) -> np.ndarray:
    encoder = CompiledEncoder(model, name="tiny")
    return np.concatenate(
        [encoder.encode_texts(["a cat", "snow"]), encoder.encode_images(check_crops(encoder.preprocess))]
    )


def blobs() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted((cache_dir() / "openvino").glob("*/*.blob"))}


def rewrite(path: Path, content: bytes) -> None:
    """In place and with the time it had, as a disk loses a bit."""
    status = path.stat()
    path.chmod(0o600)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def flip(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_blobs_are_made_once_and_used_again(compiled_copy):
    expected = rows(compiled_copy)
    first = blobs()
    assert len(first) == 2
    times = [path.stat().st_mtime_ns for path in first]
    np.testing.assert_array_equal(rows(compiled_copy), expected)
    assert [path.stat().st_mtime_ns for path in blobs()] == times


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "not ours", "no hashes", "odd hashes"])
def test_a_damaged_blob_is_made_anew(compiled_copy, damage):
    expected = rows(compiled_copy)
    for path, content in blobs().items():
        hashes = path.parent / "hashes.json"
        match damage:
            case "flipped":
                rewrite(path, flip(content, len(content) * 2 // 3))
            case "cut":
                rewrite(path, content[: len(content) // 2])
            case "emptied":
                rewrite(path, b"")
            case "not ours":
                rewrite(path, os.urandom(1000))
            case "no hashes":
                hashes.unlink()
            case "odd hashes":
                hashes.write_text("[" * 100_000)
    np.testing.assert_array_equal(rows(compiled_copy), expected)
    for path, content in blobs().items():
        assert len(content) > 1000
        assert path.name in (path.parent / "hashes.json").read_text()


def test_every_flipped_bit_is_noticed(compiled_copy):
    """Without the check, a bit in the weights of a blob changes rows and nothing else."""
    expected = rows(compiled_copy)
    for place in range(1, 10):
        for path, content in blobs().items():
            rewrite(path, flip(content, len(content) * place // 10))
        np.testing.assert_array_equal(rows(compiled_copy), expected)


def test_weights_that_a_disk_has_damaged_are_noticed_when_a_blob_is_made(compiled_copy, monkeypatch):
    monkeypatch.setattr("clipsearch.encoders.fingerprint.MEMO_MIN_BYTES", 1)
    os.utime(compiled_copy / "text.bin", (1e9, 1e9))  # long enough ago for its hash to be remembered
    rows(compiled_copy)
    rewrite(compiled_copy / "text.bin", flip((compiled_copy / "text.bin").read_bytes(), 1000))
    rows(compiled_copy)  # from the blobs, which are as they were
    shutil.rmtree(cache_dir() / "openvino")
    with pytest.raises(ModelError, match="is damaged"):
        rows(compiled_copy)


def test_two_that_make_the_same_blob_at_once_do_no_harm(compiled_copy):
    expected = rows(compiled_copy)
    shutil.rmtree(cache_dir() / "openvino")
    before = locale.setlocale(locale.LC_CTYPE)
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(rows(compiled_copy))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert locale.setlocale(locale.LC_CTYPE) == before
    for each in (*found, rows(compiled_copy), rows(compiled_copy)):
        np.testing.assert_array_equal(each, expected)


def test_a_cache_that_can_not_be_written_is_done_without(compiled_copy, monkeypatch, tmp_path):
    expected = rows(compiled_copy)
    (tmp_path / "in the way").touch()
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "in the way"))
    np.testing.assert_array_equal(rows(compiled_copy), expected)


def test_blobs_long_unused_are_deleted():
    kept = cache_dir() / "openvino"
    unused, used = kept / "unused", kept / "used"
    for folder in (unused, used):
        folder.mkdir(parents=True)
        (folder / "1.blob").touch()
    os.utime(unused, (1e9, 1e9))
    (kept / "2.blob").touch()
    load_encoder("starter").encode_texts(["a cat"])
    (own,) = set(kept.iterdir()) - {used}
    assert {path.suffix for path in own.iterdir()} == {".blob", ".json"}
    os.utime(own, (1e9, 1e9))
    load_encoder("starter").encode_texts(["a cat"])
    assert own.stat().st_mtime > 1e9


def test_a_blob_is_kept_although_something_beside_it_can_not_be_deleted(compiled_copy, monkeypatch):
    kept = cache_dir() / "openvino"
    kept.mkdir(parents=True)
    (kept / "2.blob").touch()
    unlink = Path.unlink

    def refuse(path: Path, **options: bool) -> None:
        if path.name == "2.blob":
            raise PermissionError
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", refuse)
    rows(compiled_copy)
    assert len(blobs()) == 2
