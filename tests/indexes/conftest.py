"""A Milvus server for all tests of a session."""

import itertools
from collections.abc import Iterator

import pytest

from tests.support.milvus_server import MilvusServer

_numbers = itertools.count()


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory) -> Iterator[MilvusServer]:
    pytest.importorskip("pymilvus", reason="pymilvus is not installed: pip install 'clipsearch[milvus]'")
    pytest.importorskip("milvus_lite", reason="milvus-lite, the server that the tests ask, is not installed")
    server = MilvusServer(tmp_path_factory.mktemp("milvus"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def milvus_url(milvus_server) -> str:
    """Of a collection that no other test uses."""
    return f"{milvus_server.url}/test_{next(_numbers)}"
