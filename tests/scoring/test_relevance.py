"""How surely a picture shows what is looked for, and what must hold at once."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from clipsearch import Catalog
from clipsearch.encoders.load import load_encoder
from clipsearch.errors import QueryError
from clipsearch.indexes.flat import FaissIndex
from clipsearch.paths import sample_data_folder
from clipsearch.query import Query, Term
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.relevance import (
    DEFAULT_CUTOFF,
    Background,
    Level,
    find_own_levels,
    learn_background,
    log_odds_of,
)
from clipsearch.search.retrieval import find_nearest
from clipsearch.store import Store
from clipsearch.vectors import median_and_spread, normalise, sigmoid
from tests.support.sample_catalog import SampleCatalog

DIM = 64
THINGS = 40

# Concepts that lean to one side as texts and pictures of CLIP do; a picture shows one of them.
CONCEPTS = normalise(np.random.default_rng(0).standard_normal((THINGS, DIM)) + np.eye(1, DIM) * 2)


@pytest.fixture(scope="module")
def samples(indexed_samples: SampleCatalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of the sample pictures."""
    return indexed_samples.copy_to(tmp_path_factory.mktemp("samples") / "c")


def rows(count: int, seed: int, lean: float = 0.0) -> np.ndarray:
    """Unit rows that all lean to one side."""
    made = np.random.default_rng(seed).standard_normal((count, DIM))
    made[:, 0] += lean
    return normalise(made)


def pictures_of(things: list[int], seed: int, noise: float = 0.1) -> np.ndarray:
    return normalise(CONCEPTS[things] + noise * np.random.default_rng(seed).standard_normal((len(things), DIM)))


