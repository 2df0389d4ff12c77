"""The tiny CLIP in both forms, made and compiled once for the session, and stand-ins for the process that compiles.

A process that compiles takes 7 s, of which 5 are imports: tests about what is done with a compiled model copy one that
is there, and tests about how a model is compiled do it in this process.
"""

import shutil
import subprocess
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from filelock import FileLock

from clipsearch.encoders.openvino import cache as compile_cache
from clipsearch.paths import cache_dir

Compile = Callable[..., subprocess.CompletedProcess[str]]


class TinyClips:
    """`make_clip`'s models by their seed, in the hub's layout and compiled; to be read only."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the same one for all workers of a session."""
        self._folder = folder

    def find_source(self, seed: int = 0) -> Path:
        return self._make(seed) / "source"

    def find_compiled(self, seed: int = 0) -> Path:
        return self._make(seed) / "compiled"

    def copy_source(self, directory: Path) -> Path:
        """Copy the model in the hub's layout, whose compiled model is in the cache of this test from now on."""
        shutil.copytree(self.find_source(), directory)
        target = cache_dir() / "compiled" / compile_cache.source_key(directory)
        shutil.copytree(self.find_compiled(), target, dirs_exist_ok=True)
        return directory

    def _make(self, seed: int) -> Path:
        self._folder.mkdir(exist_ok=True)
        made = self._folder / str(seed)
        with FileLock(self._folder / "lock"):
            if not made.exists():
                from tests.support.tiny_models import compile_quietly, make_clip  # imports PyTorch

                fresh = self._folder / "fresh"
                compile_quietly(make_clip(fresh / "source", seed=seed), fresh / "compiled")
                fresh.rename(made)
        return made


def compile_by_copying(compiled: Path, patch: pytest.MonkeyPatch) -> list[Path]:
    """Let the process that compiles give a copy of `compiled`; returns the list of sources it was started for."""
    sources: list[Path] = []

    def copy(source: Path, target: Path) -> None:
        sources.append(source)
        shutil.copytree(compiled, target, dirs_exist_ok=True)

    patch.setattr(compile_cache, "run_python", _stand_in(copy))
    return sources


def compile_in_this_process(patch: pytest.MonkeyPatch) -> None:
    """Compile without another process; errors come back as that one would print them."""
    from tests.support.tiny_models import compile_quietly

    patch.setattr(compile_cache, "run_python", _stand_in(compile_quietly))


def _stand_in(compile_model: Callable[[Path, Path], None]) -> Compile:
    def run(arguments: Sequence[str], **variables: str) -> subprocess.CompletedProcess[str]:
        option, module, source, target = arguments
        if module == "clipsearch.encoders.openvino.int8":  # which is not what these tests are about
            return subprocess.CompletedProcess(arguments, 1, "", "ModelError: not measured")
        assert (option, module) == ("-m", "clipsearch.encoders.openvino.compile")
        try:
            compile_model(Path(source), Path(target))
        except Exception:  # printed by Python, whatever it is
            return subprocess.CompletedProcess(arguments, 1, "", traceback.format_exc())
        return subprocess.CompletedProcess(arguments, 0, "", "")

    return run
