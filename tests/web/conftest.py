"""A catalog of the sample pictures, the application over it, and a browser."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from clipsearch import Catalog
from clipsearch.paths import sample_data_folder
from clipsearch.web.app import make_app
from clipsearch.web.security import GuardRules
from tests.support.sample_catalog import SampleCatalog

SAMPLES = sample_data_folder()


@pytest.fixture(scope="session")
def made_catalog(tmp_path_factory: pytest.TempPathFactory, indexed_samples: SampleCatalog) -> Path:
    directory = indexed_samples.copy_to(tmp_path_factory.mktemp("web") / "catalog")
    with Catalog.open(directory) as catalog:
        catalog.captions.add(["a glazed donut", "a cat looks at you", "a boat on the water"])
    return directory


@pytest.fixture
def catalog(made_catalog: Path, tmp_path: Path) -> Iterator[Catalog]:
    shutil.copytree(made_catalog, tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog", shared=True) as opened:
        yield opened


@pytest.fixture
def client(catalog: Catalog) -> Iterator[TestClient]:
    with client_of(catalog) as made:
        yield made


def client_of(catalog: Catalog, **options: Any) -> TestClient:
    rules = options.pop("rules", None) or GuardRules()
    app = make_app(catalog, rules=rules, **options)
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False)


class ServerProcess:
    """`clipsearch serve`, its address, and what it says."""

    def __init__(self, process: "subprocess.Popen[str]", address: str) -> None:
        self.process = process
        self.address = address
        self.said: list[str] = []


def _limit_files(size_bytes: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


@contextmanager
def serving(
    catalog: Path, *options: str, env: dict[str, str] | None = None, largest_file: int | None = None
) -> Iterator[ServerProcess]:
    """The real command, until the block ends; `env`: more of its environment, `largest_file`: as on a full disk."""
    command = [sys.executable, "-m", "clipsearch", "serve", "--catalog", str(catalog), "--port", "0", *options]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONFAULTHANDLER": "1", **(env or {})},
        preexec_fn=None if largest_file is None else lambda: _limit_files(largest_file),  # noqa: PLW1509
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        server = ServerProcess(process, process.stdout.readline().strip())
        errors = process.stderr
        reader = threading.Thread(target=lambda: server.said.extend(errors))
        reader.start()
        try:
            yield server
        finally:
            stop(process)
            reader.join(60)
            assert process.returncode != -signal.SIGABRT, f"it did not end when it was told to: {''.join(server.said)}"


def stop(process: "subprocess.Popen[str]") -> None:
    """End a server as a service manager does; one that goes on is made to say where it is, on stderr."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        process.wait(20)
