"""Texts asked for before are answered without the model; whatever is wrong with the file, the model is asked."""

import os
import sqlite3
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from clipsearch.encoders import text_cache
from clipsearch.encoders.text_cache import FILE_NAME, encode_query, encode_set, find_embeddings, put_embeddings
from clipsearch.errors import ClipSearchNotice
from clipsearch.paths import cache_dir
from tests.support.fakes import ColourEncoder

MODEL = ColourEncoder().fingerprint


class CountingEncoder(ColourEncoder):
    loaded = 0

    def load(self) -> "CountingEncoder":
        self.loaded += 1
        return self


def ask(text: str, encoder: CountingEncoder) -> np.ndarray:
    return encode_query(text, fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=encoder.load)


def file() -> Path:
    return cache_dir() / FILE_NAME


def test_a_text_asked_before_needs_no_model_and_is_the_same_bit_for_bit():
    encoder = CountingEncoder()
    first, second = ask("red and white", encoder), ask("red and white", encoder)
    assert encoder.loaded == 1
    assert second.dtype == np.float32
    assert first.tobytes() == second.tobytes()
    ask("green", encoder)
    assert encoder.loaded == 2


def test_another_model_does_not_see_it():
    ask("red", CountingEncoder())
    other = CountingEncoder("other")
    ask("red", other)
    assert other.loaded == 1


def test_the_words_are_not_in_the_file_and_it_is_the_owners():
    ask("red zebracrossing", CountingEncoder())
    assert b"zebra" not in file().read_bytes()
    if os.name == "posix":
        assert file().stat().st_mode & 0o777 == 0o600


def test_a_text_that_is_split_says_so_each_time():
    encoder = CountingEncoder()
    for _ in range(2):
        with pytest.warns(ClipSearchNotice, match="longer"):
            ask("red " * 13, encoder)
    assert encoder.loaded == 2


def test_the_oldest_are_forgotten(monkeypatch):
    monkeypatch.setattr(text_cache, "MAX_TEXTS", 5)
    rows = np.eye(9, dtype=np.float32)
    for number, row in enumerate(rows):
        put_embeddings([f"text {number}"], row[None], fingerprint=MODEL)
    assert [is_cached(f"text {number}", dim=9) for number in range(9)] == [False] * 4 + [True] * 5


def test_a_set_counts_as_many_texts_and_is_evicted_as_a_whole(monkeypatch):
    monkeypatch.setattr(text_cache, "MAX_TEXTS", 5)
    rows = np.eye(4, dtype=np.float32)
    put_embeddings(["before"], rows[:1], fingerprint=MODEL)
    put_embeddings(list("abcd"), rows, fingerprint=MODEL)
    assert is_cached("before")
    put_embeddings(["after"], rows[:1], fingerprint=MODEL)
    assert [is_cached("before"), is_cached(*"abcd"), is_cached("after")] == [False, True, True]
    for number in range(3):
        put_embeddings([f"later {number}"], rows[:1], fingerprint=MODEL)
    assert [is_cached(*"abcd"), is_cached("after"), is_cached("later 2")] == [True, True, True]
    put_embeddings(["last"], rows[:1], fingerprint=MODEL)
    assert [is_cached(*"abcd"), is_cached("after"), is_cached("last")] == [False, True, True]


def test_a_set_larger_than_the_cache_stays_until_the_next_text(monkeypatch):
    monkeypatch.setattr(text_cache, "MAX_TEXTS", 3)
    rows = np.eye(4, dtype=np.float32)
    for _ in range(2):
        put_embeddings(list("abcd"), rows, fingerprint=MODEL)
        np.testing.assert_array_equal(find_embeddings(list("abcd"), fingerprint=MODEL, dim=4), rows)


def is_cached(*texts, dim=4):
    return find_embeddings(list(texts), fingerprint=MODEL, dim=dim) is not None


def test_a_set_is_encoded_once_and_is_its_very_texts_in_their_order():
    encoder = CountingEncoder()

    def rows(*texts):
        return encode_set(
            texts,
            fingerprint=MODEL,
            dim=4,
            load_encoder=encoder.load,
            encode=lambda texts, loaded: loaded.encode_texts(texts),
        )

    first = rows("red", "green blue")
    assert rows("red", "green blue").tobytes() == first.tobytes()
    assert encoder.loaded == 1
    np.testing.assert_array_equal(rows("green blue", "red"), first[::-1])
    np.testing.assert_array_equal(rows("red", "green", "blue")[0], first[0])
    assert rows().shape == rows().shape == (0, 4)
    assert encoder.loaded == 4


@pytest.mark.parametrize("texts", [["\ud800"], ["a\0b"], ["a\nb", ""]])
def test_any_text_can_be_cached(texts):
    rows = np.eye(len(texts), 4, dtype=np.float32)
    put_embeddings(texts, rows, fingerprint=MODEL)
    np.testing.assert_array_equal(find_embeddings(texts, fingerprint=MODEL, dim=4), rows)
    assert not is_cached("another", *texts)


