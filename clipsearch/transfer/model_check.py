"""Whether embeddings that were made elsewhere come from a model: some pictures are embedded again and compared."""

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
"""Of a picture's embedding to the one made here. With the starter on the sample pictures another filter for resizing
gives 0.993 and more, a JPEG of quality 90 in between 0.998, float16 1.000; another crop 0.98, the most similar of other
pictures 0.6. Another model has nothing to do with it. The median: some pictures may have been changed since."""


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """
    Attributes:
        pictures: that were compared.
        cosine: their median; not a number for none.
    """

    pictures: int
    cosine: float


Candidate = tuple[str, NDArray[np.float32]]
"""The path of a picture, and the embedding (dim,), unit-norm, that it is said to have."""


def check_model(candidates: Iterable[Candidate], *, encoder: Encoder, open_path: OpenPath, where: str) -> ModelCheck:
    """Embeds some of the pictures, chosen evenly among all.

    Raises:
        IndexMismatchError: the embeddings are not those of the encoder; names `where` they come from.
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
    """As many as are checked, each with the same chance; the same ones each time.

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