def bank(scale: float = 20.0) -> Bank:
    """All concepts under another name, and half as many texts of nothing in particular; all words are known to it."""
    names = normalise(CONCEPTS + 0.05 * np.random.default_rng(1).standard_normal(CONCEPTS.shape))
    texts = np.concatenate([names, rows(THINGS // 2, 2, lean=2.0)])
    among = CONCEPTS @ CONCEPTS.T
    location, spread = median_and_spread(among[~np.eye(THINGS, dtype=np.bool_)].reshape(THINGS, -1))
    return Bank(texts, scale, slope=0.0, intercept=10.0, picture_location=location, picture_spread=spread)


def index_of(embeddings: np.ndarray) -> FaissIndex:
    index = FaissIndex(DIM)
    index.add(np.arange(len(embeddings), dtype=np.int64), embeddings)
    return index


def relevances(pictures: np.ndarray, text: np.ndarray, held_against: Bank | None = None) -> np.ndarray:
    """(n,) of the pictures of a catalog for one text."""
    held_against = held_against or bank()
    background = learn_background(index_of(pictures), held_against)
    direction = background.direction([text], [1.0], are_words=[True])
    own_levels = background.levels_at(pictures)
    return direction.relevances(pictures @ direction.embedding, own_levels)


def test_a_pictures_own_level_is_what_texts_score_on_it():
    pictures, held_against = pictures_of([1, 2, 3], 3), bank(scale=15.0)
    margins = 15.0 * (pictures @ held_against.embeddings.T - find_own_levels(pictures, held_against)[:, None])
    np.testing.assert_allclose(np.exp(margins).mean(axis=1), 1.0, rtol=1e-4)
    assert find_own_levels(np.empty((0, DIM), np.float32), held_against).shape == (0,)


@pytest.mark.parametrize("size", [1, 2, 5, 20, 200, 1_000])
def test_what_a_picture_shows_is_relevant_in_catalogs_of_any_size(size):
    things = [number % THINGS for number in range(size)]
    found = relevances(pictures_of(things, 4), CONCEPTS[0])
    is_right = np.array(things) == 0
    assert found[is_right].min() > DEFAULT_CUTOFF
    assert found[~is_right].max(initial=0.0) < DEFAULT_CUTOFF


@pytest.mark.parametrize("size", [1, 2, 5, 20, 200, 1_000])
def test_what_no_picture_shows_is_relevant_in_none(size):
    things = [1 + number % (THINGS - 1) for number in range(size)]
    assert relevances(pictures_of(things, 5), CONCEPTS[0]).max() < DEFAULT_CUTOFF


def test_a_catalog_of_one_thing_has_nothing_else():
    """The nearest is no match because it is the nearest, and the usual is no background because it is usual."""
    pictures = pictures_of([0] * 100, 6)
    assert relevances(pictures, CONCEPTS[0]).min() > 0.9
    assert relevances(pictures, CONCEPTS[1]).max() < DEFAULT_CUTOFF


def test_what_half_of_the_catalog_shows_is_relevant_in_all_of_it():
    pictures = pictures_of([0] * 100 + list(range(1, THINGS)) * 3, 7)
    found = relevances(pictures, CONCEPTS[0]) >= DEFAULT_CUTOFF
    assert found[:100].mean() > 0.9
    assert found[:100].sum() / found.sum() > 0.9


def test_relevance_stays_when_the_catalog_grows():
    small = list(range(THINGS)) * 5
    before = relevances(pictures_of(small, 8), CONCEPTS[3])
    grown = np.concatenate([pictures_of(small, 8), pictures_of(small * 9, 9)])
    assert np.abs(relevances(grown, CONCEPTS[3])[: len(small)] - before).max() < 0.05


def test_models_of_any_scale_agree():
    """Cosines of one model lie far apart, those of another close together and are multiplied by more."""
    things, texts = pictures_of(list(range(THINGS)) * 5, 10), bank()
    wide = relevances(things, CONCEPTS[0], texts)
    # What all rows share makes cosines differ by a tenth.
    close = partial(np.pad, pad_width=((0, 0), (0, 1)), constant_values=3.0)
    pictures, names, text = (normalise(close(each)) for each in (things, texts.embeddings, CONCEPTS[:1]))
    index = FaissIndex(DIM + 1)
    index.add(np.arange(len(pictures), dtype=np.int64), pictures)
    narrow_bank = Bank(names, 10 * texts.logit_scale, texts.slope, texts.intercept)
    background = learn_background(index, narrow_bank)
    direction = background.direction([text[0]], [1.0], are_words=[True])
    levels = background.levels_at(pictures)
    narrow = direction.relevances(pictures @ text[0], levels)
    np.testing.assert_allclose(narrow, wide, atol=0.01)


def test_words_that_the_model_does_not_know_fit_less():
    pictures = pictures_of(list(range(THINGS)) * 5, 11)
    known, unknown = (
        relevances(pictures, CONCEPTS[0], Bank(bank().embeddings, 20.0, 0.0, intercept)) for intercept in (10.0, -3.0)
    )
    assert np.all(unknown < known)
    assert unknown.max() < 0.9 * known.max()


def test_one_picture_and_none_have_a_background():
    for pictures in (pictures_of([0], 12), np.empty((0, DIM), np.float32)):
        index = FaissIndex(DIM)
        if len(pictures):
            index.add(np.arange(1, dtype=np.int64), pictures)
        background = learn_background(index, bank())
        assert background.count == len(pictures)
        for is_words in (True, False):
            direction = background.direction([CONCEPTS[0]], [1.0], are_words=[is_words])
            assert np.isfinite([direction.steepness, direction.offset, direction.own_share]).all()
            assert direction.steepness > 0


def test_a_picture_is_relevant_to_itself_and_no_level_of_words_counts():
    pictures = pictures_of(list(range(THINGS)) * 3, 13)
    background = learn_background(index_of(pictures), bank())
    direction = background.direction([pictures[0]], [1.0], are_words=[False])
    assert direction.own_share == 0
    found = sigmoid(direction.worth(pictures @ pictures[0]))
    assert found[0] > 0.9
    assert np.median(found) < 0.05


@pytest.mark.parametrize("size", [2, 5, 20, 200])
def test_a_catalog_of_one_thing_is_relevant_to_a_picture_of_it_and_to_no_other(size):
    background = learn_background(index_of(pictures_of([0] * size, 19, noise=0.06)), bank())
    same, other = pictures_of([0, 1], 20, noise=0.06)
    for query, is_relevant in ((same, True), (other, False)):
        direction = background.direction([query], [1.0], are_words=[False])
        found = direction.relevances(pictures_of([0] * 50, 21, noise=0.06) @ query, np.float32(0))
        assert ((found >= DEFAULT_CUTOFF) == is_relevant).all()


def test_words_and_pictures_weigh_the_same_in_a_sum():
    """Cosines between pictures spread four times as far as those of words; neither decides alone."""
    background = learn_background(index_of(pictures_of([0], 14)), bank())
    background = Background(
        background.sample,
        background.own_levels,
        background.usual_level,
        1,
        Level(0.2, 0.02, 4.0),
        Level(0.5, 0.08, 4.0),
        background.bank,
    )
    direction = background.direction(list(rows(2, 4)), [1.0, 1.0], are_words=[True, False])
    assert direction.shares[0] / direction.shares[1] == pytest.approx(4.0)


def test_what_is_not_wanted_is_worth_less():
    pictures = pictures_of([0, 1], 15)
    both = normalise((CONCEPTS[0] + CONCEPTS[1])[None])
    background = learn_background(index_of(np.concatenate([pictures, both])), bank())
    direction = background.direction([CONCEPTS[0], CONCEPTS[1]], [1.0, -1.0], are_words=[True, True])
    alone = background.direction([CONCEPTS[0]], [1.0], are_words=[True])
    assert (direction.embedding == alone.embedding).all()
    assert direction.own_share == alone.own_share
    assert direction.shares == pytest.approx((1.0, 0.0))
    absences = direction.absences
    assert absences is not None
    rows = np.concatenate([pictures, both])
    cost = absences.costs(absences.embeddings @ rows.T)[0]
    assert cost.min() >= 0
    worth = direction.worth(rows @ direction.embedding) - cost
    assert worth[0] > worth[2] > worth[1]


def test_what_has_nothing_of_an_excluded_term_is_as_without_it():
    pictures = pictures_of([0, 1, 2, 3], 15)
    background = learn_background(index_of(pictures), bank())
    absences = background.direction([CONCEPTS[0], CONCEPTS[1]], [1.0, -1.0], are_words=[True, True]).absences
    assert absences is not None
    least = absences.costs(np.array([[-1.0, 0.0]], dtype=np.float32))
    assert least.tolist() == [[0.0, 0.0]]
    assert absences.costs(absences.embeddings @ pictures.T)[0].argmax() == 1


def test_weights_of_excluded_terms_are_relative_to_the_wanted_ones():
    background = learn_background(index_of(pictures_of([0, 1, 2], 15)), bank())
    one, doubled, half = (
        background.direction([CONCEPTS[0], CONCEPTS[1]], weights, are_words=[True, True]).absences
        for weights in ([1.0, -1.0], [2.0, -2.0], [1.0, -0.5])
    )
    assert one is not None and doubled is not None and half is not None
    assert doubled.steepness == pytest.approx(one.steepness)
    assert half.steepness == pytest.approx(one.steepness / 2)
    assert half.offset == pytest.approx(one.offset / 2)


def test_one_term_is_worth_the_same_whatever_its_weight():
    background = learn_background(index_of(pictures_of([0, 1, 2], 18)), bank())
    usual, *others = (
        background.direction([CONCEPTS[0]], [weight], are_words=[True]) for weight in (1.0, 0.2, 5.0, -1.0)
    )
    for other in others:
        assert (other.steepness, other.offset, other.own_share) == pytest.approx(
            (usual.steepness, usual.offset, usual.own_share)
        )


def test_what_cancels_out_points_nowhere():
    background = learn_background(index_of(pictures_of([0], 16)), bank())
    with pytest.raises(QueryError, match="cancel"):
        background.direction([CONCEPTS[0], CONCEPTS[0]], [1.0, -1.0], are_words=[True, True])


def test_own_levels_are_fetched_once():
    pictures = pictures_of([0, 1, 2], 17)
    background = learn_background(index_of(pictures), bank())
    asked: list[list[int]] = []

    def fetch(ids):
        asked.append(list(ids))
        return {number: pictures[number] for number in ids if number < 3}

    levels = background.own_levels_of([2, 0], fetch)
    np.testing.assert_allclose(levels, background.levels_at(pictures[[2, 0]]), rtol=1e-5)
    again = background.own_levels_of([0, 1, 2, 7], fetch)
    assert asked == [[2, 0], [1, 7]]
    assert again[3] == pytest.approx(background.usual_level)


def test_log_odds_and_relevance_are_each_other_the_other_way_round():
    for relevance in (0.01, 0.3, 0.99):
        assert sigmoid(np.array(log_odds_of(relevance))) == pytest.approx(relevance)
    assert (log_odds_of(0.0), log_odds_of(1.0)) == (-np.inf, np.inf)


def test_real_clip_knows_a_kitten_from_most_things(shared):
    """Seven photographs and the names of LVIS by CLIP ViT-B/32, whose scale is 100."""
    golden = shared / "golden" / "clip-vitb32-vectors"
    if not golden.is_dir():
        pytest.skip("no golden values here")
    images, texts = np.load(golden / "image_embeddings.npz"), np.load(golden / "text_embeddings_lvis.npz")
    pictures, names = (normalise(file["emb"].astype(np.float32)) for file in (images, texts))
    index = FaissIndex(512)
    index.add(np.arange(len(pictures), dtype=np.int64), pictures)
    clip_bank = Bank(names, 100.0, slope=0.0, intercept=10.0)
    background = learn_background(index, clip_bank)
    levels = background.levels_at(pictures)
    found = {}
    for name, text in zip(texts["names"].tolist(), names, strict=True):
        direction = background.direction([text], [1.0], are_words=[True])
        worth = direction.worth(pictures @ text) - direction.own_share * levels
        found[name] = dict(zip(images["names"].tolist(), sigmoid(worth), strict=True))
    assert {picture for picture, each in found["kitten"].items() if each >= DEFAULT_CUTOFF} == {"123_456", "456_123"}
    assert {picture for picture, each in found["cat"].items() if each >= DEFAULT_CUTOFF} == {"123_456", "456_123"}
    matches = np.array([[each >= DEFAULT_CUTOFF for each in of_name.values()] for of_name in found.values()])
    assert matches.mean() < 0.02


@pytest.mark.parametrize("top_k", [1, 10, 300])
@pytest.mark.parametrize("groups", [2, 3])
def test_what_must_all_hold_equals_a_scan(top_k, groups):
    pictures = rows(3_000, 31, lean=4.0)
    index = index_of(pictures)
    background = learn_background(index, bank())
    texts = rows(groups, 32, lean=4.0)
    directions = [background.direction([text], [1.0], are_words=[True]) for text in texts]
    some = np.random.default_rng(5).permutation(3_000)[:400].astype(np.int64)
    for among in (None, some):
        found = find_nearest(directions, top_k, index=index, among=among)
        stored = index.rows(np.arange(3_000))
        worth = np.min([each.worth(stored @ each.embedding) for each in directions], axis=0)
        allowed = np.arange(3_000) if among is None else np.sort(among)
        order = allowed[np.argsort(-worth[allowed], kind="stable")][:top_k]
        np.testing.assert_allclose(found.worth, worth[order], atol=1e-3)
        assert len(set(found.ids.tolist()) ^ set(order.tolist())) <= 2  # ties in the last digit
        least = [
            min(directions, key=lambda each, row=row: each.worth(stored[row] @ each.embedding)) for row in found.ids
        ]
        np.testing.assert_allclose(
            found.scores, [stored[row] @ each.embedding for row, each in zip(found.ids, least, strict=True)], atol=1e-4
        )


def test_what_a_picture_is_worth_does_not_change_with_the_number_of_hits(samples):
    with Catalog.open(samples) as catalog:
        every = catalog.search("an animal", top_k=40)
        assert catalog.search("an animal", top_k=3) == every[:3]
        assert [hit.score for hit in every] == sorted((hit.score for hit in every), reverse=True)
        likely = [hit.content_id for hit in every if hit.relevance >= 0.3]
        for top_k in (2, 40):
            kept = catalog.search("an animal", top_k=top_k, min_relevance=0.3)
            assert [hit.content_id for hit in kept] == likely[:top_k]
            assert [hit.rank for hit in kept] == list(range(1, len(kept) + 1))
        assert 1 < len(likely) < 20
        captions = (sample_data_folder() / "captions.jsonl").read_text(encoding="utf-8").splitlines()
        first = [catalog.search(json.loads(line)["caption"].replace("-", " "), top_k=1)[0] for line in captions]
        assert np.mean([hit.relevance >= DEFAULT_CUTOFF for hit in first]) > 0.4
        both = catalog.search("an animal & white", top_k=40)
        each = [
            {hit.content_id: hit.relevance for hit in catalog.search(words, top_k=40)}
            for words in ("an animal", "white")
        ]
        for hit in both:
            assert hit.relevance == pytest.approx(min(found[hit.content_id] for found in each), abs=1e-3)
        for wrong in (-0.1, 1.1, float("nan")):
            with pytest.raises(QueryError, match="between 0 and 1"):
                catalog.search("a cat", min_relevance=wrong)


def test_relevance_leaves_hits_of_words_in_the_order_of_their_cosines(samples):
    """Whether it is high or low, learnt or not, and whatever it leaves out: the level of a picture's own moves none."""
    captions = (sample_data_folder() / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [*(json.loads(line)["caption"] for line in captions[::4]), "cat", "an animal", "asdfgh", "tax return"]
    with Catalog.open(samples) as catalog:
        queries = [Query(((Term("words", text),),)) for text in texts]
        found = [catalog.search(query, top_k=40) for query in queries]
        relevant = [catalog.search(query, top_k=40, min_relevance=0.01) for query in queries]
    encoder = load_encoder("starter")
    with Store(samples) as store:
        model = store.reader.find_current_model()
        ids = [hit.content_id for hit in found[0]]
        stored = store.reader.embeddings(ids, model_id=model.model_id, dim=model.dim)
    assert len(stored) == 40
    is_reordered = []
    for text, hits, some in zip(texts, found, relevant, strict=True):
        cosines = np.array([stored[hit.content_id] for hit in hits]) @ encoder.encode_texts([text])[0]
        np.testing.assert_allclose([hit.score for hit in hits], cosines, atol=1e-3)
        # Neighbours this near may change places, as the last digits are rounded differently.
        assert np.all(np.diff(cosines) < 1e-5), text
        kept = [hit.content_id for hit in some]
        assert kept == [hit.content_id for hit in hits if hit.relevance >= 0.01], text
        is_reordered.append(np.any(np.diff([hit.relevance for hit in hits]) > 0))
    assert any(is_reordered)  # by relevance the order would be another one


def test_nonsense_matches_nothing_in_a_tiny_catalog(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(sample_data_folder() / "animals" / "cat.jpg", photos)
    with Catalog.open(tmp_path / "c", model="starter", create=True) as catalog:
        catalog.index(photos)
        for words in ("asdfgh", "xyzzy", "tax return", "a photo of a wug", "blorptang", "a dog", "a giraffe", "red"):
            (hit,) = catalog.search(words)
            assert hit.relevance < DEFAULT_CUTOFF, words
        for words in ("a cat", "cat", "a photo of a cat", "a tabby cat with green eyes"):
            (hit,) = catalog.search(words)
            assert hit.relevance >= DEFAULT_CUTOFF, words
