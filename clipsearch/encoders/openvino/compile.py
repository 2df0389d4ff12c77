"""Compile a transformers model to a compiled model directory, and check that the rows of both agree.

Run as a subprocess (`python -m clipsearch.encoders.openvino.compile SOURCE TARGET [PRECISION…]`, see `cache`), because
it needs gigabytes of memory, which a process does not return, and because torch and OpenVINO each start a thread pool.
"""

import contextlib
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clipsearch.encoders.adapter import Adapter
from clipsearch.encoders.base import MIN_COSINE
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.openvino.runtime import can_calculate_with
from clipsearch.encoders.openvino.spec import FLOATS, CompiledSpec, Precision, write_spec
from clipsearch.encoders.openvino.timing import measure_image_ms, write_image_ms
from clipsearch.encoders.torch_encoder import TransformersEncoder, random_crops
from clipsearch.errors import ModelError
from clipsearch.images.preprocess import Preprocess
from clipsearch.notices import muted
from clipsearch.openvino_loader import import_openvino

# Short and long texts, other scripts, more tokens than fit, a single letter.
_CHECK_TEXTS = (
    "a photo of a cat",
    "a glazed donut with sprinkles on a white plate, next to a cup of coffee",
    "x",
    "Ein Hund im Schnee. 雪の中の犬 🐕",
    "two people walk along the beach at sunset " * 12,
)
_CHECK_PICTURES = 12

# Messages of torch and C++ when out of memory, in errors that are not a MemoryError.
_NO_MEMORY = re.compile("DefaultCPUAllocator|bad[ _]alloc|out of memory|not enough memory", re.IGNORECASE)


class NotCompilableError(ModelError):
    """Raised when a model can't be compiled with these versions of the libraries, so that a retry is useless."""


def compile_model(source: Path, target: Path, precisions: Sequence[Precision] = FLOATS) -> None:
    """Compile the model in the hub's layout at `source` into the directory `target`, creating it if needed.

    After an error the content of `target` is invalid.

    Args:
        source: the model.
        target: the compiled model directory.
        precisions: to choose from.

    Raises:
        NotCompilableError: OpenVINO does not support the model, or its rows differ too much.
        ModelError: the model can't be loaded.
    """
    encoder = TransformersEncoder.load(source, device="cpu")
    target.mkdir(parents=True, exist_ok=True)
    with muted():  # the texts of the check are too long on purpose
        _convert(encoder, target)
        compiled = _choose_precision(encoder, target, precisions)
        with contextlib.suppress(ModelError):  # it works, and its speed stays unknown
            write_image_ms(target, measure_image_ms(compiled, check_crops(encoder.preprocess)))


