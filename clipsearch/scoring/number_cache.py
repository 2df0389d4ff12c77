"""Cache lists of numbers on disk, one JSON file for each, with eviction of the oldest."""

import contextlib
import json
import math
from collections.abc import Sequence

from clipsearch.files import atomic_write, make_cache_dir
from clipsearch.paths import cache_dir

# Files of a folder before the oldest are evicted: more than the catalogs and models in use.
_MOST_FILES = 64


def read_numbers(folder: str, name: str) -> list[float] | None:
    """Return the finite numbers cached under a name; None on a miss, also for a damaged file."""
    try:
        found = json.loads((cache_dir() / folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if isinstance(found, list) and all(isinstance(number, float) and math.isfinite(number) for number in found):
        return found
    return None


def cache_numbers(folder: str, name: str, numbers: Sequence[float]) -> None:
    """Cache numbers in an atomic write and evict the oldest files of the folder; write errors are ignored."""
    place = cache_dir() / folder
    with contextlib.suppress(OSError):
        make_cache_dir()
        place.mkdir(mode=0o700, exist_ok=True)
        atomic_write(place / f"{name}.json", json.dumps(list(numbers)).encode("ascii"))
        files = sorted(place.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
        for file in files[:-_MOST_FILES]:
            file.unlink()
