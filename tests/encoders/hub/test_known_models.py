"""The list of known models, and which of them is the default."""

from itertools import pairwise

import pytest

from clipsearch.encoders.hub.known_models import (
    DEFAULT_MODEL,
    KNOWN_MODELS,
    SECOND_DEFAULT_MODEL,
    find_known,
    index_bytes,
)
from clipsearch.encoders.load import STARTER_DIM, load_encoder
from clipsearch.indexes.flat import FaissIndex


def test_the_best_recall_comes_first_and_unknown_ones_last() -> None:
    recalls = [-1.0 if known.recall is None else known.recall for known in KNOWN_MODELS]
    assert recalls == sorted(recalls, reverse=True)
    assert recalls[0] > 50


def test_no_model_of_the_defaults_cost_finds_more_than_the_default() -> None:
    default, second = find_known(DEFAULT_MODEL), find_known(SECOND_DEFAULT_MODEL)
    assert default is not None
    assert second is not None
    assert (default.name, second.name) == ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "openai/clip-vit-base-patch32")
    assert (default.recall, second.recall) == (39.3, 30.4)
    for known in KNOWN_MODELS:
        if known.image_gflop <= default.image_gflop and known.recall is not None and known != default:
            assert default.recall is not None
            assert known.recall < default.recall


def test_a_name_is_found_with_and_without_its_revision() -> None:
    for known in KNOWN_MODELS:
        assert find_known(known.name) is find_known(f"{known.name}@main") is known
    assert find_known("org/other") is None
    assert find_known("starter") is None
    assert all(first.name != second.name for first, second in pairwise(sorted(KNOWN_MODELS, key=lambda one: one.name)))


@pytest.mark.parametrize("dim", [512, 768])
def test_bytes_a_picture_are_those_of_the_index_file(dim, tmp_path) -> None:
    import numpy as np

    sizes = []
    for count in (1000, 3000):
        index = FaissIndex(dim)
        index.add(np.arange(count), np.eye(count, dim, dtype=np.float32) + 1e-3)
        index.save(tmp_path / "index")
        sizes.append((tmp_path / "index").stat().st_size)
    assert (sizes[1] - sizes[0]) / 2000 == index_bytes(dim)


def test_the_starter_has_as_many_dimensions_as_listed() -> None:
    assert load_encoder("starter").dim == STARTER_DIM