class _ImageTower(torch.nn.Module):
    """Module from uint8 crops (n, height, width, 3) to unit-norm rows (n, dim).

    A second output, where patches are aligned with texts: their unit-norm rows (n, patches, dim).
    """

    def __init__(self, model: Any, adapter: Adapter) -> None:
        super().__init__()
        self._model = model
        self._adapter = adapter

    def forward(self, crops: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        if self._adapter.patch_grid(self._model) is None:
            return _normalised(self._adapter.image_features(self._model, crops))
        features, patches = self._adapter.patch_features(self._model, crops)
        return _normalised(features), _normalised(patches)


class _TextTower(torch.nn.Module):
    """Module from token ids (n, length), and a mask if the model uses one, to unit-norm rows (n, dim)."""

    def __init__(self, model: Any, adapter: Adapter) -> None:
        super().__init__()
        self._model = model
        self._adapter = adapter

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        mask = {} if attention_mask is None else {"attention_mask": attention_mask}
        return _normalised(self._adapter.text_features(self._model, {"input_ids": input_ids, **mask}))


def _normalised(features: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(features, dim=-1)


def _convert(encoder: TransformersEncoder, directory: Path) -> None:
    """Write image.xml and text.xml (OpenVINO IR, float16 weights, dynamic batch and text length) and tokenizer.json."""
    openvino = import_openvino()
    height, width = encoder.preprocess.height, encoder.preprocess.width
    crops = torch.from_numpy(random_crops(2, encoder.preprocess))
    texts = encoder.inputs_of(["a cat", "a photo of a dog"])
    any_length = [-1, -1] if "attention_mask" in texts else [-1, encoder.context_length]
    image = _ImageTower(encoder.model, encoder.adapter).eval()
    text = _TextTower(encoder.model, encoder.adapter).eval()
    with torch.inference_mode():
        with _errors_of_model():
            compiled = openvino.convert_model(image, example_input=crops, input=[([-1, height, width, 3], np.uint8)])
        openvino.save_model(compiled, str(directory / "image.xml"), compress_to_fp16=True)
        with _errors_of_model():
            compiled = openvino.convert_model(
                text, example_input=texts, input=[(name, any_length, np.int64) for name in texts]
            )
        openvino.save_model(compiled, str(directory / "text.xml"), compress_to_fp16=True)
    encoder.tokenizer.backend_tokenizer.save(str(directory / "tokenizer.json"))


@contextlib.contextmanager
def _errors_of_model() -> Iterator[None]:
    """Convert errors to NotCompilableError, except those of memory or the disk, which are not the model's fault."""
    try:
        yield
    except Exception as error:  # the tracer runs the model's own code, and raises what that raises
        cause: BaseException | None = error  # OpenVINO wraps what the tracer raised
        while cause is not None:
            if isinstance(cause, (MemoryError, OSError)) or _NO_MEMORY.search(str(cause)):
                raise
            cause = cause.__cause__
        raise NotCompilableError(f"OpenVINO does not support it: {' '.join(str(error).split())[:200]}") from error


def _choose_precision(
    encoder: TransformersEncoder, directory: Path, precisions: Sequence[Precision]
) -> CompiledEncoder:
    """Write `model.json` with the fastest precision whose rows agree with transformers; returns the encoder."""
    crops = check_crops(encoder.preprocess)
    images, texts = encoder.encode_images(crops), encoder.encode_texts(_CHECK_TEXTS)
    pads_to_context = "attention_mask" not in encoder.inputs_of(["a cat"])
    cosine = 0.0
    for precision in sorted(precisions, key="f32".__eq__):
        if not can_calculate_with(precision):
            continue
        write_spec(
            directory,
            CompiledSpec(
                fingerprint=encoder.fingerprint,
                dim=encoder.dim,
                context_length=encoder.context_length,
                preprocess=encoder.preprocess,
                head=encoder.head,
                image_file="image.xml",
                text_file="text.xml",
                tokenizer_file="tokenizer.json",
                takes_crops=True,
                pad_id=int(encoder.tokenizer.pad_token_id or 0),
                pads_to_context=pads_to_context,
                lower_case=encoder.lower_case,
                precision=precision,
                patch_grid=encoder.patch_grid,
                prompt=encoder.prompt,
            ),
        )
        compiled = CompiledEncoder(directory, name=encoder.name, cache_blobs=False)
        with _errors_of_model():
            rows = np.concatenate([compiled.encode_images(crops), compiled.encode_texts(_CHECK_TEXTS)])
        cosine = float((rows * np.concatenate([images, texts])).sum(axis=1).min())
        if cosine >= MIN_COSINE:
            return compiled
    raise NotCompilableError(f"its rows with OpenVINO agree with transformers only to a cosine of {cosine:.4f}")


def check_crops(preprocess: Preprocess) -> NDArray[np.uint8]:
    """Generate crops to compare two runtimes with: smooth blotches of colour and, every third, noise."""
    if preprocess.patches is not None:
        return random_crops(_CHECK_PICTURES, preprocess)
    rng = np.random.default_rng(0)
    shape = (_CHECK_PICTURES, preprocess.height, preprocess.width, 3)
    coarse = rng.integers(0, 256, (_CHECK_PICTURES, 8, 8, 3)).astype(np.float32)
    crops = torch.nn.functional.interpolate(
        torch.from_numpy(coarse).permute(0, 3, 1, 2), size=shape[1:3], mode="bilinear"
    )
    crops[::3] = torch.from_numpy(rng.integers(0, 256, (len(crops[::3]), 3, *shape[1:3])).astype(np.float32))
    return np.ascontiguousarray(crops.permute(0, 2, 3, 1).numpy().astype(np.uint8))


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the tracer warns about every shape that Python code reads
    chosen = [precision for precision in FLOATS if precision in sys.argv[3:]]
    compile_model(Path(sys.argv[1]), Path(sys.argv[2]), chosen or FLOATS)
