"""Embed the reference bank of a model: texts about pictures, meaningless words, and unrelated photographs."""

from collections.abc import Callable, Sequence
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
from clipsearch.scoring.number_cache import cache_numbers, read_numbers
from clipsearch.vectors import cosines_among, median_and_spread

if TYPE_CHECKING:
    from clipsearch.encoders.base import Encoder


# Part of the cache key: change it whenever `familiarity` changes, so that cached numbers are invalidated.
_CALIBRATION = "logistic 1, nearest 5, strange 0.4, pictures 1"

# The photographs among the sample pictures, of unrelated things; drawings are more similar to each other.
_PHOTOGRAPHS = (
    "animals/cat.jpg",
    "food/coffee.jpg",
    "nature/dahlia.webp",
    "nature/galaxies.jpg",
    "people/astronaut.jpg",
    "people/photographer.jpg",
    "travel/rocket.jpg",
)

# Texts encoded to estimate the duration of all, and the estimate in seconds from which a notice tells it.
_TIMED, _LONG_S = 64, 15.0


def load_bank(*, fingerprint: str, dim: int, load_encoder: "Callable[[], Encoder]") -> Bank:
    """Load the bank of a model from the cache, or embed and calibrate it on a miss.

    Args:
        fingerprint: of the model.
        dim: dimensions of an embedding.
        load_encoder: loads the model; called on a cache miss only.
    """
    texts = bank_texts()
    rows = encode_set(
        texts,
        fingerprint=fingerprint,
        dim=dim,
        load_encoder=lambda: _announce_duration(load_encoder(), texts),
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
            *median_and_spread(cosines_among(_embed_photographs(encoder))),
        ]
        cache_numbers("bank", digest[:32], numbers)
    return Bank(rows, *numbers)


def _embed_photographs(encoder: "Encoder") -> NDArray[np.float32]:
    """Embed the unrelated photographs, (n, dim) unit-norm."""
    # Lazy: loads Pillow, which is needed only for the first query with a model.
    from clipsearch.encoders.embed_image import embed_pictures

    return embed_pictures([sample_data_folder() / name for name in _PHOTOGRAPHS], encoder=encoder)


def _announce_duration(encoder: "Encoder", texts: Sequence[str]) -> "Encoder":
    """Time some of the texts, give a notice when encoding all of them takes long, and return the encoder."""
    timed = texts[:_TIMED]
    with muted():
        encoder.encode_texts(timed[:1])  # warm-up: the model is loaded lazily
        start = perf_counter()
        encoder.encode_texts(timed)
    seconds = (perf_counter() - start) * len(texts) / len(timed)
    if seconds > _LONG_S:
        notify(f"calibrating the scores of this model, once: about {seconds:.0f} s")
    return encoder
