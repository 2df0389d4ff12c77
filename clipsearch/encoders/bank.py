"""Texts and photographs that a model's scores are compared with: what pictures show at all, words that mean nothing,
and photographs that have nothing in common."""

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from clipsearch.data import bank_texts, strange_texts
from clipsearch.encoders.text_cache import encode_set
from clipsearch.notices import muted, notify
from clipsearch.paths import sample_data_folder
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.familiarity import fit_familiarity
from clipsearch.scoring.number_cache import keep_numbers, read_numbers
from clipsearch.vectors import median_and_spread

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder


# Another one whenever `familiarity` calibrates otherwise: what is kept from before is not used then.
_CALIBRATION = "logistic 1, nearest 5, strange 0.4, pictures 1"

# The photographs among the sample pictures, each of another thing; drawings are more alike than photographs.
_PHOTOGRAPHS = (
    "animals/cat.jpg",
    "food/coffee.jpg",
    "nature/dahlia.webp",
    "nature/galaxies.jpg",
    "people/astronaut.jpg",
    "people/photographer.jpg",
    "travel/rocket.jpg",
)

# Texts that say how long all of them will take, and from when on that is told.
_TIMED, _LONG_S = 64, 15.0


def load_bank(*, fingerprint: str, dim: int, load_encoder: "Callable[[], Encoder]") -> Bank:
    """The bank of a model; it is kept in the cache folder, so that the model is loaded the first time only.

    Args:
        fingerprint: of the model.
    """
    texts = bank_texts()
    rows = encode_set(
        texts,
        fingerprint=fingerprint,
        dim=dim,
        load_encoder=lambda: _announced(load_encoder(), len(texts)),
        encode=lambda texts, encoder: encoder.encode_texts(texts),
    )
    digest = blake3("\n".join([fingerprint, _CALIBRATION, *texts, *strange_texts()]).encode()).hexdigest()
    numbers = read_numbers("bank", digest[:32])
    if numbers is None or len(numbers) != 5 or numbers[0] <= 0 or numbers[4] <= 0:
        encoder = load_encoder()
        with muted():
            strange = encoder.encode_texts(strange_texts())
        numbers = [
            float(encoder.head.logit_scale),
            *fit_familiarity(rows, strange),
            *median_and_spread(_cosines_of_photographs(encoder)),
        ]
        keep_numbers("bank", digest[:32], numbers)
    return Bank(rows, *numbers)


def _cosines_of_photographs(encoder: "Encoder") -> NDArray[np.float32]:
    """(n, n - 1): of each with the others."""
    # Loads Pillow, for the first query with a model alone.
    from clipsearch.encoders.embed_image import embed_pictures

    found = embed_pictures([sample_data_folder() / name for name in _PHOTOGRAPHS], encoder=encoder)
    is_other = ~np.eye(len(found), dtype=np.bool_)
    return np.asarray((found @ found.T)[is_other].reshape(len(found), -1))


def _announced(encoder: "Encoder", count: int) -> "Encoder":
    """Says so beforehand when it takes long to encode so many texts."""
    texts = bank_texts()[:_TIMED]
    with muted():
        encoder.encode_texts(texts[:1])  # loads what is loaded at the first text
        start = perf_counter()
        encoder.encode_texts(texts)
    seconds = (perf_counter() - start) * count / len(texts)
    if seconds > _LONG_S:
        notify(f"the first time with this model it learns what its scores are worth: about {seconds:.0f} s")
    return encoder
