"""The store over each kind of database, for the conftest of who needs it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clipsearch.paths import catalog_place
from clipsearch.store import Store


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def make_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Store]]:
    """Makes stores with nothing in them, each over a database of its own, and closes them."""
    opened: list[Store] = []

    def make() -> Store:
        folder: str | Path = tmp_path_factory.mktemp("catalog")
        if request.param == "postgresql":
            folder = request.getfixturevalue("postgres").make_database()
        opened.append(Store(catalog_place(folder), create=True))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(make_store: Callable[[], Store]) -> Store:
    return make_store()
