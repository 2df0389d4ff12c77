"""Runs a compiled model directory with OpenVINO; neither torch nor transformers is imported.

Such a directory holds `model.json` (see `compiled_spec`), an image model, a text model and `tokenizer.json`. Both
models give unit-norm rows. The starter model that comes with the package is one; `compile` makes one of every other.
"""

import contextlib
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from clipsearch import processes
from clipsearch.encoders.long_text import Offsets, chunk_texts, mean_of_chunks
from clipsearch.encoders.openvino.blob_cache import BlobFolder
from clipsearch.encoders.openvino.spec import CompiledSpec, Precision, read_spec
from clipsearch.errors import ModelError
from clipsearch.images.preprocess import Preprocess
from clipsearch.vectors import normalise

_Result = TypeVar("_Result")

# Rows of one inference. Small ones keep all streams busy to the end of a batch; larger ones were no faster.
_IMAGE_ROWS = 8
_TEXT_ROWS = 64

# Before it writes a blob OpenVINO sets the locale of the process to "C", and back: two at once leave it there, and from
# then on Python reads text files as ASCII.
_one_at_a_time = threading.Lock()

# Not the one above, which who loads a model holds already. Whoever takes both takes that one first.
_importing = threading.Lock()

# OpenVINO's names for what not every processor can calculate with.
_CAPABILITIES: dict[Precision, str] = {"bf16": "BF16", "f16": "FP16"}


