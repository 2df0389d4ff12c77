"""What developers run before and after a change: python -m pytest tests/benchmarks

The starter model and little material, so that all of it takes less than a minute. More rows to search:
CLIPSEARCH_BENCHMARK_ROWS=1000000 python -m pytest tests/benchmarks -k search
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsearch import Catalog
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import load_encoder
from clipsearch.evaluation.benchmark import new_text
from clipsearch.images.decode import decode_image
from clipsearch.images.preprocess import resize_and_crop
from clipsearch.indexes.flat import FaissIndex
from clipsearch.settings import STARTER
from clipsearch.vectors import normalise
from tests.benchmarks import material, photos

pytest.importorskip("pytest_benchmark", reason="pip install -e .[bench]")

Benchmark = Callable[..., Any]

_PHOTOS = 64
_TREE = 2_000
_ROWS = [int(rows) for rows in os.environ.get("CLIPSEARCH_BENCHMARK_ROWS", "10000,100000").split(",")]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    photos.small(folder, _PHOTOS)
    return folder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(STARTER)


@pytest.fixture
def indexed(small: Path, tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog", model=STARTER, create=True) as catalog:
        catalog.index(small)
        yield catalog


@pytest.fixture(scope="module", params=_ROWS, ids="{:,}".format)
def index(request: pytest.FixtureRequest, encoder: Encoder) -> FaissIndex:
    rng = np.random.default_rng(0)
    index = FaissIndex(encoder.dim)
    for first in range(0, request.param, 50_000):
        ids = np.arange(first, min(first + 50_000, request.param), dtype=np.int64)
        index.add(ids, normalise(rng.standard_normal((len(ids), encoder.dim), dtype=np.float32)))
    return index


def test_index_a_folder(benchmark: Benchmark, small: Path, tmp_path: Path) -> None:
    numbers = count()

    def new_catalog() -> tuple[tuple[Catalog], dict[str, Any]]:
        catalog = Catalog.open(tmp_path / f"catalog-{next(numbers)}", model=STARTER, create=True)
        spec = catalog.encoder.preprocess
        catalog.encoder.encode_images(np.zeros((1, spec.height, spec.width, 3), dtype=np.uint8))
        return (catalog,), {}

    report = benchmark.pedantic(lambda catalog: catalog.index(small), setup=new_catalog, rounds=3)
    assert report.embedded == _PHOTOS


def test_index_an_unchanged_folder(benchmark: Benchmark, encoder: Encoder, tmp_path: Path) -> None:
    material.tree(tmp_path / "pictures", _TREE)
    material.catalog(tmp_path / "catalog", tmp_path / "pictures", encoder=encoder)
    with Catalog.open(tmp_path / "catalog") as catalog:
        report = benchmark(catalog.index, tmp_path / "pictures")
    assert report.unchanged == _TREE


def test_query_with_new_words(benchmark: Benchmark, indexed: Catalog) -> None:
    assert len(benchmark(lambda: indexed.search(new_text()))) == 10


def test_query_with_words_asked_before(benchmark: Benchmark, indexed: Catalog) -> None:
    assert len(benchmark(indexed.search, "a dog beside a red car")) == 10


def test_search(benchmark: Benchmark, index: FaissIndex) -> None:
    query = normalise(np.random.default_rng(1).standard_normal((1, index.dim)))
    scores, _ = benchmark(index.search, query, 10)
    assert scores.shape == (1, 10)


def test_search_among_one_percent(benchmark: Benchmark, index: FaissIndex) -> None:
    rng = np.random.default_rng(1)
    among = rng.choice(index.count, index.count // 100, replace=False)
    _, ids = benchmark(partial(index.search, among=among), normalise(rng.standard_normal((1, index.dim))), 10)
    assert np.isin(ids, among).all()


@pytest.mark.parametrize("size", ["small", "large"])
def test_decode_a_photograph(benchmark: Benchmark, size: str, encoder: Encoder, tmp_path: Path) -> None:
    {"small": photos.small, "large": photos.large}[size](tmp_path, 1)
    content = next(tmp_path.iterdir()).read_bytes()

    def crop() -> Any:
        decoded = decode_image(content, needed_side=encoder.preprocess.resized_side)
        return resize_and_crop(decoded.image, encoder.preprocess, box=decoded.box)

    assert benchmark(crop).shape == (encoder.preprocess.height, encoder.preprocess.width, 3)


def test_encode_a_batch_of_pictures(benchmark: Benchmark, encoder: Encoder) -> None:
    spec = encoder.preprocess
    shape = (encoder.batch_size, spec.height, spec.width, 3)
    crops = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert benchmark(encoder.encode_images, crops).shape == (encoder.batch_size, encoder.dim)


def test_encode_a_text(benchmark: Benchmark, encoder: Encoder) -> None:
    assert benchmark(encoder.encode_texts, ["a dog beside a red car"]).shape == (1, encoder.dim)
