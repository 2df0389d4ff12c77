"""Run a compiled model directory with OpenVINO, without torch and transformers.

Such a directory contains `model.json` (see `spec`), an image model, a text model and `tokenizer.json`. Both models give
unit-norm rows. The bundled starter model is one; `compile` makes one from any other supported model.
"""

import contextlib
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from clipsearch import processes
from clipsearch.encoders.base import Crops
from clipsearch.encoders.long_text import Offsets, chunk_texts, mean_of_chunks
from clipsearch.encoders.openvino.blob_cache import BlobFolder
from clipsearch.encoders.openvino.runtime import can_calculate_with, with_preprocessing
from clipsearch.encoders.openvino.spec import BULK_ROWS, CompiledSpec, Precision, read_spec
from clipsearch.errors import ModelError
from clipsearch.notices import inform, timed
from clipsearch.openvino_loader import import_openvino, reason_of
from clipsearch.vectors import normalise

_Result = TypeVar("_Result")

# Texts of one inference request.
_TEXT_ROWS = 64

# Rows of requests in bulk that stand for no crop, until the model for fewer crops is loaded.
_MAX_PADDING = 2 * BULK_ROWS

# OpenVINO temporarily sets the process's locale to "C" while it writes a blob: a race of two threads would leave it
# there, and Python would then read text files as ASCII.
_compile_lock = threading.Lock()