class CompiledEncoder:
    """See `Encoder` for the attributes and the two encode methods."""

    def __init__(self, directory: Path, *, name: str, keep_compiled: bool = True) -> None:
        """Reads the description; the models are loaded when they are first used.

        Args:
            name: as a user would give it.
            keep_compiled: keep what OpenVINO makes of the models for this processor in the cache.

        Raises:
            ModelError: not a compiled model directory, one of a newer format, or a damaged one.
        """
        self.name = name
        self._keep_compiled = keep_compiled
        self._directory = directory
        self.spec: CompiledSpec = read_spec(directory)
        self.fingerprint = self.spec.fingerprint
        self.dim = self.spec.dim
        self.context_length = self.spec.context_length
        self.preprocess = self.spec.preprocess
        self.head = self.spec.head
        # Four inferences a core: at the end of a batch cores wait for the last one. With two that took a tenth of the
        # time, with four a twentieth.
        self.batch_size = min(4 * _IMAGE_ROWS * processes.core_count(), 256)
        self._image_queue: Any = None
        self._text_request: Any = None
        self._tokenizer: Any = None
        self._is_closed = False

    def encode_images(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = np.empty((len(crops), self.dim), dtype=np.float32)
        if len(crops) == 0:
            return rows
        failures: list[str] = []
        self._run("image", lambda: self._run_image_model(crops, rows, failures))
        if failures:
            raise ModelError(f"the image model of {self.name} gave rows of the wrong shape: {failures[0]}")
        return normalise(rows)

    def _run_image_model(self, crops: NDArray[np.uint8], rows: NDArray[np.float32], failures: list[str]) -> None:
        queue = self._open_image_queue()
        try:
            for start in range(0, len(crops), _IMAGE_ROWS):
                # share_inputs stays off: a request that shares its input goes on using that memory later.
                queue.start_async({0: crops[start : start + _IMAGE_ROWS]}, (rows, start, failures))
        finally:
            # Also after Ctrl-C: a request that ends while Python is shutting down aborts the process.
            queue.wait_all()

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        if self._text_request is None:
            self._open_text_model()
        tokenizer = self._open_tokenizer()
        chunks = chunk_texts(
            [text.lower() for text in texts] if self.spec.lower_case else texts,
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
        ids: list[int] = self._open_tokenizer().encode(text.lower() if self.spec.lower_case else text).ids
        return ids

    def count_tokens(self, text: str) -> int:
        return len(self.tokenize(text))

    def close(self) -> None:
        # First the flag: a thread that is loading looks at it when it is done.
        self._is_closed = True
        self._image_queue = self._text_request = self._tokenizer = None

    def _encode_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        encodings = self._open_tokenizer().encode_batch(list(texts))
        longest = max(len(encoding.ids) for encoding in encodings)
        length = self.context_length if self.spec.pads_to_context else longest
        input_ids = np.full((len(texts), length), self.spec.pad_id, dtype=np.int64)
        attention_mask = np.zeros((len(texts), length), dtype=np.int64)
        for row, encoding in enumerate(encodings):
            input_ids[row, : len(encoding.ids)] = encoding.ids
            attention_mask[row, : len(encoding.ids)] = 1
        inputs = {"input_ids": input_ids}
        if not self.spec.pads_to_context:
            inputs["attention_mask"] = attention_mask
        found = self._run("text", lambda: self._run_text_model(inputs))
        if found.shape != (len(texts), self.dim):
            raise ModelError(f"the text model of {self.name} gave rows of shape {found.shape}, not (…, {self.dim})")
        return found

    def _run_text_model(self, inputs: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        request = self._text_request
        self._require_open()
        request.infer(inputs)
        return np.array(request.get_output_tensor(0).data, dtype=np.float32)

    def _run(self, part: str, function: Callable[[], _Result]) -> _Result:
        """What the function gives. Whatever it raises loses its frames, which hold the model for as long as somebody
        keeps the error."""
        try:
            return function()
        except RuntimeError as error:
            error.with_traceback(None)
            raise ModelError(f"the {part} model of {self.name} failed: {_reason_of(error)}") from error
        except BaseException as error:
            raise error.with_traceback(None)  # noqa: B904 (the same one)

    def _offsets(self, texts: Sequence[str]) -> list[Offsets]:
        encodings = self._open_tokenizer().encode_batch(list(texts), add_special_tokens=False)
        return [encoding.offsets for encoding in encodings]

    def _open_tokenizer(self) -> Any:
        tokenizer = self._tokenizer
        self._require_open()
        if tokenizer is None:
            from tokenizers import Tokenizer

            path = self._directory / self.spec.tokenizer_file
            try:
                tokenizer = Tokenizer.from_file(str(path))
            except Exception as error:  # tokenizers raises plain Exception
                raise ModelError(f"can't read the tokenizer {path}: {error}") from error
            # Too long texts are split by `chunk_texts`, never cut.
            tokenizer.no_truncation()
            tokenizer.no_padding()
            self._tokenizer = tokenizer
            self._require_open()
        return tokenizer

    def _open_image_queue(self) -> Any:
        queue = self._image_queue
        self._require_open()
        if queue is None:
            path = self._directory / self.spec.image_file
            model = path if self.spec.takes_crops else _with_preprocessing(path, self.preprocess)
            compiled = self._load("image", model, "THROUGHPUT", self._find_blob("image"))
            queue = import_openvino().AsyncInferQueue(compiled)
            queue.set_callback(_keep_rows)
            self._image_queue = queue
            self._require_open()
        return queue

    def _open_text_model(self) -> None:
        """Tokenizer and model take a tenth of a second each: at the same time. But the tokenizer keeps Python to
        itself, so that the search for the blob, which comes back to Python, would wait for it."""
        self._require_open()
        kept = self._find_blob("text")
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(self._open_text_request, kept)
            self._open_tokenizer()
        self._text_request = loading.result()
        del loading
        self._require_open()

    def _open_text_request(self, kept: Path | None) -> Any:
        return self._load("text", self._directory / self.spec.text_file, "LATENCY", kept).create_infer_request()

    def _require_open(self) -> None:
        """
        Raises:
            ModelError: it was closed, maybe while another thread was loading; nothing is kept then.
        """
        if self._is_closed:
            self.close()
            raise ModelError(f"the model {self.name} is closed: load it again")

    @cached_property
    def _precision(self) -> Precision:
        return self.spec.precision if can_calculate_with(self.spec.precision) else "f32"

    def _blob_folder(self, part: str) -> BlobFolder:
        version = import_openvino().__version__
        return BlobFolder(self.fingerprint, part, str(self._directory), self._precision, version)

    def _find_blob(self, part: str) -> Path | None:
        """The folder with what OpenVINO has made of a model for this processor; None when there is none."""
        if self._keep_compiled:
            with contextlib.suppress(OSError):
                return self._blob_folder(part).find()
        return None

    def _load(self, part: str, model: Any, hint: str, kept: Path | None) -> Any:
        """`model`: a path, or a model in memory. `kept`: from `_find_blob`; it is made when there is none."""
        with _one_at_a_time:
            return self._compile(part, model, hint, kept)

    def _compile(self, part: str, model: Any, hint: str, kept: Path | None) -> Any:
        core = import_openvino().Core()
        options = {"INFERENCE_PRECISION_HINT": self._precision, "PERFORMANCE_HINT": hint}
        model = str(model) if isinstance(model, Path) else model
        if self._keep_compiled:
            # A cache that can't be used is no reason to fail; what is wrong with the model comes up again below.
            with contextlib.suppress(RuntimeError, OSError):
                if kept is not None:
                    return core.compile_model(model, "CPU", {**options, "CACHE_DIR": str(kept)})
                self._check_files()
                with self._blob_folder(part).making() as folder:
                    return core.compile_model(model, "CPU", {**options, "CACHE_DIR": str(folder)})
        try:
            return core.compile_model(model, "CPU", options)
        except RuntimeError as error:
            raise ModelError(
                f"can't load the {part} model of {self.name} from {self._directory}: {_reason_of(error)}"
            ) from error

    def _check_files(self) -> None:
        """
        Raises:
            ModelError: they are not as they were. Their remembered hashes would not tell: a disk that loses a bit
                leaves the time of a file as it was.
        """
        if read_spec(self._directory, anew=True) != self.spec:
            raise ModelError(f"the model {self.name} in {self._directory} is damaged")


def _keep_rows(request: Any, task: tuple[NDArray[np.float32], int, list[str]]) -> None:
    """Called when a request is done. A function of the module: the queue holds it where Python's garbage collector
    can't see it, so that one that knew the encoder would keep both for good.

    Args:
        task: all rows (n, dim), which of them is this request's first, and a list for what is wrong.
    """
    rows, start, failures = task
    found = request.get_output_tensor(0).data
    wanted = (min(_IMAGE_ROWS, len(rows) - start), rows.shape[1])
    if found.shape == wanted:
        rows[start : start + len(found)] = found
    else:
        failures.append(f"{found.shape} instead of {wanted}")


def _reason_of(error: RuntimeError) -> str:
    """OpenVINO first says where in its code it was."""
    return (str(error).strip().splitlines() or ["it does not say why"])[-1].split(" Please check")[0]


def can_calculate_with(precision: Precision) -> bool:
    """Whether this processor can do so itself; OpenVINO would else imitate it, slowly."""
    if precision not in _CAPABILITIES:
        return True  # not asked, which takes a Core of its own
    capabilities = import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return _CAPABILITIES[precision] in capabilities


def _with_preprocessing(path: Path, preprocess: Preprocess) -> Any:
    """The model of a file that takes normalised pixels, made to take uint8 crops (n, height, width, 3)."""
    openvino = import_openvino()
    try:
        model = openvino.Core().read_model(str(path))
    except RuntimeError as error:
        raise ModelError(f"can't read the model {path}: {_reason_of(error)}") from error
    steps = openvino.preprocess.PrePostProcessor(model)
    image = steps.input(0)
    image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    image.model().set_layout(openvino.Layout("NCHW"))
    scale = preprocess.rescale_factor
    image.preprocess().convert_element_type(openvino.Type.f32).mean([mean / scale for mean in preprocess.mean])
    image.preprocess().scale([std / scale for std in preprocess.std])
    return steps.build()


def import_openvino() -> Any:
    """OpenVINO without its telemetry: importing it reports to its makers through the package openvino_telemetry, and
    leaves an identity in the home folder. Where that package can't be imported it does neither.

    The converter, which a query does not need, is imported when it is called: that takes a quarter of the time.

    Source: openvino/__init__.py, openvino/tools/ovc/__init__.py and telemetry_utils.py of OpenVINO 2026.4.1.
    """
    with _importing:
        is_first = "openvino" not in sys.modules
        modules = cast(dict[str, object], sys.modules)
        if is_first:
            modules["openvino_telemetry"] = modules["openvino.tools.ovc"] = None
        import openvino  # not from sys.modules, where it stands while others still import it

        if is_first:
            del modules["openvino.tools.ovc"]
            openvino.convert_model = _convert_model
    return openvino


def _convert_model(*arguments: Any, **options: Any) -> Any:
    """`openvino.convert_model` as it would be."""
    from openvino.tools.ovc import convert_model

    return convert_model(*arguments, **options)
