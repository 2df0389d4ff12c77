"""Concepts as directions: learnt from examples, words and what is not one."""

import numpy as np
import pytest

from clipsearch.scoring.concepts import ConceptExamples, WeakNegatives, learn_concept
from clipsearch.scoring.relevance import PICTURE_REACH
from clipsearch.vectors import normalise

DIM = 24
NONE = np.empty((0, DIM), dtype=np.float32)
BASE = np.random.default_rng(1)
# Pictures differ most along common directions that say nothing of what they show.
SCALES = np.concatenate([np.full(4, 4.0), np.ones(DIM - 4)]).astype(np.float32)
THING, OTHER = normalise(np.concatenate([np.zeros((2, 4)), BASE.standard_normal((2, DIM - 4))], axis=1))


def pictures(count, *, seed, of=None, strength=6.0):
    rows = np.random.default_rng(seed).standard_normal((count, DIM)) * SCALES
    return normalise(rows if of is None else rows + strength * np.asarray(of))


def margin(found, rows):
    return (rows @ found.embedding - found.level.location) / found.level.spread


OTHERS = WeakNegatives.learn(pictures(1_000, seed=0))


def test_the_direction_is_the_regularised_discriminant_of_the_textbook():
    sample, positives = OTHERS.sample.astype(np.float64), pictures(5, seed=2, of=THING)
    covariance = np.cov(sample.T, bias=True)
    shrunk = covariance / (np.trace(covariance) / DIM) * (1000 / 1050) + (1 + 50 / 1050) * np.eye(DIM)
    expected = np.linalg.solve(shrunk, positives.mean(axis=0) - sample.mean(axis=0))
    found = learn_concept(ConceptExamples(positives, NONE), OTHERS)
    np.testing.assert_allclose(found.embedding, expected / np.linalg.norm(expected), atol=1e-4)
    scores = sample @ found.embedding
    assert found.level.location == pytest.approx(np.median(scores), abs=1e-4)


def test_common_differences_do_not_count():
    positives, held_out = pictures(4, seed=3, of=THING), pictures(200, seed=4, of=THING)
    found = learn_concept(ConceptExamples(positives, NONE), OTHERS)
    mean = normalise((positives.mean(axis=0) - OTHERS.mean)[np.newaxis])[0]
    plain = (held_out @ mean).mean() / (OTHERS.sample @ mean).std()
    assert margin(found, held_out).mean() > plain + 0.5


def share_of_words(words, count, **options):
    """How much of the way from the examples alone to the words alone a direction has gone."""
    positives = pictures(count, seed=5, of=THING)
    both, alone = (
        learn_concept(ConceptExamples(positives, NONE, row, **options), OTHERS).embedding for row in (words, None)
    )
    return float((both - alone) @ words / ((words - alone) @ words))


# Words of the thing, as far from its pictures as CLIP's are.
(WORDS,) = normalise((THING + 0.7 * OTHER)[np.newaxis])


def test_words_count_less_the_more_examples_there_are():
    shares = [share_of_words(WORDS, count) for count in (1, 3, 10, 100)]
    assert shares == sorted(shares, reverse=True) and shares[0] > 0.5 > shares[-1]


def test_words_that_the_model_does_not_know_are_no_prior():
    assert share_of_words(WORDS, 3, familiarity=0.0) == pytest.approx(0, abs=1e-6)
    assert share_of_words(WORDS, 3) > share_of_words(WORDS, 3, familiarity=0.5) > 0


def test_words_that_do_not_find_the_examples_are_no_prior():
    assert share_of_words(OTHER, 10) < 0.1 < share_of_words(WORDS, 10)
    assert share_of_words(-THING, 3) == pytest.approx(0, abs=1e-6)


def test_words_alone_are_their_own_direction():
    found = learn_concept(ConceptExamples(NONE, NONE, THING), OTHERS)
    np.testing.assert_allclose(found.embedding, THING, atol=1e-6)


def test_negatives_turn_the_direction_away_from_them():
    both = normalise((THING + OTHER)[np.newaxis])[0]
    positives, negatives = pictures(3, seed=6, of=both), pictures(3, seed=7, of=OTHER)
    before = learn_concept(ConceptExamples(positives, NONE), OTHERS)
    after = learn_concept(ConceptExamples(positives, negatives), OTHERS)
    found, excluded = pictures(200, seed=8, of=THING), pictures(200, seed=9, of=OTHER)
    assert margin(after, excluded).mean() < margin(before, excluded).mean() - 0.3
    assert margin(after, found).mean() > margin(before, found).mean()


@pytest.mark.parametrize("count", [1, 4])
def test_few_examples_reach_as_far_as_pictures_do(count):
    found = learn_concept(ConceptExamples(pictures(count, seed=10, of=THING), NONE), OTHERS)
    assert found.level.reach == PICTURE_REACH


@pytest.mark.parametrize("count", [2, 5])
def test_the_reach_is_that_of_examples_left_out(count):
    rows = pictures(count, seed=11, of=THING, strength=25.0)
    margins = []
    for place in range(count):
        left = learn_concept(ConceptExamples(np.delete(rows, place, axis=0), NONE), OTHERS)
        margins.append(float(margin(left, rows[place])))
    expected = (sum(margins) + 2 * PICTURE_REACH) / (count + 2)
    reach = learn_concept(ConceptExamples(rows, NONE), OTHERS).level.reach
    assert reach == pytest.approx(expected) and reach > PICTURE_REACH + 0.5


def test_examples_that_contradict_each_other_reach_no_less_than_usual():
    mixed = np.concatenate([pictures(3, seed=seed, of=of) for seed, of in ((12, THING), (13, -THING))])
    assert learn_concept(ConceptExamples(mixed, NONE), OTHERS).level.reach == PICTURE_REACH


@pytest.mark.parametrize("count", [0, 1, 3])
def test_catalogs_with_hardly_a_picture(count):
    others = WeakNegatives.learn(pictures(count, seed=14).reshape(count, DIM))
    (positive,) = pictures(1, seed=15, of=THING)
    found = learn_concept(ConceptExamples(positive[np.newaxis], NONE), others)
    assert np.isfinite(found.embedding).all() and found.level.spread > 0
    assert found.embedding @ positive > 0


def test_an_example_like_all_pictures_is_no_concept():
    row = pictures(1, seed=16)
    others = WeakNegatives.learn(row)
    assert learn_concept(ConceptExamples(row, NONE), others) is None
    assert learn_concept(ConceptExamples(NONE, NONE), others) is None
