"""The pages, and a folder in which their sessions run."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from clipsearch import Catalog
from clipsearch.paths import sample_data_folder
from tests.docs.pages import read_pages


@pytest.fixture(scope="session")
def pages(repository: Path) -> dict[str, str]:
    return read_pages(repository)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all sessions run, so that a catalog of the pictures there can be copied."""
    return tmp_path_factory.mktemp("sessions")


@pytest.fixture(scope="session")
def sample_catalog(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of the sample pictures in `place / "photos"`."""
    copied = tmp_path_factory.mktemp("sample-catalog") / "catalog"
    _put_samples(place)
    with Catalog.open(place / "catalog", model="starter", create=True) as catalog:
        catalog.index(place / "photos")
    return (place / "catalog").rename(copied)


@pytest.fixture
def samples(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the sample pictures as `photos`; commands find the program, `catalog` and the starter."""
    _put_samples(place)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(place / "catalog"))
    monkeypatch.setenv("CLIPSEARCH_MODEL", "starter")
    return place


@pytest.fixture
def indexed(sample_catalog: Path, samples: Path) -> Path:
    """The same folder, with the sample pictures in the catalog."""
    shutil.copytree(sample_catalog, samples / "catalog")
    return samples


def _put_samples(place: Path) -> None:
    """Leave nothing in the folder but the sample pictures."""
    shutil.rmtree(place)
    shutil.copytree(sample_data_folder(), place / "photos")
