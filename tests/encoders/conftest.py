"""Keeps these tests off the user's cache folders and off the network, and compiles a model for all that need one."""

import os
import shutil
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported: it reads its variables once


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPSEARCH_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def compiled_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`make_clip`'s model, compiled; to be read only. Made without the cache, which is no test's own yet."""
    from clipsearch.encoders.compile import compile_model
    from tests.encoders.tiny_models import make_clip

    folder = tmp_path_factory.mktemp("compiled-clip")
    compile_model(make_clip(folder / "source"), folder / "compiled")
    return folder / "compiled"


@pytest.fixture
def compiled_copy(compiled_clip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(compiled_clip, tmp_path / "copy"))
