"""What a background learnt is found again by the next process, and never taken for another catalog's."""

from pathlib import Path

import numpy as np
import pytest

from clipsearch.indexes.flat import FaissIndex
from clipsearch.paths import cache_dir
from clipsearch.scoring import background_cache
from clipsearch.scoring.background_cache import load_background
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.relevance import SAMPLE_ROWS, Background, learn_background
from clipsearch.vectors import normalise

DIM = 16


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path))


def rows(count: int, seed: int) -> np.ndarray:
    return normalise(np.random.default_rng(seed).standard_normal((count, DIM)))


def index_of(embeddings: np.ndarray) -> FaissIndex:
    index = FaissIndex(DIM)
    index.add(np.arange(len(embeddings), dtype=np.int64), embeddings)
    return index


BANK = Bank(rows(30, 0), 20.0, slope=0.0, intercept=10.0)


def cached_files() -> list[Path]:
    return sorted((cache_dir() / "background").glob("*.json"))


def assert_same(one: Background, other: Background) -> None:
    assert np.array_equal(one.sample, other.sample)
    assert np.array_equal(one.own_levels, other.own_levels)
    assert one.own_levels.dtype == other.own_levels.dtype == np.float32
    assert (one.usual_level, one.words, one.pictures) == (other.usual_level, other.words, other.pictures)
    assert (one.count, one.bank) == (other.count, other.bank)


def load(index: FaissIndex, bank: Bank) -> Background:
    return load_background(index.sample(SAMPLE_ROWS), index.count, bank)


def refuse(*_: object) -> Background:
    raise AssertionError("it was learnt again")


def test_second_process_does_not_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    index = index_of(rows(40, 1))
    learnt = learn_background(index, BANK)
    assert_same(load(index, BANK), learnt)
    monkeypatch.setattr(background_cache, "learn_from_sample", refuse)
    assert_same(load(index, BANK), learnt)


@pytest.mark.parametrize("bank", [BANK, Bank(rows(30, 5), 20.0, 0.0, 10.0), Bank(BANK.embeddings, 30.0, 0.0, 10.0)])
def test_other_pictures_and_other_banks_are_learnt(bank: Bank) -> None:
    load(index_of(rows(40, 1)), BANK)
    index = index_of(rows(40, 2))
    assert_same(load(index, bank), learn_background(index, bank))
    assert len(cached_files()) == 2


@pytest.mark.parametrize("damaged", ["", "[1.0]", "[0.5, 0.1, 0.0, 1.0, 0.1, 0.2, 1.0" + ", 0.1" * 40 + "]"])
def test_damaged_numbers_are_learnt_again(damaged: str) -> None:
    index = index_of(rows(40, 1))
    load(index, BANK)
    (path,) = cached_files()
    path.write_text(damaged)
    assert_same(load(index, BANK), learn_background(index, BANK))


def test_empty_catalog_is_not_cached() -> None:
    index = index_of(rows(0, 1))
    background = load(index, BANK)
    assert background.usual_level is None
    assert cached_files() == []
