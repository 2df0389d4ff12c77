"""An environment of the tests' own: nothing is read from or written to the developer's home."""

import os
import site
from pathlib import Path

import pytest

# Of the tests themselves: how much of some is asked for.
_KEPT = {"CLIPSEARCH_FUZZ_EXAMPLES", "CLIPSEARCH_BENCHMARK_ROWS"}

# Of the developer's own catalogs, hub, cluster and database servers.
_PREFIXES = (
    "CLIPSEARCH_",
    "HF_",
    "HUGGINGFACE_",
    "TRANSFORMERS_",
    "XDG_",
    "RAY_",
    "PG",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
)

_FOLDERS = {
    "HOME": "",
    "USERPROFILE": "",
    "APPDATA": "roaming",
    "LOCALAPPDATA": "local",
    "XDG_CACHE_HOME": ".cache",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "CLIPSEARCH_CACHE": "cache",
    "CLIPSEARCH_CONFIG": "config",
    "HF_HOME": "hub",
    "HYPOTHESIS_STORAGE_DIRECTORY": "hypothesis",
}

# Of the repository: what version control, Python and the developers' tools write themselves.
_TOOLS = {".git", ".venv", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".benchmarks", "build", "dist"}

# Below the developer's home: where clipsearch and the libraries that it uses would write.
_PLACES = (
    ".cache/clipsearch",
    ".config/clipsearch",
    ".local/share/clipsearch",
    ".cache/huggingface",
    ".hypothesis",
    "intel",
)

# As it was before the tests: `isolate` points HOME elsewhere.
_DEVELOPER = Path.home()


def isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Points what the environment says of the developer to the folder `home`, and the model hub to nowhere."""
    patch.setenv("PYTHONUSERBASE", site.getuserbase())  # where packages may be installed, found by way of the home
    for name in os.environ:
        if name.startswith(_PREFIXES) and name not in _KEPT:
            patch.delenv(name)
    for name, folder in _FOLDERS.items():
        patch.setenv(name, str(home / folder))
    patch.setenv("HF_HUB_OFFLINE", "1")
    # For workers and other processes, which are started after this: they share the cores, and OpenBLAS's threads would
    # wait for each other in every small product.
    patch.setenv("OPENBLAS_NUM_THREADS", "1")


def files_outside(temporary: Path, repository: Path) -> set[Path]:
    """Files of the repository and of the developer's own clipsearch folders, but for those of a temporary folder."""
    found = set()
    for place in (repository, *(_DEVELOPER / name for name in _PLACES)):
        for folder, folders, names in os.walk(place):
            folders[:] = [name for name in folders if name not in _TOOLS and Path(folder, name) != temporary]
            found |= {Path(folder, name) for name in names}
    return found
