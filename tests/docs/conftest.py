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


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the sample pictures as `photos`; commands find the program, `catalog` and the starter."""
    shutil.copytree(sample_data_folder(), tmp_path / "photos")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("CLIPSEARCH_CATALOG", str(tmp_path / "catalog"))
    monkeypatch.setenv("CLIPSEARCH_MODEL", "starter")
    return tmp_path


@pytest.fixture
def indexed(samples: Path) -> Path:
    """The same folder, with the sample pictures in the catalog."""
    with Catalog.open(model="starter", create=True) as catalog:
        catalog.index(samples / "photos")
    return samples
