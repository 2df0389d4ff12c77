"""Excluded terms: they lower what has them, and leave the order of everything else."""

from collections.abc import Iterator

import pytest

from clipsearch import Catalog


@pytest.fixture(scope="module")
def sample_catalog(indexed_samples, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with Catalog.open(indexed_samples.copy_to(tmp_path_factory.mktemp("absences") / "catalog")) as catalog:
        yield catalog


QUERIES = ("an animal", "food", "something outdoors")
EXCLUDED = ("a cat", "pizza", "snow")


@pytest.mark.parametrize(("wanted", "excluded"), list(zip(QUERIES, EXCLUDED, strict=True)))
def test_every_hit_is_as_far_down_as_the_excluded_term_costs_it(sample_catalog: Catalog, wanted, excluded):
    alone = {hit.content_id: hit for hit in sample_catalog.search(wanted, top_k=100)}
    hits = sample_catalog.search(f"{wanted} - {excluded}", top_k=100, explain=True)
    assert {hit.content_id for hit in hits} == set(alone)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        (first, second) = hit.terms
        assert first.contribution == pytest.approx(alone[hit.content_id].score, abs=1e-4)
        assert second.contribution <= 0
        assert hit.score == pytest.approx(first.contribution + second.contribution, abs=1e-4)
        assert hit.relevance <= alone[hit.content_id].relevance + 1e-6
        found = sample_catalog.match(f"{wanted} - {excluded}", hit.content_id)
        assert (found.score, found.relevance) == pytest.approx((hit.score, hit.relevance), abs=1e-4)


def test_nothing_rises_for_being_unlike_what_is_excluded(sample_catalog: Catalog):
    for wanted, excluded in zip(QUERIES, EXCLUDED, strict=True):
        alone = [hit.content_id for hit in sample_catalog.search(wanted, top_k=100, written=False)]
        hits = sample_catalog.search(f"{wanted} - {excluded}", top_k=100, explain=True)
        untouched = [hit.content_id for hit in hits if hit.terms[1].contribution == 0]
        assert len(untouched) >= 5
        assert untouched == [content_id for content_id in alone if content_id in set(untouched)]


def test_what_is_excluded_is_not_relevant(sample_catalog: Catalog):
    (cat,) = sample_catalog.search("a cat", top_k=1)
    assert cat.relevance > 0.5
    assert sample_catalog.match("an animal - a cat", cat.content_id).relevance < 0.1
    assert sample_catalog.search("an animal - a cat", top_k=3)[0].content_id != cat.content_id


def test_few_hits_of_many_are_those_of_all(sample_catalog: Catalog):
    everything = sample_catalog.search("an animal - a cat - a dog & something outdoors - snow", top_k=100)
    for top_k in (1, 3, 10):
        assert sample_catalog.search("an animal - a cat - a dog & something outdoors - snow", top_k=top_k) == [
            *everything[:top_k]
        ]
