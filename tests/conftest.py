"""What every test gets: an environment of its own, and no way to a model hub."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres_server import PostgresServer


@pytest.fixture(autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    for name in ("CATALOG", "MODEL", "DEVICE", "RUNTIME", "ALLOW_URL", "TOKEN", "MILVUS_TOKEN", "INDEX_SERVERS"):
        monkeypatch.delenv(f"CLIPSEARCH_{name}", raising=False)
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(home / "cache"))
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("HF_HOME", str(home / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of colours under any name that begins with "colours"."""
    from clipsearch.encoders import load
    from tests.fakes import ColourEncoder

    def load_colours(name: str, **options: object) -> object:
        if name.startswith("colours"):
            return ColourEncoder(name)
        return load_encoder(name, **options)

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
