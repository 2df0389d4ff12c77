"""Narrower and related queries: what labels split, what is near, and what is the same again."""

from collections.abc import Iterator

import numpy as np
import pytest

from clipsearch import Catalog, QueryError, Suggestions, parse_query
from clipsearch.data import bank_labels, bank_texts
from clipsearch.paths import sample_data_folder
from clipsearch.query import Term
from clipsearch.scoring.narrowing import choose_narrowing
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.session.session import Session
from clipsearch.types import ModelOptions


@pytest.fixture(scope="module")
def samples(indexed_samples, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with Catalog.open(indexed_samples.copy_to(tmp_path_factory.mktemp("narrowing") / "catalog")) as catalog:
        yield catalog


def test_labels_are_texts_of_the_bank():
    texts = bank_texts()
    assert len(bank_labels()) > 1_000
    for label, row in bank_labels().items():
        assert texts[row].endswith(label) and len(texts[row]) - len(label) in (0, len("a "), len("a photo of a "))


def always_new(label: str, chosen: object) -> bool:
    return True


def relevances_of(columns: list[list[float]]) -> np.ndarray:
    return np.array(columns, dtype=np.float64).T


def test_labels_that_split_the_hits_are_chosen_the_surest_first():
    sure = [0.99] * 4 + [0.01] * 6
    vague = [0.01] * 5 + [0.6, 0.5, 0.4, 0.2, 0.2]
    all_of_them, none = [0.9] * 10, [0.01] * 10
    relevances = relevances_of([all_of_them, vague, none, sure])
    found = choose_narrowing(relevances, ["all", "vague", "none", "sure"], most=5, is_new=always_new)
    assert found == [(3, 4), (1, 3)]
    assert choose_narrowing(relevances, ["all", "vague", "none", "sure"], most=1, is_new=always_new) == [(3, 4)]


def test_a_label_that_fits_the_same_hits_is_not_chosen_again():
    one, same = [0.99] * 4 + [0.01] * 6, [0.95] * 4 + [0.01] * 6
    relevances = relevances_of([same, one])
    assert choose_narrowing(relevances, ["same", "one"], most=5, is_new=always_new) == [(1, 4)]


def test_few_hits_are_not_split():
    assert choose_narrowing(relevances_of([[0.99, 0.99, 0.01, 0.01, 0.01]]), ["one"], most=5, is_new=always_new) == []


def test_the_words_of_the_query_decide_what_is_new():
    relevances = relevances_of([[0.99] * 4 + [0.01] * 6])
    assert choose_narrowing(relevances, ["one"], most=5, is_new=lambda label, chosen: label != "one") == []


def test_a_label_of_the_bank_is_as_relevant_as_in_its_set(samples):
    session = Session.open(samples.directory, ModelOptions(), create=False, is_shared=False)
    known = session.known_labels()
    rows = np.stack([samples.pictures.embedding(hit.content_id) for hit in samples.search("an animal", top_k=12)])
    assert np.abs(known.relevances(rows) - known.space.relevances(rows)).max() < 1e-4
    assert known is session.known_labels()
    session.close()


@pytest.mark.parametrize(
    "query", ["an animal", "food", "an animal - fur", "something outdoors & summer", "type:png food"]
)
def test_suggestions_are_queries_that_have_hits(samples, query):
    found = samples.suggestions(query)
    hits = samples.search(query, top_k=100, min_relevance=DEFAULT_CUTOFF)
    assert found.did_you_mean is None and len(found.narrow) <= 6 and 0 < len(found.related) <= 5
    parsed = parse_query(query)
    for each in found.narrow:
        narrowed = parse_query(each.query)
        assert narrowed.groups == (*parsed.groups, (Term("words", each.label),)) and narrowed.filters == parsed.filters
        assert 0.1 * len(hits) <= each.count <= 0.7 * len(hits)
    assert not {each.label for each in found.narrow} & {*found.related}
    assert found == samples.suggestions(parsed)


def test_what_is_related_is_near_and_not_the_same(samples):
    related = samples.suggestions("a dog").related
    assert related and not any("dog" in each.split() for each in related)
    assert {*related} & {"cat", "puppy", "horse", "wolf", "pet", "pony", "deer", "kitten"}


def test_related_labels_have_pictures(samples):
    for query in ("a dog", "food", "a rocket"):
        for related in samples.suggestions(query).related:
            labels = samples.labels.assign_all(labels=[related, "nothing"], min_relevance=0.05)
            assert any(hit.label == related for picture in labels for hit in picture.labels), related


def test_typing_errors_and_pictures(samples):
    assert samples.suggestions("a zerba") == Suggestions("a zebra")
    (hit,) = samples.search("a cat", top_k=1)
    assert samples.suggestions(f"id:{hit.content_id}").related == ()
    donut = sample_data_folder() / "food" / "donut.png"
    assert samples.suggestions("image:mine", pictures={"mine": donut}).did_you_mean is None


def test_filters_alone_have_no_suggestions(samples):
    found = samples.suggestions("type:png")
    assert (found.narrow, found.related) == ((), ())
    with pytest.raises(QueryError, match="the query is empty"):
        samples.suggestions(" ")
