"""Thumbnails that were made before."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from blake3 import blake3

from clipsearch.images.thumbnail_cache import RENDERING, ThumbnailCache


def jpeg(number: int, size: int = 1000) -> bytes:
    return b"\xff\xd8" + bytes([number % 256]) * (size - 4) + b"\xff\xd9"


def key(number: int) -> bytes:
    return blake3(str(number).encode()).digest()


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def never() -> bytes:
    raise AssertionError("it is there")


def test_it_is_made_once_for_each_content_and_side(tmp_path):
    cache = ThumbnailCache(tmp_path / "t")
    assert cache.get(key(1), 64, lambda: jpeg(1)) == jpeg(1)
    assert cache.get(key(1), 64, never) == jpeg(1)
    assert ThumbnailCache(tmp_path / "t").get(key(1), 64, never) == jpeg(1)
    assert cache.get(key(1), 128, lambda: jpeg(2)) == jpeg(2)
    assert cache.get(key(2), 64, lambda: jpeg(3)) == jpeg(3)
    assert len(files(tmp_path / "t")) == 3


def test_one_rendered_in_another_way_is_not_used(tmp_path, monkeypatch):
    cache = ThumbnailCache(tmp_path)
    cache.get(key(1), 64, lambda: jpeg(1))
    monkeypatch.setattr("clipsearch.images.thumbnail_cache.RENDERING", RENDERING + 1)
    assert cache.get(key(1), 64, lambda: jpeg(2)) == jpeg(2)


def test_those_looked_at_longest_ago_go_first(tmp_path):
    cache = ThumbnailCache(tmp_path, max_bytes=10_000)
    for number in range(10):
        cache.get(key(number), 64, lambda number=number: jpeg(number))
        path = tmp_path / f"64-{RENDERING}" / key(number).hex()[:2] / f"{key(number).hex()}.jpg"
        os.utime(path, (1e9 + number, 1e9 + number))
    cache.get(key(0), 64, never)  # looked at now
    cache.get(key(10), 64, lambda: jpeg(10))
    left = {path.stem for path in files(tmp_path)}
    assert left == {key(number).hex() for number in (0, 3, 4, 5, 6, 7, 8, 9, 10)}


def test_what_was_there_before_counts(tmp_path):
    for number in range(20):
        ThumbnailCache(tmp_path).get(key(number), 64, lambda number=number: jpeg(number))
    ThumbnailCache(tmp_path, max_bytes=5_000).get(key(99), 64, lambda: jpeg(99))
    assert len(files(tmp_path)) == 4


@pytest.mark.parametrize("damage", [b"", b"\xff\xd8half", b"something else"])
def test_a_damaged_one_is_made_anew(tmp_path, damage):
    cache = ThumbnailCache(tmp_path)
    cache.get(key(1), 64, lambda: jpeg(1))
    (path,) = files(tmp_path)
    path.write_bytes(damage)
    assert cache.get(key(1), 64, lambda: jpeg(2)) == jpeg(2)
    assert cache.get(key(1), 64, never) == jpeg(2)


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path):
    (tmp_path / "file").write_text("")
    cache = ThumbnailCache(tmp_path / "file")
    assert cache.get(key(1), 64, lambda: jpeg(1)) == jpeg(1)


def test_many_threads_at_once(tmp_path):
    cache = ThumbnailCache(tmp_path, max_bytes=40_000)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: cache.get(key(n % 60), 64, lambda: jpeg(n % 60)), range(600)))
    assert found == [jpeg(n % 60) for n in range(600)]
    assert 20 <= len(files(tmp_path)) <= 40
    assert not list(tmp_path.rglob("*.new"))


def test_what_is_not_its_own_stays(tmp_path):
    """As where the folder is a link to somebody's pictures."""
    (tmp_path / "photos").mkdir()
    mine = [tmp_path / "photos" / name for name in ("holiday.jpg", "0123.jpg", f"{key(5).hex()}.png")]
    for path in mine:
        path.write_bytes(b"x" * 9_000)
        os.utime(path, (1, 1))
    cache = ThumbnailCache(tmp_path, max_bytes=2_000)
    for number in range(5):
        cache.get(key(number), 64, lambda number=number: jpeg(number))
    assert all(path.exists() for path in mine)
    assert len(files(tmp_path)) < 3 + 5


@pytest.mark.parametrize("content", [b"", b"ab", b"x" * 40])
def test_a_hash_that_is_none_names_no_file(tmp_path, content):
    assert ThumbnailCache(tmp_path).get(content, 64, lambda: jpeg(1)) == jpeg(1)
    assert files(tmp_path) == []