class CompiledEncoder:
    """`Encoder` of a compiled model directory; see the protocol for the attributes and methods."""

    def __init__(
        self, directory: Path, *, name: str, precision: Precision | None = None, cache_blobs: bool = True
    ) -> None:
        """Read and verify the directory; the models are loaded lazily.

        Args:
            directory: the compiled model directory.
            name: as a user would give it.
            precision: of the arithmetic instead of the directory's; any but "int8".
            cache_blobs: cache OpenVINO's compiled blobs of the models on disk.

        Raises:
            ModelError: not a compiled model directory, one of a newer format, or a damaged one.
        """
        inform(f"model {name}: {directory}")
        self.name = name
        self._cache_blobs = cache_blobs
        self._directory = directory
        self.spec: CompiledSpec = read_spec(directory)
        self.fingerprint = self.spec.fingerprint
        self.dim = self.spec.dim
        self.context_length = self.spec.context_length
        self.preprocess = self.spec.preprocess
        self.head = self.spec.head
        self.patch_grid = self.spec.patch_grid
        self._requested_precision = precision
        # Four inferences a core: at the end of a batch, cores idle until the last one is done. With two, that was a
        # tenth of the time, with four a twentieth.
        self.batch_size = min(4 * BULK_ROWS * processes.core_count(), 256)
        # By whether they are those of the model for `BULK_ROWS` crops.
        self._image_requests: dict[bool, list[Any]] = {}
        self._padding = 0  # rows so far that stood for no crop
        self._image_lock = threading.Lock()
        self._text_request: Any = None
        self._tokenizer: Any = None
        self._is_closed = False

    def encode_images(self, crops: Crops) -> NDArray[np.float32]:
        rows = np.empty((len(crops), self.dim), dtype=np.float32)
        self._run("image", lambda: self._run_image_model(crops, rows, output=0))
        return normalise(rows)

    def encode_patches(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed patches, see `PatchEncoder.encode_patches`; only with a `patch_grid`."""
        if self.patch_grid is None:
            raise ModelError(f"the patches of {self.name} are not aligned with texts")
        rows = np.empty((len(crops), math.prod(self.patch_grid), self.dim), dtype=np.float32)
        self._run("image", lambda: self._run_image_model(crops, rows, output=1))
        return normalise(rows.reshape(-1, self.dim)).reshape(len(crops), *self.patch_grid, self.dim)

    def _run_image_model(self, crops: Crops, rows: NDArray[np.float32], *, output: int) -> None:
        """Fill `rows` (n, …) with an output of the image model for n crops, with all requests busy in turn.

        Without OpenVINO's queue and its callbacks in Python: a callback takes the GIL once more after all has been
        waited for, so that dropping the model at that moment, with the GIL held, can wait for that thread forever.
        """
        if len(crops) == 0:
            return
        n_bulk = self._count_bulk(len(crops))
        requests = self._open_image_requests(is_bulk=True) if n_bulk else []
        others = self._open_image_requests(is_bulk=False) if n_bulk * BULK_ROWS < len(crops) else []
        running: deque[tuple[Any, int]] = deque()

        def store_oldest() -> None:
            request, start = running[0]
            request.wait()
            running.popleft()
            found = request.get_output_tensor(output).data[: len(rows) - start]
            wanted = (min(BULK_ROWS, len(rows) - start), *rows.shape[1:])
            if found.shape != wanted:
                raise ModelError(f"the image model of {self.name} gave an output of shape {found.shape}, not {wanted}")
            rows[start : start + len(found)] = found

        with self._image_lock:
            try:
                for number, start in enumerate(range(0, len(crops), BULK_ROWS)):
                    pool = requests if number < n_bulk else others
                    if len(running) == len(pool):
                        store_oldest()
                    request = pool[number % len(pool)]
                    part = crops[start : start + BULK_ROWS]
                    _set_input(request, part, rows=BULK_ROWS if number < n_bulk else len(part))
                    request.start_async()
                    running.append((request, start))
                while running:
                    store_oldest()
            finally:
                # Also after Ctrl-C: a request that finishes while Python shuts down aborts the process. One that has
                # failed raises its error again, and the others are still to be waited for.
                for request, _ in running:
                    with contextlib.suppress(RuntimeError):
                        request.wait()

    def _count_bulk(self, count: int) -> int:
        """Return how many requests for a number of crops the model for `BULK_ROWS` of them serves.

        The last may be short of crops: to load the other model takes as long as `_MAX_PADDING` crops do, and the index
        run that ends with it has no further use for it.
        """
        if self.spec.bulk_file is None:
            return 0
        n_full, rest = divmod(count, BULK_ROWS)
        if rest == 0 or False in self._image_requests or not (n_full or True in self._image_requests):
            return n_full
        self._padding += BULK_ROWS - rest
        return n_full + (self._padding <= _MAX_PADDING)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        if self._text_request is None:
            self._open_text_model()
        chunks = chunk_texts(
            [self._normalised(text) for text in texts],
            self._offsets,
            context_length=self.context_length,
            special_tokens=self._added_tokens(),
        )
        rows = np.empty((len(chunks.texts), self.dim), dtype=np.float32)
        # Sorted by length to minimise padding: a batch is padded to its longest text.
        order = sorted(range(len(rows)), key=chunks.lengths.__getitem__)
        for start in range(0, len(order), _TEXT_ROWS):
            part = order[start : start + _TEXT_ROWS]
            rows[part] = self._encode_batch([chunks.texts[row] for row in part])
        return mean_of_chunks(normalise(rows), chunks.counts)

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of a text with start and end tokens, not truncated."""
        ids: list[int] = self._open_tokenizer().encode(self.spec.prompt + self._normalised(text)).ids
        return ids

    def count_tokens(self, text: str) -> int:
        if not self.spec.prompt:
            return len(self.tokenize(text))
        return len(self._offsets([self._normalised(text)])[0]) + self._added_tokens()

    def _normalised(self, text: str) -> str:
        return text.lower() if self.spec.lower_case else text

    def _added_tokens(self) -> int:
        """Return the number of start and end tokens, and of those of the prompt, which every text gets."""
        prompt = len(self._offsets([self.spec.prompt])[0]) if self.spec.prompt else 0
        return int(self._open_tokenizer().num_special_tokens_to_add(False)) + prompt

    def close(self) -> None:
        # The flag first: a thread that is loading a model checks it afterwards.
        self._is_closed = True
        self._image_requests = {}
        self._text_request = self._tokenizer = None

    def text_inputs(self, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        """Return the text model's inputs, each (n, length), for n texts that fit in the context."""
        encodings = self._open_tokenizer().encode_batch([self.spec.prompt + text for text in texts])
        longest = max(len(encoding.ids) for encoding in encodings)
        length = self.context_length if self.spec.pads_to_context else max(1, longest)
        input_ids = np.full((len(texts), length), self.spec.pad_id, dtype=np.int64)
        attention_mask = np.zeros((len(texts), length), dtype=np.int64)
        for row, encoding in enumerate(encodings):
            input_ids[row, : len(encoding.ids)] = encoding.ids
            # A text without any token, start and end tokens included, is one padding token.
            attention_mask[row, : max(1, len(encoding.ids))] = 1
        inputs = {"input_ids": input_ids}
        if not self.spec.pads_to_context:
            inputs["attention_mask"] = attention_mask
        return inputs

    def _encode_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        inputs = self.text_inputs(texts)
        found = self._run("text", lambda: self._run_text_model(inputs))
        if found.shape != (len(texts), self.dim):
            raise ModelError(f"the text model of {self.name} gave rows of shape {found.shape}, not (…, {self.dim})")
        return found

    def _run_text_model(self, inputs: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        request = self._text_request
        self.require_open()
        request.infer(inputs)
        return np.array(request.get_output_tensor(0).data, dtype=np.float32)

    def _run(self, part: str, function: Callable[[], _Result]) -> _Result:
        """Call a function, dropping the traceback of an error: its frames would keep the model in memory."""
        try:
            return function()
        except RuntimeError as error:
            error.with_traceback(None)
            raise ModelError(f"the {part} model of {self.name} failed: {reason_of(error)}") from error
        except BaseException as error:  # noqa: BLE001
            raise error.with_traceback(None)  # noqa: B904 (the same error)

    def _offsets(self, texts: Sequence[str]) -> list[Offsets]:
        encodings = self._open_tokenizer().encode_batch(list(texts), add_special_tokens=False)
        return [encoding.offsets for encoding in encodings]

    def _open_tokenizer(self) -> Any:
        tokenizer = self._tokenizer
        self.require_open()
        if tokenizer is None:
            from tokenizers import Tokenizer

            path = self._directory / self.spec.tokenizer_file
            try:
                tokenizer = Tokenizer.from_file(str(path))
            except Exception as error:  # tokenizers raises plain Exception
                raise ModelError(f"can't read the tokenizer {path}: {error}") from error
            # Texts that are too long are split by `chunk_texts`, never truncated.
            tokenizer.no_truncation()
            tokenizer.no_padding()
            self._tokenizer = tokenizer
            self.require_open()
        return tokenizer

    def _open_image_requests(self, *, is_bulk: bool) -> list[Any]:
        requests = self._image_requests.get(is_bulk)
        self.require_open()
        if requests is None:
            part, name = ("bulk", self.spec.bulk_file) if is_bulk else ("image", self.spec.image_file)
            path = self._directory / str(name)
            model = path if self.spec.takes_crops else with_preprocessing(path, self.preprocess)
            compiled = self._load(part, model, "THROUGHPUT", self._find_blob(part))
            count = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            requests = [compiled.create_infer_request() for _ in range(count)]
            self._image_requests[is_bulk] = requests
            self.require_open()
        return requests

    def _open_text_model(self) -> None:
        """Load tokenizer and text model in parallel; each takes a tenth of a second.

        The blob is looked up before, as that needs the GIL, which the tokenizer holds while it loads.
        """
        self.require_open()
        blob = self._find_blob("text")
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(self._open_text_request, blob)
            self._open_tokenizer()
        self._text_request = loading.result()
        del loading
        self.require_open()

    def _open_text_request(self, blob: Path | None) -> Any:
        return self._load("text", self._directory / self.spec.text_file, "LATENCY", blob).create_infer_request()

    def require_open(self) -> None:
        """Check that the encoder is open.

        Raises:
            ModelError: it was closed, maybe while another thread was loading; what that loaded is released.
        """
        if self._is_closed:
            self.close()
            raise ModelError(f"the model {self.name} is closed: load it again")

    @cached_property
    def precision(self) -> Precision:
        """Precision of the arithmetic on this processor."""
        precision = self._requested_precision or self.spec.precision
        return precision if can_calculate_with(precision) else "f32"

    def _blob_folder(self, part: str) -> BlobFolder:
        version = import_openvino().__version__
        return BlobFolder(self.fingerprint, part, str(self._directory), self.precision, version)

    def _find_blob(self, part: str) -> Path | None:
        """Find the cache folder of a model's blob for this processor; None on a miss."""
        if self._cache_blobs:
            with contextlib.suppress(OSError):
                return self._blob_folder(part).find()
        return None

    def _load(self, part: str, model: Any, hint: str, blob: Path | None) -> Any:
        """Compile a model for this processor, or load its cached blob; one thread at a time.

        Args:
            part: "image", "bulk" or "text".
            model: a path, or a model in memory.
            hint: OpenVINO's performance hint.
            blob: folder from `_find_blob`; None: compile, and cache the blob.
        """
        with _compile_lock, timed(f"load the {part} model of {self.name}, OpenVINO on cpu in {self.precision}"):
            return self._compile(part, model, hint, blob)

    def _compile(self, part: str, model: Any, hint: str, blob: Path | None) -> Any:
        core = import_openvino().Core()
        # What is not int8 in an int8 model was no faster in bf16.
        floats = "f32" if self.precision == "int8" else self.precision
        options = {"INFERENCE_PRECISION_HINT": floats, "PERFORMANCE_HINT": hint}
        model = str(model) if isinstance(model, Path) else model
        if self._cache_blobs:
            # Errors of the cache are treated as a miss; errors of the model itself are raised again below.
            with contextlib.suppress(RuntimeError, OSError):
                if blob is not None:
                    return core.compile_model(model, "CPU", {**options, "CACHE_DIR": str(blob)})
                self._check_files()
                with self._blob_folder(part).open_scratch() as folder:
                    return core.compile_model(model, "CPU", {**options, "CACHE_DIR": str(folder)})
        try:
            return core.compile_model(model, "CPU", options)
        except RuntimeError as error:
            raise ModelError(
                f"can't load the {part} model of {self.name} from {self._directory}: {reason_of(error)}"
            ) from error

    def _check_files(self) -> None:
        """Verify the hashes of the model's files, ignoring cached hashes: bit rot does not change a file's time.

        Raises:
            ModelError: a file has changed.
        """
        if read_spec(self._directory, rehash=True) != self.spec:
            raise ModelError(f"the model {self.name} in {self._directory} is damaged")


def _set_input(request: Any, crops: Crops, *, rows: int) -> None:
    """Copy crops into the memory of an inference request, which is its own: shared memory would be used after a call.

    Args:
        rows: of the request, at least as many; whatever was there before stays in the others.

    Raises:
        ValueError: they are not of the model's shape.
    """
    tensor = request.get_input_tensor()
    shape = (rows, *crops[0].shape)
    if tuple(tensor.shape) != shape:
        tensor.shape = shape
    for target, crop in zip(tensor.data[: len(crops)], crops, strict=True):
        target[:] = crop
