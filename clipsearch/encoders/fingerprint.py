"""What makes two encoders the same: hashes of weights, tokenizer, preprocessing and the settings that count.

Hashing 600 MB takes longer than opening a catalogue, so the hashes of large files are remembered in the user's cache
folder. The memo is a convenience: broken, unwritable or outdated, it is ignored.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from clipsearch.files import atomic_write, make_cache_dir, read_regular_file
from clipsearch.paths import cache_dir

if TYPE_CHECKING:
    from clipsearch.images.preprocess import Preprocess

MEMO_NAME = "file-hashes.json"

# Below this, reading the memo costs as much as hashing.
MEMO_MIN_BYTES = 1 << 20

# A file changed within the clock's coarseness after it was hashed would keep size and mtime; FAT counts in 2 seconds.
# Source: the "racy git" problem, git's Documentation/technical/racy-git.txt.
_RACY_NS = 2_000_000_000


def fingerprint_of(
    *,
    weights: Iterable[Path],
    tokenizer_files: Iterable[Path],
    preprocess: "Preprocess",
    settings: Mapping[str, Any],
    anew: bool = False,
) -> str:
    """The fingerprint of a model (64 hex digits): equal exactly when everything that decides its rows is equal.

    Args:
        weights: files; their content counts and their order by name, not their names.
        tokenizer_files: files; their names count too, since the name decides how one is read.
        preprocess: how pictures are prepared.
        settings: JSON values: model type, context length, whatever else changes the result.
        anew: see `hash_file`.
    """
    return combine(
        {
            "weights": [hash_file(path, anew=anew) for path in sorted(weights)],
            "tokenizer": {path.name: hash_file(path, anew=anew) for path in tokenizer_files},
            "preprocess": asdict(preprocess),
            "settings": dict(settings),
        }
    )


def combine(parts: Mapping[str, Any]) -> str:
    """blake3 (64 hex digits) of JSON values; the order of keys does not count, the order of lists does."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return blake3(text.encode()).hexdigest()


def hash_file(path: Path, *, anew: bool = False) -> str:
    """blake3 (64 hex digits) of a file's content, remembered by real path, size and mtime.

    Args:
        anew: read it, whatever is remembered.

    Raises:
        OSError: the file can't be read.
    """
    real_path = path.resolve()
    before = real_path.stat()
    if before.st_size < MEMO_MIN_BYTES:
        return blake3(read_regular_file(real_path, max_bytes=MEMO_MIN_BYTES)).hexdigest()
    state = [before.st_size, before.st_mtime_ns]
    known = _read_memo().get(str(real_path))
    if known is not None and known[:2] == state and not anew:
        return str(known[2])
    hasher = blake3(max_threads=blake3.AUTO)
    hasher.update_mmap(real_path)
    digest = hasher.hexdigest()
    after = real_path.stat()
    if [after.st_size, after.st_mtime_ns] == state and time.time_ns() - after.st_mtime_ns > _RACY_NS:
        _remember(str(real_path), [*state, digest])
    return digest


def _read_memo() -> dict[str, list[Any]]:
    """{real path: [size_bytes, mtime_ns, digest]}; empty when there is none or it is damaged."""
    try:
        content = json.loads((cache_dir() / MEMO_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {path: entry for path, entry in content.items() if _is_entry(entry)}


def _is_entry(entry: object) -> bool:
    match entry:
        case [int(), int(), str(digest)]:
            return re.fullmatch("[0-9a-f]{64}", digest) is not None
        case _:
            return False


def _remember(real_path: str, entry: list[Any]) -> None:
    """Adds one entry; two processes at once can lose one of theirs, never damage the file."""
    # Not Path.exists, which raises an error for a name that is too long.
    entries = {path: known for path, known in _read_memo().items() if os.path.exists(path)}  # noqa: PTH110
    entries[real_path] = entry
    with contextlib.suppress(OSError):
        atomic_write(make_cache_dir() / MEMO_NAME, json.dumps(entries).encode("ascii"))
