"""Serializable recipe with which another process, or machine, loads the same encoder."""

from dataclasses import dataclass

from clipsearch.encoders.base import Encoder
from clipsearch.errors import IndexMismatchError, ModelError
from clipsearch.types import ModelOptions
from clipsearch.version import __version__


@dataclass(frozen=True, slots=True)
class EncoderRecipe:
    """Recipe for loading an encoder in another process.

    Attributes:
        name: "starter", a hub id, or a directory that exists on each machine.
        fingerprint: of the expected model; another one is rejected.
        device, runtime, precision: as in `ModelOptions`.
        version: of the clipsearch that made the recipe; another one is rejected.
    """

    name: str
    fingerprint: str
    device: str | None = None
    runtime: str | None = None
    precision: str | None = None
    version: str = __version__

    def load(self) -> Encoder:
        """Load the encoder.

        Raises:
            IndexMismatchError: the model of that name has another fingerprint here.
            ModelError: it can't be loaded, or clipsearch has another version here.
        """
        from clipsearch.encoders.load import load_encoder

        if self.version != __version__:
            raise ModelError(f"clipsearch is {__version__} there and {self.version} here: install the same everywhere")
        # A worker process sees only the GPU assigned to it, so its index does not apply.
        device = "cuda" if self.device is not None and self.device.startswith("cuda") else self.device
        encoder = load_encoder(ModelOptions(self.name, device=device, runtime=self.runtime, precision=self.precision))
        if encoder.fingerprint != self.fingerprint:
            raise IndexMismatchError(f"the model {self.name} there is not the one here: put the same files everywhere")
        return encoder

    @property
    def may_use_gpu(self) -> bool:
        """Whether the encoder may use a GPU, as far as is known without loading the model."""
        from clipsearch.encoders.load import runs_with_torch

        return self.runtime != "openvino" and self.device != "cpu" and runs_with_torch(self.name)
