"""Fingerprint an encoder: hash its weights, tokenizer, preprocessing and the settings that change its rows.

Hashing 600 MB takes longer than opening a catalog, so the hashes of large files are cached in the user's cache folder.
Errors of that cache are treated as a miss: a damaged, unwritable or stale one is ignored.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from clipsearch.files import atomic_write, make_cache_dir, read_regular_file
from clipsearch.paths import cache_dir

if TYPE_CHECKING:
    from clipsearch.images.preprocess import Preprocess

MEMO_NAME = "file-hashes.json"

# Smaller files are hashed every time, which costs no more than reading the cache.
MEMO_MIN_BYTES = 1 << 20

# A file changed within the clock's resolution after hashing keeps its size and mtime; that of FAT is 2 seconds.
# Source: the "racy git" problem, git's Documentation/technical/racy-git.txt.
_RACY_NS = 2_000_000_000


def fingerprint_of(
    *,
    weights: Iterable[Path],
    tokenizer_files: Iterable[Path],
    preprocess: "Preprocess",
    settings: Mapping[str, Any],
    rehash: bool = False,
) -> str:
    """Return the fingerprint of a model (64 hex digits): equal exactly when everything that determines its rows is.

    Args:
        weights: files; their content and their order by name count, not the names themselves.
        tokenizer_files: files; their names count too, since the name determines how one is parsed.
        preprocess: preprocessing of pictures.
        settings: JSON values: model type, context length, and everything else that changes the rows.
        rehash: see `hash_file`.
    """
    from clipsearch.images.preprocess import as_json  # lazy: it needs NumPy

    return combine(
        {
            "weights": [hash_file(path, rehash=rehash) for path in sorted(weights)],
            "tokenizer": {path.name: hash_file(path, rehash=rehash) for path in tokenizer_files},
            "preprocess": as_json(preprocess),
            "settings": dict(settings),
        }
    )


def combine(parts: Mapping[str, Any]) -> str:
    """Hash JSON values with blake3 (64 hex digits); independent of the order of keys, not of lists."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return blake3(text.encode()).hexdigest()


def hash_file(path: Path, *, rehash: bool = False) -> str:
    """Hash a file with blake3 (64 hex digits), cached by real path, size and mtime.

    Args:
        path: the file.
        rehash: ignore a cached hash.

    Raises:
        OSError: the file can't be read.
    """
    real_path = path.resolve()
    before = real_path.stat()
    if before.st_size < MEMO_MIN_BYTES:
        return blake3(read_regular_file(real_path, max_bytes=MEMO_MIN_BYTES)).hexdigest()
    state = [before.st_size, before.st_mtime_ns]
    known = _read_memo().get(str(real_path))
    if known is not None and known[:2] == state and not rehash:
        return str(known[2])
    hasher = blake3(max_threads=blake3.AUTO)
    hasher.update_mmap(real_path)
    digest = hasher.hexdigest()
    after = real_path.stat()
    if [after.st_size, after.st_mtime_ns] == state and time.time_ns() - after.st_mtime_ns > _RACY_NS:
        _remember(str(real_path), [*state, digest])
    return digest


def _read_memo() -> dict[str, list[Any]]:
    """Read the cache as {real path: [size_bytes, mtime_ns, digest]}; empty when it is missing or damaged."""
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
    """Add an entry to the cache in an atomic write; of two concurrent processes one may lose its entry."""
    # Not Path.exists, which raises an error for a name that is too long.
    entries = {path: known for path, known in _read_memo().items() if os.path.exists(path)}  # noqa: PTH110
    entries[real_path] = entry
    with contextlib.suppress(OSError):
        atomic_write(make_cache_dir() / MEMO_NAME, json.dumps(entries).encode("ascii"))
