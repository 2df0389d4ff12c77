"""A compiled model for the CPU, with a GPU beside it for pictures in bulk."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder

# Pictures a batch. The first full one makes it worth waiting the seconds that loading torch takes; with a shorter one
# the CPU is done sooner.
BATCH = 256


class AcceleratedEncoder:
    """See `Encoder`. Texts and a few pictures go through the compiled model; the first full batch loads the other
    one, which takes all pictures from then on. Both have the same weights, and agree to a cosine of 0.999."""

    def __init__(self, compiled: Encoder, *, load_accelerated: Callable[[], Encoder | None]) -> None:
        """`load_accelerated`: called at most once; None when there is no GPU after all."""
        self.name = compiled.name
        self.fingerprint = compiled.fingerprint
        self.dim = compiled.dim
        self.context_length = compiled.context_length
        self.preprocess = compiled.preprocess
        self.head = compiled.head
        self.batch_size = BATCH
        self._compiled = compiled
        self._load_accelerated: Callable[[], Encoder | None] | None = load_accelerated
        self._for_images = compiled

    def encode_images(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._load_accelerated is not None and len(crops) >= self.batch_size:
            self._for_images = self._load_accelerated() or self._compiled
            self._load_accelerated = None
            self.batch_size = self._for_images.batch_size
        return self._for_images.encode_images(crops)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._compiled.encode_texts(texts)

    def count_tokens(self, text: str) -> int:
        return self._compiled.count_tokens(text)
