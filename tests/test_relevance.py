"""What a score is worth, and what must hold at once."""

import json

import numpy as np
import pytest

from clipsearch import Catalog
from clipsearch.encoders.background import background_embeddings, background_texts
from clipsearch.errors import QueryError
from clipsearch.indexes.faiss_index import FaissIndex
from clipsearch.relevance import DEFAULT_CUTOFF, Background, Level, learn_background
from clipsearch.search import _nearest
from clipsearch.settings import sample_data_folder
from clipsearch.vectors import normalise
from tests.fakes import ColourEncoder

DIM = 32


def rows(count: int, seed: int, lean: float = 0.0) -> np.ndarray:
    """Unit rows that all lean to one side, as those of CLIP do."""
    made = np.random.default_rng(seed).standard_normal((count, DIM))
    made[:, 0] += lean
    return normalise(made)


def index_of(embeddings: np.ndarray) -> FaissIndex:
    index = FaissIndex(DIM)
    index.add(np.arange(len(embeddings), dtype=np.int64), embeddings)
    return index


@pytest.fixture
def background() -> Background:
    return learn_background(index_of(rows(500, 1, lean=4.0)), rows(100, 2, lean=4.0))


def test_levels_are_those_of_scores_that_mean_nothing(background):
    pictures, texts = rows(500, 1, lean=4.0), rows(100, 2, lean=4.0)
    scores = texts @ pictures.T
    assert background.words.location == pytest.approx(np.median(scores), abs=0.01)
    assert background.words.spread == pytest.approx((scores - np.median(scores, axis=1)[:, None]).std(), rel=0.1)
    assert background.pictures.location == pytest.approx(np.median(pictures @ pictures.T), abs=0.01)
    assert background.count == 500


def test_words_that_score_high_on_everything_say_no_more_than_others(background):
    """One text lies where all pictures lie, another one aside: the first has the higher cosines on all of them."""
    middle, aside = normalise(rows(500, 1, lean=4.0).mean(axis=0)[None])[0], rows(1, 5, lean=2.0)[0]
    pictures = rows(300, 7, lean=4.0)
    near, far = (background.direction([row], [1.0], are_words=[True]) for row in (middle, aside))
    assert np.median(pictures @ middle) > np.median(pictures @ aside) + 0.1
    for direction in (near, far):
        deviations = direction.deviations(pictures @ direction.embedding)
        assert abs(np.median(deviations)) < 1
        assert background.relevances(deviations).max() < 0.5


def test_relevance_grows_with_the_score_and_shrinks_with_the_catalog(background):
    (text,) = rows(1, 3, lean=4.0)
    direction = background.direction([text], [1.0], are_words=[True])
    relevances = background.relevances(direction.deviations(np.linspace(-1, 1, 50, dtype=np.float32)))
    assert np.all(np.diff(relevances) >= 0)
    assert relevances[0] < 1e-6
    assert relevances[-1] > 0.5
    larger = Background(background.sample, 50_000, background.words, background.pictures)
    deviation = np.float32([4.0])
    assert larger.relevances(deviation) < background.relevances(deviation)


def test_a_query_for_what_most_pictures_show_is_not_held_against_them():
    """Nine pictures of ten show it: they are the catalog's median, and right all the same."""
    beach = rows(1, 11)[0]
    pictures = np.concatenate([normalise(0.2 * rows(450, 12) + beach), rows(50, 13)])
    background = learn_background(index_of(pictures), rows(100, 14))
    direction = background.direction([beach], [1.0], are_words=[True])
    assert np.median(background.relevances(direction.deviations(pictures[:450] @ beach))) > DEFAULT_CUTOFF


def test_one_picture_is_a_catalog_too():
    picture = rows(1, 21)
    background = learn_background(index_of(picture), rows(100, 22))
    relevance = {}
    for name, text in (("right", picture[0]), ("wrong", rows(1, 23)[0])):
        direction = background.direction([text], [1.0], are_words=[True])
        relevance[name] = background.relevances(direction.deviations(picture @ text))[0]
    assert relevance["right"] > 0.9
    assert relevance["wrong"] < 0.3


def test_an_empty_catalog_has_a_background():
    background = learn_background(FaissIndex(DIM), rows(10, 1))
    assert background.count == 0
    assert background.direction([rows(1, 2)[0]], [1.0], are_words=[True]).unit > 0