@pytest.mark.parametrize("content", [b"", b"no database at all " * 100, b"SQLite format 3\0" + b"\0" * 4000])
def test_a_damaged_file_is_made_anew(content):
    encoder = CountingEncoder()
    file().parent.mkdir(parents=True, exist_ok=True)
    file().write_bytes(content)
    for _ in range(3):
        ask("red", encoder)
    assert encoder.loaded <= 2
    assert is_cached("red")


def test_a_file_damaged_in_the_middle_gives_no_wrong_answer():
    encoder = CountingEncoder()
    expected = {f"red {number}": ask(f"red {number}", encoder) for number in range(200)}
    data = bytearray(file().read_bytes())
    data[len(data) // 3 : 2 * len(data) // 3] = os.urandom(len(data) // 3)
    file().write_bytes(data)
    for text, row in expected.items():
        np.testing.assert_array_equal(ask(text, encoder), row)


@pytest.mark.parametrize(
    "stored",
    [b"", b"12", np.ones(4, "<f4").tobytes(), np.full(4, np.nan, "<f4").tobytes(), np.full(4, 3e38, "<f4").tobytes()],
    ids=["empty", "short", "not unit", "nan", "huge"],
)
def test_a_row_that_is_no_embedding_is_passed_over(stored):
    encoder = CountingEncoder()
    right = ask("red", encoder)
    with sqlite3.connect(file()) as connection:
        connection.execute("UPDATE texts SET embeddings = ?", (stored,))
    connection.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not is_cached("red")
    np.testing.assert_array_equal(ask("red", encoder), right)
    assert encoder.loaded == 2
    ask("red", encoder)
    assert encoder.loaded == 2


def test_a_flipped_bit_in_the_type_of_a_row_fails_no_query():
    encoder = CountingEncoder()
    right = ask("red", encoder)
    data = file().read_bytes()
    place = data.index(text_cache._key(["red"], MODEL)) - 1  # the last byte of the record's header: the row's type
    assert data[place] == 12 + 2 * 4 * encoder.dim  # Source: sqlite.org/fileformat2.html, "Record Format"
    flipped = bytearray(data)
    flipped[place] ^= 1  # a text now
    # Bytes that are no UTF-8, for which Python's module has an error of its own.
    assert any(byte > 0x7F for byte in data[place + 33 :][: 4 * encoder.dim])
    file().write_bytes(flipped)
    for _ in range(2):
        np.testing.assert_array_equal(ask("red", encoder), right)
    assert encoder.loaded == 1  # it is read as bytes, whatever type it has


def test_a_damaged_description_of_the_table_fails_no_query():
    encoder = CountingEncoder()
    right = ask("red", encoder)
    data = file().read_bytes()
    # SQLite's message on it quotes the name, and is no UTF-8.
    file().write_bytes(data.replace(b"sqlite_autoindex", b"\xf3qlite_autoindex"))
    for _ in range(3):
        np.testing.assert_array_equal(ask("red", encoder), right)
    assert encoder.loaded == 2


def test_a_table_of_another_shape_is_made_anew():
    encoder = CountingEncoder()
    file().parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(file()) as connection:
        connection.execute("CREATE TABLE texts (number INTEGER PRIMARY KEY, kez BLOB, embeddings BLOB)")
    connection.close()
    for _ in range(3):
        ask("red", encoder)
    assert encoder.loaded == 2


def test_without_a_place_to_keep_them_the_model_is_asked(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path / "file"))
    encoder = CountingEncoder()
    ask("red", encoder)
    ask("red", encoder)
    assert encoder.loaded == 2


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_cache_folder_that_can_only_be_read_is_read():
    encoder = CountingEncoder()
    ask("red", encoder)
    file().chmod(0o400)
    file().parent.chmod(0o500)
    try:
        ask("red", encoder)
        assert encoder.loaded == 1
        ask("green", encoder)
        ask("green", encoder)
        assert encoder.loaded == 3
    finally:
        file().parent.chmod(0o700)


def test_a_locked_file_is_not_waited_for():
    encoder = CountingEncoder()
    ask("red", encoder)
    with sqlite3.connect(file(), isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        ask("red", encoder)
        ask("green", encoder)
        connection.execute("ROLLBACK")
    connection.close()
    assert encoder.loaded == 3
    assert is_cached("red")


def keep_some(start: int) -> None:
    encoder = CountingEncoder()
    for number in range(start, start + 30):
        ask(f"red {number % 40}", encoder)


def test_several_processes_at_once_do_no_harm():
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        list(pool.map(keep_some, [0, 10, 20, 30]))
    expected = ColourEncoder().encode_texts(["red"])[0]
    kept = [find_embeddings([f"red {number}"], fingerprint=MODEL, dim=4) for number in range(40)]
    assert sum(row is not None for row in kept) > 20
    assert all(row is None or np.array_equal(row[0], expected) for row in kept)
    with sqlite3.connect(file()) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
