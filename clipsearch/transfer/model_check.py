"""Check whether imported embeddings come from a model, by embedding some of the pictures and comparing."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder
from clipsearch.errors import ImageReadError, IndexMismatchError
from clipsearch.images.reading import OpenPath

CHECKED_PICTURES = 32

MIN_MEDIAN_COSINE = 0.99
"""Threshold for the cosine of imported embeddings to those computed here. With the starter on the sample pictures
another resampling filter gives 0.993 and more, an intermediate JPEG of quality 90 0.998, float16 1.000; another crop
0.98, the most similar of other pictures 0.6; another model is unrelated. The median: some pictures may have changed."""


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """Result of the check.

    Attributes:
        pictures: number of pictures that were compared.
        cosine: their median; NaN when none was compared.
    """

    pictures: int
    cosine: float


Candidate = tuple[str, NDArray[np.float32]]
"""Path of a picture, and its claimed embedding (dim,), unit-norm."""


def check_model(candidates: Iterable[Candidate], *, encoder: Encoder, open_path: OpenPath, where: str) -> ModelCheck:
    """Embed a uniform sample of the pictures, and compare with their claimed embeddings.

    Raises:
        IndexMismatchError: the embeddings are not the encoder's; the message names `where` they are.
    """
    crops, expected = [], []
    for path, embedding in _sample(candidates):
        try:
            with open_path(path) as picture:
                crops.append(picture.decode()[0])
        except (OSError, ImageReadError, MemoryError):
            continue
        expected.append(embedding)
    if not crops:
        return ModelCheck(0, float("nan"))
    embeddings = encoder.encode_images(np.stack(crops))
    cosine = float(np.median(np.einsum("ij,ij->i", embeddings, np.stack(expected))))
    if cosine < MIN_MEDIAN_COSINE:
        raise IndexMismatchError(
            f"the embeddings in {where} don't come from the model {encoder.name}: the pictures embedded with it have a "
            f"cosine of {cosine:.3f} to them, {MIN_MEDIAN_COSINE} is needed ({len(crops)} compared); name the right "
            "model with --model"
        )
    return ModelCheck(len(crops), cosine)


def _sample(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Draw a uniform sample of the pictures to check, the same one each time.

    Source: Vitter, Random sampling with a reservoir (1985), algorithm R.
    """
    chosen: list[Candidate] = []
    choose = random.Random(0)  # noqa: S311
    for number, candidate in enumerate(candidates):
        if number < CHECKED_PICTURES:
            chosen.append(candidate)
        elif (place := choose.randrange(number + 1)) < CHECKED_PICTURES:
            chosen[place] = candidate
    return chosen
