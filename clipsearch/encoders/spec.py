"""How a process elsewhere gets the same encoder."""

from dataclasses import dataclass

from clipsearch.encoders.base import Encoder
from clipsearch.errors import IndexMismatchError, ModelError
from clipsearch.types import ModelOptions
from clipsearch.version import __version__


@dataclass(frozen=True, slots=True)
class EncoderRecipe:
    """
    Attributes:
        name: "starter", a hub id, or a directory that is there on each machine.
        fingerprint: of the one that is wanted; no other is taken for it.
        device: as in `ModelOptions`, like `runtime`.
        version: of the clipsearch that wants it.
    """

    name: str
    fingerprint: str
    device: str | None = None
    runtime: str | None = None
    version: str = __version__

    def load(self) -> Encoder:
        """
        Raises:
            IndexMismatchError: the model of that name is another one here.
            ModelError: it can't be loaded, or clipsearch is another version here.
        """
        from clipsearch.encoders.load import load_encoder

        if self.version != __version__:
            raise ModelError(f"clipsearch is {__version__} there and {self.version} here: install the same everywhere")
        # Of several GPUs a process sees the one that it was given.
        device = "cuda" if self.device is not None and self.device.startswith("cuda") else self.device
        encoder = load_encoder(ModelOptions(self.name, device=device, runtime=self.runtime))
        if encoder.fingerprint != self.fingerprint:
            raise IndexMismatchError(f"the model {self.name} there is not the one here: put the same files everywhere")
        return encoder

    @property
    def may_use_gpu(self) -> bool:
        """Whether a GPU would be of use, as far as can be said without loading the model."""
        from clipsearch.encoders.load import runs_with_torch

        return self.runtime != "openvino" and self.device != "cpu" and runs_with_torch(self.name)
