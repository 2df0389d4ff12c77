"""The texts that scores are held against: what they are, and that they are encoded once."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from clipsearch.data import bank_texts, strange_texts
from clipsearch.encoders.bank import load_bank
from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.text_cache import FILE_NAME
from clipsearch.errors import ClipSearchNotice
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.familiarity import fit_familiarity
from clipsearch.vectors import normalise
from tests.support.fakes import ColourEncoder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path))
    return tmp_path


class CountedEncoder(ColourEncoder):
    """Tells in `loads` how often it was asked for."""

    context_length = 100

    def __init__(self) -> None:
        super().__init__()
        self.loads = 0

    def load(self) -> ColourEncoder:
        self.loads += 1
        return self


def test_the_bank_is_made_of_different_texts():
    texts, strange = bank_texts(), strange_texts()
    assert len(texts) == len(set(texts)) == 1_768
    assert len(strange) == len(set(strange)) > 50
    assert not set(strange) & set(texts)
    assert all(text.strip() == text and text and not text.startswith("#") for text in (*texts, *strange))


def test_rows_are_encoded_once(cache):
    encoder = CountedEncoder()

    def rows() -> np.ndarray:
        return load_bank(fingerprint="f" * 64, dim=4, load_encoder=encoder.load).embeddings

    first = rows()
    np.testing.assert_array_equal(first, encoder.encode_texts(bank_texts()))
    loads = encoder.loads
    np.testing.assert_array_equal(rows(), first)
    assert encoder.loads == loads
    whole = first.astype("<f4").tobytes()
    for damage in (b"", whole[:-9], b"\xff" * len(whole), whole[:200] + bytes(len(whole) - 200)):
        with closing(sqlite3.connect(cache / FILE_NAME)) as connection, connection:
            assert connection.execute("UPDATE texts SET embeddings = ?", (damage,)).rowcount == 1
        np.testing.assert_array_equal(rows(), first)
        loads += 1
        assert encoder.loads == loads


def test_what_was_calibrated_is_kept(cache):
    encoder = CountedEncoder()

    def load() -> Bank:
        return load_bank(fingerprint="f" * 64, dim=4, load_encoder=encoder.load)

    first = load()
    assert first.logit_scale == encoder.head.logit_scale
    (file,) = (cache / "bank").glob("*.json")
    assert file.stat().st_mode & 0o77 == 0
    loads = encoder.loads
    for damage in (
        "",
        "{}",
        "[1, 2, 3]",
        "[30.0, 1.0]",
        "[-1.0, 2.0, 3.0, 0.0, 1.0]",
        "[3.0, NaN, 3.0, 0.0, 1.0]",
        "[30.0, 1.0, 2.0, 0.0, 0.0]",
        "\0",
        "[" * 100_000,
    ):
        file.write_text(damage)
        again = load()
        loads += 1
        assert replace(again, embeddings=first.embeddings) == first
        assert encoder.loads == loads


def test_a_cache_that_can_not_be_written_costs_time_alone(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(blocked))
    encoder = CountedEncoder()
    bank = load_bank(fingerprint="f" * 64, dim=4, load_encoder=encoder.load)
    assert bank.embeddings.shape == (1_768, 4)


def test_what_takes_long_is_said_beforehand(cache, monkeypatch):
    """By a clock that goes a second a look, 64 texts take a second, and all of them 28."""
    seconds = iter(range(100))
    monkeypatch.setattr("clipsearch.encoders.bank.perf_counter", lambda: next(seconds))
    with pytest.warns(ClipSearchNotice, match="the first time with this model .* about 28 s"):
        load_bank(fingerprint="f" * 64, dim=4, load_encoder=CountedEncoder)
    load_bank(fingerprint="f" * 64, dim=4, load_encoder=CountedEncoder)  # kept: nothing to say


def rows_around(center: int, count: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((count, 16))
    return normalise(0.15 * noise + np.eye(1, 16, center))


def test_words_apart_from_all_that_is_known_are_not_familiar():
    known = np.concatenate([rows_around(center, 30, center) for center in range(8)])
    strange = normalise(np.random.default_rng(9).standard_normal((40, 16)))
    bank = Bank(known, 20.0, *fit_familiarity(known, strange))
    assert bank.familiarity_of(rows_around(3, 1, 11)[0]) > 0.9
    assert bank.familiarity_of(rows_around(12, 1, 12)[0]) < 0.2


def test_where_words_and_nonsense_lie_alike_nothing_is_told_from_nearness():
    texts = normalise(np.random.default_rng(1).standard_normal((300, 16)))
    strange = texts[::7][:40] + 0  # nearer to the bank than most of it
    bank = Bank(texts, 20.0, *fit_familiarity(texts, strange))
    assert 0.5 < bank.familiarity_of(texts[5]) < 0.7
    assert bank.familiarity_of(texts[5]) == pytest.approx(bank.familiarity_of(-texts[5]), abs=0.2)


def test_the_starter_tells_words_from_letters():
    encoder = load_encoder("starter")
    bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
    known = ["zebra", "a lighthouse at night", "a boy on a swing", "my desk at work", "a photo of a sousaphone"]
    strange = ["qwpfgj", "blorptang", "a gribbleflip", "a photo of a thnuckle", "zhvtrk"]
    levels = [bank.familiarity_of(row) for row in encoder.encode_texts([*known, *strange])]
    assert min(levels[: len(known)]) > max(levels[len(known) :])
