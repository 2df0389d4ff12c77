"""Embeddings of texts that are always asked for together: kept in the cache folder, a file for each model."""

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.files import make_cache_dir
from clipsearch.notices import muted
from clipsearch.paths import cache_dir

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder


def kept_rows(
    texts: Sequence[str],
    *,
    folder: str,
    fingerprint: str,
    dim: int,
    load_encoder: "Callable[[], Encoder]",
    encode: "Callable[[Sequence[str], Encoder], NDArray[np.float32]]",
) -> NDArray[np.float32]:
    """(n, dim) unit-norm, a row for each text: those kept, else what `encode` makes of them now.

    Args:
        folder: in the cache folder; says what the rows are made of, and how.
        fingerprint: of the model.
    """
    digest = blake3("\n".join([fingerprint, *texts]).encode()).hexdigest()
    path = cache_dir() / folder / f"{digest[:32]}.f32"
    rows = _read(path, (len(texts), dim))
    if rows is None:
        encoder = load_encoder()
        with muted():  # a model of few tokens splits them: nothing the user has asked for, or could change
            rows = encode(texts, encoder)
        _keep(path, rows)
    return rows


def _read(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """None where there is none or it is damaged: it can be made again."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if len(content) != 4 * shape[0] * shape[1]:
        return None
    rows = np.frombuffer(content, dtype="<f4").reshape(shape).astype(np.float32)
    with np.errstate(all="ignore"):
        is_unit = bool(np.all(np.abs(np.einsum("ij,ij->i", rows, rows) - 1) < 1e-3))
    return rows if is_unit else None


def _keep(path: Path, rows: NDArray[np.float32]) -> None:
    """A cache folder that can't be written costs time, nothing else."""
    fresh = path.with_suffix(f".{os.getpid()}.new")
    try:
        make_cache_dir()
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_bytes(rows.astype("<f4").tobytes())
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
