"""What a model makes of captions that have nothing to do with each other: scores are held against it."""

import os
import warnings
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.encoders.fingerprint import cache_dir, make_cache_dir
from clipsearch.errors import ClipSearchNotice

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder


def background_texts() -> list[str]:
    """Short captions of what pictures show at all, from animals to screenshots; written for this purpose."""
    return files("clipsearch.encoders").joinpath("background.txt").read_text(encoding="utf-8").splitlines()


def background_embeddings(*, fingerprint: str, dim: int, load_encoder: "Callable[[], Encoder]") -> NDArray[np.float32]:
    """(n, dim) unit-norm, in the order of `background_texts`; kept in the cache folder, a file for each model."""
    texts = background_texts()
    digest = blake3("\n".join([fingerprint, *texts]).encode()).hexdigest()
    path = cache_dir() / "background" / f"{digest[:32]}.f32"
    kept = _read(path, (len(texts), dim))
    if kept is None:
        encoder = load_encoder()
        with warnings.catch_warnings():
            # A model of few tokens splits them: nothing the user has asked for, or could change.
            warnings.simplefilter("ignore", ClipSearchNotice)
            kept = encoder.encode_texts(texts)
        _keep(path, kept)
    return kept


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
        fresh.unlink(missing_ok=True)
