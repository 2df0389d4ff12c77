"""A burst of one thing does not fill the page."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch import Catalog
from clipsearch.paths import sample_data_folder
from clipsearch.scoring.diversity import candidates_for, diversify
from clipsearch.vectors import normalise


def ranked(pictures: np.ndarray, relevances: list[float], top_k: int) -> list[int]:
    return diversify(relevances, pictures, usual=0.0, top_k=top_k)


def test_copies_come_after_other_pictures_of_the_same_and_before_what_shows_something_else():
    random = np.random.default_rng(0)
    thing = np.eye(256)[0]
    burst = normalise((thing + np.eye(256)[1])[None] + 0.005 * random.standard_normal((10, 256)))
    others = normalise((thing + np.eye(256)[2:6]) + 0.005 * random.standard_normal((4, 256)))
    strange = normalise(random.standard_normal((20, 256)))
    relevances = [0.9 - 0.01 * row for row in range(10)] + [0.7, 0.68, 0.66, 0.64] + [0.01] * 20
    found = ranked(np.concatenate((burst, others, strange)), relevances, 34)
    assert sorted(found) == list(range(34))
    assert found[:5] == [0, 10, 11, 12, 13]
    assert set(found[5:14]) == set(range(1, 10))


@pytest.mark.parametrize("top_k", [1, 5, 100])
def test_as_many_as_there_are(top_k):
    pictures = normalise(np.random.default_rng(1).standard_normal((30, 16)))
    assert len(ranked(pictures, [0.0] * 30, top_k)) == min(top_k, 30)
    assert candidates_for(top_k) > top_k
    assert diversify([], pictures[:0], usual=0.0, top_k=3) == []


def test_a_burst_in_a_catalog(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    with Image.open(sample_data_folder() / "animals" / "fox.webp") as fox:
        for number in range(8):
            fox.convert("RGB").save(photos / f"burst {number}.jpg", quality=88 + number)
    with Catalog.open(tmp_path / "c", model="starter", create=True) as catalog:
        catalog.index(photos, sample_data_folder())
        plain = [Path(hit.path).stem for hit in catalog.search("an animal", top_k=6)]
        assert sum(stem.startswith("burst") for stem in plain) == 5
        hits = catalog.search("an animal", top_k=6, diverse=True)
        assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5, 6]
        stems = [Path(hit.path).stem for hit in hits]
        assert stems[0] == plain[0]
        assert sum(stem.startswith(("burst", "fox")) for stem in stems[:4]) == 1
        assert {"cow", "elephant"} <= set(stems[:4])
        assert len(catalog.search("an animal path:burst", top_k=5, diverse=True)) == 5
        relevant = catalog.search("an animal", diverse=True, min_relevance=0.5)
        assert all(hit.relevance >= 0.5 for hit in relevant)
        (explained, *_) = catalog.search("a fox - snow", diverse=True, explain=True)
        assert len(explained.terms) == 2
        assert len(catalog.search("type:jpeg", diverse=True)) == 10
