"""How relevant a picture must be, so that few queries without an answer get one."""

import json

import numpy as np
import pytest

from clipsearch import Catalog, cli
from clipsearch.data import caption_count
from clipsearch.errors import QueryError
from clipsearch.indexes.flat import FaissIndex
from clipsearch.paths import cache_dir, sample_data_folder
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.confidence import BestRelevances, learn_best_relevances
from clipsearch.scoring.relevance import learn_background
from clipsearch.vectors import normalise

DIM = 48


def texts(count: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).standard_normal((count, DIM))
    made[:, 0] += 2
    return normalise(made)


def catalog_of(pictures: np.ndarray, bank: Bank):
    index = FaissIndex(DIM)
    index.add(np.arange(len(pictures), dtype=np.int64), pictures)
    return learn_background(index, bank), index, lambda ids: {number: pictures[number] for number in ids}


def bank() -> Bank:
    return Bank(texts(caption_count() + 900, 1), 20.0, slope=0.0, intercept=10.0)


def test_the_cut_off_is_the_quantile_that_split_conformal_prediction_asks_for():
    best = BestRelevances(tuple(np.arange(1, 100) / 100), tuple(np.arange(1, 100) / 200))
    for confidence, least in ((0.9, 0.90), (0.5, 0.50), (0.99, 0.99), (0.905, 0.91)):
        assert least < best.cutoff(confidence) < least + 1e-6
    # The stricter of the two kinds counts.
    assert BestRelevances(best.names, best.captions).cutoff(0.9) == best.cutoff(0.9)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, 2.0, float("nan"), 0.995])
def test_what_can_not_be_promised_is_refused(confidence):
    best = BestRelevances(tuple(np.arange(1, 100) / 100), tuple(np.arange(1, 100) / 100))
    with pytest.raises(QueryError, match="confidence"):
        best.cutoff(confidence)


@pytest.mark.parametrize("count", [1, 2, 5, 20, 200, 1_000])
def test_queries_like_the_bank_get_an_answer_as_rarely_as_promised(count):
    """Pictures that none of the queries fits: all that come back are wrong."""
    held_against, pictures = bank(), normalise(texts(count, 2) + texts(1, 3))
    background, index, fetch = catalog_of(pictures, held_against)
    best, levels = learn_best_relevances(background, index, fetch), background.levels_at(pictures)
    queries = [background.direction([text], [1.0], are_words=[True]) for text in texts(400, 4)]
    tops = [each.relevances(pictures @ each.embedding, levels).max() for each in queries]
    for confidence in (0.5, 0.8, 0.9):
        # Both the bank and the queries are samples: three standard errors.
        error = 3 * np.sqrt(confidence * (1 - confidence) * (1 / 300 + 1 / 400))
        assert np.mean(np.array(tops) >= best.cutoff(confidence)) <= 1 - confidence + error


def test_it_is_learnt_once_for_a_catalog_and_damage_costs_time_alone(monkeypatch):
    held_against, pictures = bank(), texts(50, 5)
    background, index, fetch = catalog_of(pictures, held_against)
    first = learn_best_relevances(background, index, fetch)
    (file,) = (cache_dir() / "confidence").glob("*.json")
    assert file.stat().st_mode & 0o77 == 0
    with monkeypatch.context() as patched:
        patched.setattr(FaissIndex, "search", None)
        assert learn_best_relevances(background, index, fetch) == first
    numbers = json.loads(file.read_text())
    for damage in ("", "[]", "{}", json.dumps(numbers[1:]), json.dumps([*numbers[1:], 1.5]), "[" * 100_000):
        file.write_text(damage)
        assert learn_best_relevances(background, index, fetch) == first
    # Another catalog has numbers of its own.
    learn_best_relevances(*catalog_of(texts(51, 6), held_against))
    assert len(list((cache_dir() / "confidence").glob("*.json"))) == 2


def test_on_the_command_line(tmp_path, capsys, indexed_samples):
    catalog = indexed_samples.copy_to(tmp_path / "catalog")
    with Catalog.open(catalog) as opened:
        cutoff = opened.cutoff_for(0.9)
        assert opened.cutoff_for(0.5) < cutoff < opened.cutoff_for(0.95)
        hits = opened.search("a cat", min_relevance=cutoff)
        assert hits[0].path.endswith("cat.jpg")
    ask = ["query", "--catalog", str(catalog), "--json", "--confidence"]
    assert cli.run([*ask, "0.9", "a cat"]) == 0
    assert [hit["path"] for hit in json.loads(capsys.readouterr().out)["hits"]] == [hit.path for hit in hits]
    assert cli.run([*ask, "0.9", "asdfgh"]) == 0
    assert json.loads(capsys.readouterr().out)["hits"] == []
    for refused in ("1", "0", "0.9999"):
        assert cli.run([*ask, refused, "a donut"]) == 2
        assert "confidence" in capsys.readouterr().err


def test_an_open_catalog_asks_its_texts_once(tmp_path, monkeypatch):
    asked = []

    def learn(*arguments):
        asked.append(arguments)
        return learn_best_relevances(*arguments)

    monkeypatch.setattr("clipsearch.scoring.confidence.learn_best_relevances", learn)
    with Catalog.open(tmp_path / "catalog", model="starter", create=True) as opened:
        opened.index(sample_data_folder() / "animals")
        first = opened.cutoff_for(0.9)
        assert opened.cutoff_for(0.9) == first
        assert len(asked) == 1
        opened.index(sample_data_folder() / "food")  # it has become another one
        opened.cutoff_for(0.9)
        assert len(asked) == 2