def test_words_and_pictures_weigh_the_same_in_a_sum():
    """Cosines between pictures spread four times as far as those of words; neither decides alone."""
    background = Background(np.empty((0, DIM), np.float32), 100, Level(0.2, 0.02), Level(0.5, 0.08))
    word, picture = rows(2, 4)
    direction = background.direction([word, picture], [1.0, 1.0], are_words=[True, False])
    assert direction.shares[0] / direction.shares[1] == pytest.approx(4.0)
    # A picture that deviates by 3 spreads in each of them deviates by 3 · 2 / √2.
    score = direction.shares[0] * (0.2 + 3 * 0.02) + direction.shares[1] * (0.5 + 3 * 0.08)
    assert direction.deviations(np.float32([score]))[0] == pytest.approx(6 / np.sqrt(2), rel=1e-3)


def test_what_cancels_out_points_nowhere(background):
    (text,) = rows(1, 3)
    with pytest.raises(QueryError, match="cancel"):
        background.direction([text, text], [1.0, -1.0], are_words=[True, True])


@pytest.mark.parametrize("top_k", [1, 10, 300])
@pytest.mark.parametrize("groups", [2, 3])
def test_what_must_all_hold_equals_a_scan(background, top_k, groups):
    pictures = rows(3_000, 31, lean=4.0)
    index = index_of(pictures)
    texts = rows(groups, 32, lean=4.0)
    directions = [background.direction([text], [1.0], are_words=[True]) for text in texts]
    some = np.random.default_rng(5).permutation(3_000)[:400].astype(np.int64)
    for among in (None, some):
        scores, deviations, ids = _nearest(directions, top_k, index=index, among=among)
        stored = index.rows(np.arange(3_000))
        worth = np.min([each.deviations(stored @ each.embedding) for each in directions], axis=0)
        allowed = np.arange(3_000) if among is None else np.sort(among)
        order = allowed[np.argsort(-worth[allowed], kind="stable")][:top_k]
        np.testing.assert_allclose(deviations, worth[order], atol=1e-4)
        assert len(set(ids.tolist()) ^ set(order.tolist())) <= 2  # ties in the last digit
        least = [
            min(directions, key=lambda each, row=row: each.deviations(stored[row] @ each.embedding)) for row in ids
        ]
        np.testing.assert_allclose(
            scores, [stored[row] @ each.embedding for row, each in zip(ids, least, strict=True)], atol=1e-4
        )


def test_the_background_is_encoded_once(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path))
    texts = background_texts()
    assert len(set(texts)) == len(texts) > 100
    loaded = []

    def load() -> ColourEncoder:
        loaded.append(1)
        return ColourEncoder()

    def embeddings() -> np.ndarray:
        return background_embeddings(fingerprint="f" * 64, dim=4, load_encoder=load)

    first = embeddings()
    np.testing.assert_array_equal(first, ColourEncoder().encode_texts(texts))
    np.testing.assert_array_equal(embeddings(), first)
    assert len(loaded) == 1
    (file,) = (tmp_path / "background").iterdir()
    assert file.stat().st_mode & 0o77 == 0
    whole = file.read_bytes()
    for damage in (b"", whole[:-9], b"\xff" * len(whole), whole[:200] + bytes(len(whole) - 200)):
        file.write_bytes(damage)
        np.testing.assert_array_equal(embeddings(), first)
    assert len(loaded) == 5


def test_what_a_picture_is_worth_does_not_change_with_the_number_of_hits(tmp_path):
    with Catalog.open(tmp_path / "c", model="starter", create=True) as catalog:
        catalog.index(sample_data_folder())
        ten = catalog.search("a cat", top_k=10)
        assert catalog.search("a cat", top_k=3) == ten[:3]
        assert [hit.relevance for hit in ten] == sorted((hit.relevance for hit in ten), reverse=True)
        likely = catalog.search("a cat", top_k=10, min_relevance=0.3)
        assert likely == [hit for hit in ten if hit.relevance >= 0.3]
        assert 1 <= len(likely) < 10
        captions = (sample_data_folder() / "captions.jsonl").read_text(encoding="utf-8").splitlines()
        first = [catalog.search(json.loads(line)["caption"].replace("-", " "), top_k=1)[0] for line in captions]
        assert np.mean([hit.relevance >= DEFAULT_CUTOFF for hit in first]) > 0.6
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
