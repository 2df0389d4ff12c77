"""A model, compiled for all tests that need one."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def compiled_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`make_clip`'s model, compiled; to be read only."""
    from tests.support.tiny_models import compile_quietly, make_clip

    folder = tmp_path_factory.mktemp("compiled-clip")
    compile_quietly(make_clip(folder / "source"), folder / "compiled")
    return folder / "compiled"


@pytest.fixture
def compiled_copy(compiled_clip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(compiled_clip, tmp_path / "copy"))
