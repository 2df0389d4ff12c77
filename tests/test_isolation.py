"""What tests are kept from: the developer's home, and what the environment says of his catalogs."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.selection import FAST

TESTS = """
import os
import shutil
from pathlib import Path

import pytest

from clipsearch import Catalog
from clipsearch.paths import cache_dir, catalog_place, sample_data_folder
from tests.support.model_cache import link_or_copy

pytestmark = pytest.mark.fast  # the cache of the run around this one holds the compiled models
AT_COLLECTION = {**os.environ}


@pytest.fixture(scope="session")
def made_first(tmp_path_factory):
    return use_clipsearch(tmp_path_factory)


@pytest.fixture(scope="module", autouse=True)
def made_for_a_module(tmp_path_factory):
    return use_clipsearch(tmp_path_factory)


def use_clipsearch(tmp_path_factory):
    if not cache_dir().exists():
        shutil.copytree(os.environ["COMPILED"], cache_dir(), copy_function=link_or_copy)
    photos = tmp_path_factory.mktemp("photos")
    shutil.copy(sample_data_folder() / "animals" / "cat.jpg", photos)
    with Catalog.open(create=True) as catalog:
        catalog.index(photos)
        catalog.search("a cat")
    return {**os.environ}


def test_one(made_first, made_for_a_module):
    for environment in (AT_COLLECTION, made_first, made_for_a_module, {**os.environ}):
        assert not [name for name, value in environment.items() if "poisoned" in value]
        assert environment["CLIPSEARCH_FUZZ_EXAMPLES"] == "3"
    places = (Path.home(), cache_dir(), catalog_place(None).directory)
    assert not [place for place in places if "poisoned" in str(place)]
"""

POISONED = (
    *(f"CLIPSEARCH_{name}" for name in ("CATALOG", "MODEL", "DEVICE", "RUNTIME", "CACHE", "INDEX", "ANYTHING_NEW")),
    *("HOME", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"),
    *("RAY_ADDRESS", "PGHOST"),
)


def test_fixtures_of_any_scope_leave_the_home_alone(tmp_path, repository, own_home):
    home = tmp_path / "poisoned"
    home.mkdir()
    (tmp_path / "tests").mkdir()
    conftest = (repository / "tests" / "conftest.py").read_text(encoding="utf-8")
    (tmp_path / "tests" / "conftest.py").write_text(conftest, encoding="utf-8")
    (tmp_path / "tests" / "test_inside.py").write_text(TESTS, encoding="utf-8")
    run = [sys.executable, "-m", "pytest", "-q", f"--basetemp={tmp_path / 'base'}", str(tmp_path / "tests")]
    environment = {**os.environ, **{name: str(home) for name in POISONED}, "CLIPSEARCH_FUZZ_EXAMPLES": "3"}
    environment.pop("PYTEST_ADDOPTS", None)  # of the run around this one
    environment |= {"PYTHONPATH": str(repository), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"COMPILED": str(own_home / "cache")}
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert list(home.rglob("*")) == []
    assert Path(tmp_path / "base").exists()


def test_files_of_fast_tests_exist(repository):
    assert [place for place in FAST if not (repository / "tests" / place).exists()] == []
