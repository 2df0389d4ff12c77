"""Numbers that are calculated once and cached."""

import contextlib
import json
import math
from collections.abc import Sequence

from clipsearch.files import atomic_write, make_cache_dir
from clipsearch.paths import cache_dir

# Files of a kind that are kept: of catalogs and models that are in use there are fewer.
_MOST_FILES = 64


def read_numbers(folder: str, name: str) -> list[float] | None:
    """The finite numbers cached under a name; None where there are none or they are damaged: they can be calculated
    again."""
    try:
        found = json.loads((cache_dir() / folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if isinstance(found, list) and all(isinstance(number, float) and math.isfinite(number) for number in found):
        return found
    return None


def keep_numbers(folder: str, name: str, numbers: Sequence[float]) -> None:
    """Cache numbers, and evict the oldest of a folder; one that can't be written costs time, nothing else."""
    place = cache_dir() / folder
    with contextlib.suppress(OSError):
        make_cache_dir()
        place.mkdir(mode=0o700, exist_ok=True)
        atomic_write(place / f"{name}.json", json.dumps(list(numbers)).encode("ascii"))
        others = sorted(place.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
        for file in others[:-_MOST_FILES]:
            file.unlink()
