"""What every test gets: an environment of its own, and no way to a model hub."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsearch.notices import LOGGER, WarningsHandler
from clipsearch.types import ModelOptions
from tests.isolation import isolate
from tests.postgres_server import PostgresServer

_patch = pytest.MonkeyPatch()
_home = tempfile.TemporaryDirectory(prefix="clipsearch-tests-", ignore_cleanup_errors=True)


def pytest_configure() -> None:
    # Not a fixture: modules that are collected, and fixtures of modules and of the session, come before any of those.
    isolate(_patch, Path(_home.name))


def pytest_unconfigure() -> None:
    _patch.undo()
    _home.cleanup()


@pytest.fixture(scope="session", autouse=True)
def notices_are_warnings() -> Iterator[None]:
    """So that `pytest.warns` sees them, and one that no test has foreseen is an error."""
    handler = WarningsHandler()
    LOGGER.addHandler(handler)
    yield
    LOGGER.removeHandler(handler)


@pytest.fixture(autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and a default catalog for each test; those of modules and of the session share one."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(home / "cache"))
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("HF_HOME", str(home / "hub"))


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of colours under any name that begins with "colours"."""
    from clipsearch.encoders import load
    from tests.fakes import ColourEncoder

    def load_colours(model: str | ModelOptions) -> object:
        name = model if isinstance(model, str) else model.name or ""
        return ColourEncoder(name) if name.startswith("colours") else load_encoder(model)

    load_encoder = load.load_encoder
    monkeypatch.setattr(load, "load_encoder", load_colours)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    # Not below the tests' own folder: the name of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="clipsearch-pg-") as folder:
        server = PostgresServer(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared(repository: Path) -> Path:
    folder = repository.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder with known answers (../shared) is not here")
    return folder
