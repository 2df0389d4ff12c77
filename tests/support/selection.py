"""Mark tests by what they need, and choose the number of processes that run them."""

import os
from pathlib import Path

import pytest

# Paths in tests/ whose tests load no model and start next to no processes; a folder stands for all files in it.
FAST = (
    "captions",
    "cli/test_query_arguments.py",
    "encoders/test_fingerprint.py",
    "encoders/test_long_text.py",
    "encoders/test_text_cache.py",
    "evaluation/test_calibration.py",
    "evaluation/test_metrics.py",
    "fuzz/test_fuzz_captions.py",
    "fuzz/test_fuzz_ignore.py",
    "fuzz/test_fuzz_sidecars.py",
    "gallery/duplicates/test_gathering.py",
    "gallery/test_placing.py",
    "images/colours",
    "images/remote/test_walk.py",
    "images/test_dates.py",
    "images/test_decode.py",
    "images/test_find.py",
    "images/test_metadata.py",
    "images/test_partial.py",
    "images/test_patterns.py",
    "images/test_perceptual_hash.py",
    "images/test_pnm.py",
    "images/test_thumbnail_cache.py",
    "images/test_thumbnails.py",
    "images/raw",
    "images/test_volume.py",
    "images/films/test_hdr.py",
    "images/films/test_motion_photo.py",
    "images/films/test_reading.py",
    "images/films/test_scenes.py",
    "images/films/test_tags.py",
    "images/xmp",
    "columns",
    "indexes/test_hamming.py",
    "indexes/test_ivf.py",
    "indexes/test_neighbours.py",
    "indexes/test_snapshot.py",
    "indexes/test_vector_index.py",
    "indexing/test_interrupt.py",
    "indexing/test_pipeline.py",
    "indexing/test_run.py",
    "indexing/test_scopes.py",
    "places",
    "query",
    "scoring/test_layout.py",
    "release",
    "store/test_embeddings.py",
    "store/test_folded_names.py",
    "store/test_labels.py",
    "store/test_pictures.py",
    "store/test_runs.py",
    "store/test_schema.py",
    "test_files.py",
    "test_prefetch.py",
    "test_quantities.py",
    "test_sample_data.py",
    "test_text.py",
    "test_text_folding.py",
    "web/test_connections.py",
    "web/test_pipelining.py",
)

# Fixtures and parameters that stand for servers, clusters and browsers.
_SERVICES = {"postgres", "postgresql", "milvus_server", "on_milvus", "cluster", "browser"}

# More of them than that gain little and need 0.6 GB each.
_MOST_WORKERS = 4


def mark(item: pytest.Item) -> None:
    """Add `services` or `fast` to a test, by its fixtures, parameters and file."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    needs = {*getattr(item, "fixturenames", ()), *(getattr(value, "__name__", str(value)) for value in parameters)}
    if not _SERVICES.isdisjoint(needs):
        item.add_marker("services")
    elif _is_fast(item.path, item.config):
        item.add_marker("fast")


def is_left_out(path: Path, config: pytest.Config) -> bool:
    """Whether `-m fast` needs nothing of a file: importing PyTorch and others takes longer than many tests."""
    is_test = path.name.startswith("test_") and path.suffix == ".py"
    return is_test and config.getoption("markexpr") == "fast" and not _is_fast(path, config)


def _is_fast(path: Path, config: pytest.Config) -> bool:
    tests = config.rootpath / "tests"
    return path.is_relative_to(tests) and any(path.relative_to(tests).is_relative_to(place) for place in FAST)


def worker_count(config: pytest.Config) -> int | None:
    """One process per core for a whole run, only this one where files are named; None: as the environment says."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_WORKERS)
