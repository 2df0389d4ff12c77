"""Offload pictures in bulk from a compiled CPU model to a GPU."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Crops, Encoder, with_patches
from clipsearch.errors import ModelError, first_line
from clipsearch.notices import notify

# Pictures from which on loading torch, which takes seconds, pays off; also the batch size.
BATCH = 256


class AcceleratedEncoder:
    """`Encoder` that runs texts and the first `BATCH` pictures on the CPU, and all later pictures on a GPU.

    The GPU model is loaded lazily. Both have the same weights, and their rows agree to a cosine of 0.999.
    """

    def __init__(self, compiled: Encoder, *, load_accelerated: Callable[[], Encoder | None]) -> None:
        """Wrap a compiled encoder.

        Args:
            compiled: runs on the CPU.
            load_accelerated: called at most once; returns None when there is no GPU after all. When it raises, a notice
                says so, and the compiled encoder is the fallback.
        """
        self.name = compiled.name
        self.fingerprint = compiled.fingerprint
        self.dim = compiled.dim
        self.context_length = compiled.context_length
        self.preprocess = compiled.preprocess
        self.head = compiled.head
        patches = with_patches(compiled)
        self.patch_grid = None if patches is None else patches.patch_grid
        self.batch_size = BATCH
        self._compiled = compiled
        self._load_accelerated: Callable[[], Encoder | None] | None = load_accelerated
        self._for_images = compiled
        self._pictures = 0
        self._is_closed = False

    def encode_images(self, crops: Crops) -> NDArray[np.float32]:
        self._pictures += len(crops)
        if self._load_accelerated is not None and self._pictures >= BATCH and not self._is_closed:
            load, self._load_accelerated = self._load_accelerated, None
            try:
                self._for_images = load() or self._compiled
            except Exception as error:  # drivers and torch raise many types, such as for a GPU without free memory  # noqa: BLE001
                reason = f"the GPU is not used ({first_line(error)}): pictures are embedded on the CPU"
                notify(reason)
            if self._is_closed:  # closed by another thread during loading
                self.close()
            self.batch_size = self._for_images.batch_size
        return self._for_images.encode_images(crops)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._compiled.encode_texts(texts)

    def encode_patches(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed patches on the CPU, see `PatchEncoder.encode_patches`; only with a `patch_grid`."""
        patches = with_patches(self._compiled)
        if patches is None:
            raise ModelError(f"the patches of {self.name} are not aligned with texts")
        return patches.encode_patches(crops)

    def count_tokens(self, text: str) -> int:
        return self._compiled.count_tokens(text)

    def close(self) -> None:
        self._is_closed = True
        self._for_images.close()
        self._compiled.close()
