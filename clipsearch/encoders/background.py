"""What a model makes of captions that have nothing to do with each other: scores are held against it."""

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.kept_rows import kept_rows

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder


def background_texts() -> list[str]:
    """Short captions of what pictures show at all, from animals to screenshots; written for this purpose."""
    return files("clipsearch.encoders").joinpath("background.txt").read_text(encoding="utf-8").splitlines()


def background_embeddings(*, fingerprint: str, dim: int, load_encoder: "Callable[[], Encoder]") -> NDArray[np.float32]:
    """(n, dim) unit-norm, in the order of `background_texts`; kept in the cache folder, a file for each model."""
    return kept_rows(
        background_texts(),
        folder="background",
        fingerprint=fingerprint,
        dim=dim,
        load_encoder=load_encoder,
        encode=lambda texts, encoder: encoder.encode_texts(texts),
    )
