"""Runs a compiled model directory with OpenVINO; neither torch nor transformers is imported.

Such a directory holds `model.json` (format 1), an image model, a text model and `tokenizer.json`. Both models give
unit-norm rows. The starter model that comes with the package is one.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import ProbabilityHead
from clipsearch.encoders.chunking import Offsets, chunk_texts, mean_of_chunks
from clipsearch.encoders.fingerprint import fingerprint_of
from clipsearch.errors import ModelError
from clipsearch.preprocess import Preprocess, to_pixel_values
from clipsearch.vectors import normalise

SPEC_NAME = "model.json"

# Rows of one inference. Small ones keep all streams busy to the end of a batch; larger ones were no faster.
_IMAGE_ROWS = 8
_TEXT_ROWS = 64

_RESAMPLE = {"bilinear": 2, "bicubic": 3}


class CompiledEncoder:
    """See `Encoder` for the attributes and the two encode methods."""

    batch_size = 4 * _IMAGE_ROWS

    def __init__(self, directory: Path, *, name: str) -> None:
        """Reads the description; the models are compiled when they are first used.

        Raises:
            ModelError: not a compiled model directory, or one of a newer format.
        """
        self.name = name
        self._directory = directory
        try:
            self._spec = _read_spec(directory)
            image, text = self._spec["image"], self._spec["text"]
            self.preprocess = _preprocess(self._spec["preprocess"])
            self.dim = int(self._spec["dim"])
            self.head = ProbabilityHead("softmax", float(self._spec["logit_scale"]))
            self.context_length = int(text["max_tokens"])
            self._pad_id = int(text["pad_id"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{directory} is no compiled model directory: {error!r}") from error
        self.fingerprint = fingerprint_of(
            weights=[directory / image["file"], directory / text["file"]],
            tokenizer_files=[directory / text["tokenizer"]],
            preprocess=self.preprocess,
            settings={"type": "compiled", "context_length": self.context_length, "logit_scale": self.head.logit_scale},
        )
        self._image_queue: Any = None
        self._text_request: Any = None
        self._tokenizer: Any = None

    def encode_images(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = np.empty((len(crops), self.dim), dtype=np.float32)
        if len(crops) == 0:
            return rows
        queue = self._open_image_queue()
        failures: list[str] = []

        def keep(request: Any, start: int) -> None:
            found = request.get_output_tensor(0).data
            wanted = (min(_IMAGE_ROWS, len(rows) - start), self.dim)
            if found.shape == wanted:
                rows[start : start + len(found)] = found
            else:
                failures.append(f"{found.shape} instead of {wanted}")

        queue.set_callback(keep)
        try:
            for start in range(0, len(crops), _IMAGE_ROWS):
                # share_inputs stays off: a request that shares its input goes on using that memory later.
                queue.start_async({0: to_pixel_values(crops[start : start + _IMAGE_ROWS], self.preprocess)}, start)
        finally:
            # Also after Ctrl-C: a request that ends while Python is shutting down aborts the process.
            queue.wait_all()
        if failures:
            raise ModelError(f"the image model of {self.name} gave rows of the wrong shape: {failures[0]}")
        return normalise(rows)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        tokenizer = self._open_tokenizer()
        chunks = chunk_texts(
            texts,
            self._offsets,
            context_length=self.context_length,
            special_tokens=tokenizer.num_special_tokens_to_add(False),
        )
        rows = np.empty((len(chunks.texts), self.dim), dtype=np.float32)
        # Texts of like length together: a batch is padded to its longest.
        order = sorted(range(len(rows)), key=chunks.lengths.__getitem__)
        for start in range(0, len(order), _TEXT_ROWS):
            part = order[start : start + _TEXT_ROWS]
            rows[part] = self._encode_batch([chunks.texts[row] for row in part])
        return mean_of_chunks(normalise(rows), chunks.counts)

    def tokenize(self, text: str) -> list[int]:
        """Token ids with start and end tokens, not cut to the context."""
        ids: list[int] = self._open_tokenizer().encode(text).ids
        return ids

    def _encode_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        encodings = self._open_tokenizer().encode_batch(list(texts))
        longest = max(len(encoding.ids) for encoding in encodings)
        input_ids = np.full((len(texts), longest), self._pad_id, dtype=np.int64)
        attention_mask = np.zeros((len(texts), longest), dtype=np.int64)
        for row, encoding in enumerate(encodings):
            input_ids[row, : len(encoding.ids)] = encoding.ids
            attention_mask[row, : len(encoding.ids)] = 1
        request = self._open_text_request()
        request.infer({"input_ids": input_ids, "attention_mask": attention_mask})
        found = np.array(request.get_output_tensor(0).data, dtype=np.float32)
        if found.shape != (len(texts), self.dim):
            raise ModelError(f"the text model of {self.name} gave rows of shape {found.shape}, not (…, {self.dim})")
        return found

    def _offsets(self, texts: Sequence[str]) -> list[Offsets]:
        encodings = self._open_tokenizer().encode_batch(list(texts), add_special_tokens=False)
        return [encoding.offsets for encoding in encodings]

    def _open_tokenizer(self) -> Any:
        if self._tokenizer is None:
            from tokenizers import Tokenizer

            path = self._directory / self._spec["text"]["tokenizer"]
            try:
                self._tokenizer = Tokenizer.from_file(str(path))
            except Exception as error:  # tokenizers raises plain Exception
                raise ModelError(f"can't read the tokenizer {path}: {error}") from error
            # Too long texts are split by `chunk_texts`, never cut.
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
        return self._tokenizer

    def _open_image_queue(self) -> Any:
        if self._image_queue is None:
            self._image_queue = _import_openvino().AsyncInferQueue(self._compile("image", "THROUGHPUT"))
        return self._image_queue

    def _open_text_request(self) -> Any:
        if self._text_request is None:
            self._text_request = self._compile("text", "LATENCY").create_infer_request()
        return self._text_request

    def _compile(self, part: str, hint: str) -> Any:
        path = self._directory / self._spec[part]["file"]
        # float32: with bf16 arithmetic rows of the starter model drop to a cosine of 0.994 against torch.
        options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": hint}
        try:
            return _import_openvino().Core().compile_model(str(path), "CPU", options)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ModelError(f"can't load the {part} model {path}: {reason}") from error


def _import_openvino() -> Any:
    """OpenVINO without its telemetry: importing it reports to its makers through the package openvino_telemetry, and
    leaves an identity in the home folder. Where that package can't be imported it does neither.

    Source: openvino/tools/ovc/__init__.py and telemetry_utils.py of OpenVINO 2026.4.1.
    """
    if "openvino" not in sys.modules:
        cast(dict[str, object], sys.modules)["openvino_telemetry"] = None
    import openvino

    return openvino


def is_compiled_directory(directory: Path) -> bool:
    return (directory / SPEC_NAME).is_file()


def _read_spec(directory: Path) -> dict[str, Any]:
    path = directory / SPEC_NAME
    spec: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if spec["format"] != 1:
        raise ModelError(f"{path} has format {spec['format']}; this clipsearch reads format 1")
    for file in (spec["image"]["file"], spec["text"]["file"], spec["text"]["tokenizer"]):
        if not (directory / file).is_file():
            raise ModelError(f"the model directory {directory} lacks {file}")
    return spec


def _preprocess(spec: dict[str, Any]) -> Preprocess:
    size = int(spec["size"])
    return Preprocess(
        height=size,
        width=size,
        shortest_edge=size if spec["resize"] == "crop" else None,
        resample=_RESAMPLE[spec["interpolation"]],
        rescale_factor=1 / 255,
        mean=tuple(spec["mean"]),
        std=tuple(spec["std"]),
    )
