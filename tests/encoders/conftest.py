"""A model, compiled for all tests that need one."""

import shutil
from pathlib import Path

import pytest

from tests.support.tiny_clips import TinyClips


@pytest.fixture(scope="session")
def compiled_clip(tiny_clips: TinyClips) -> Path:
    """`make_clip`'s model, compiled; to be read only."""
    return tiny_clips.find_compiled()


@pytest.fixture
def compiled_copy(compiled_clip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(compiled_clip, tmp_path / "copy"))


@pytest.fixture
def compiled_before(tiny_clips: TinyClips, tmp_path: Path) -> Path:
    """`make_clip`'s model in the hub's layout, whose compiled model is in the cache."""
    return tiny_clips.copy_source(tmp_path / "source")
