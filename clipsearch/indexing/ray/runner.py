"""Read and encode on the machines of a Ray cluster; listing and storing stay in this process.

    listing ──► waves of files ──► Ray Data: read_files ──► EncodeCrops ──► store
    here                           tasks, any machine       one a machine   here, the caller's thread
                                                            or one a GPU

No work is lost with a machine: Ray retries its tasks whose results were not taken yet, and files without a result are
sent again. Results that come twice are stored once.
"""

import math
import pickle
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any, ClassVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder
from clipsearch.encoders.spec import EncoderRecipe
from clipsearch.errors import ClipSearchError, ModelError, RunnerError, first_line
from clipsearch.images.decode import DecodingLimits, default_limits
from clipsearch.images.picture_reader import ReadPicture, Task
from clipsearch.images.preprocess import Preprocess
from clipsearch.indexing.batches import Batch, content_record
from clipsearch.indexing.ray.cluster import RayCluster
from clipsearch.indexing.ray.digest_set import KnownContents
from clipsearch.indexing.runner import Run, Stage, store_batch
from clipsearch.prefetch import RunAhead, Wake
from clipsearch.quantities import count
from clipsearch.store import Store

# Files given to Ray per wave, for which each encoder is loaded once; fewer when the listing takes this long.
_WAVE_FILES = 50_000
_MAX_WAIT_S = 20.0

# Attempts for a wave without results.
_ATTEMPTS = 3

# Shares of a CPU core. An encoder uses all cores of its machine, in the gaps that reading leaves, and must not displace
# reading on the last machine that is left.
_ENCODER_CPUS = 0.05
_READING_CPUS = 0.75
_READING_THREADS = 2

# A block has the encoder's best batch size, or fewer files where there would be less than this many blocks per core.
_BLOCKS_PER_CORE = 8
_MIN_ROWS = 8

_MAX_REASON_CHARACTERS = 300


class RayRunner:
    """`Runner` on a Ray cluster, connected on the first file."""

    def __init__(self, recipe: EncoderRecipe, *, address: str | None, workers: int | None = None) -> None:
        """Configure the runner.

        Args:
            recipe: of the encoder that each machine loads.
            address: as `check_address` returns it.
            workers: number of encoders; None: one per GPU where the model can use it, else one per machine.
        """
        self._recipe = recipe
        self._address = address
        self._workers = workers

    def open(
        self,
        *,
        store: Store,
        encoder: Encoder,
        model_id: int,
        limits: DecodingLimits | None,
        detail: bool,
        run: Run,
        wake: Wake,
    ) -> Stage:
        """Connect to the cluster; `detail` is False.

        Raises:
            RunnerError: the cluster can't be reached.
        """
        return RayEmbedding(
            RayCluster(self._address),
            self._recipe,
            workers=self._workers,
            store=store,
            preprocess=encoder.preprocess,
            batch_size=encoder.batch_size,
            model_id=model_id,
            limits=limits or default_limits(),
            run=run,
            wake=wake,
        )


class _StoppedError(Exception):
    """Raised inside of Ray Data to stop it."""


class _StopOnRequest:
    """Ray Data's `ExecutionCallback`, registered by class only: the run is identified by a key in the context."""

    KEY = "clipsearch_run"
    stopped: ClassVar[set[str]] = set()

    def before_execution_starts(self, executor: Any) -> None: ...

    def on_execution_step(self, executor: Any) -> None:
        if executor._data_context.get_config(self.KEY, "") in self.stopped:
            raise _StoppedError

    def after_execution_succeeds(self, executor: Any) -> None: ...

    def after_execution_fails(self, executor: Any, error: Exception) -> None: ...


class RayEmbedding:
    """`Stage` on a Ray cluster."""

    def __init__(
        self,
        cluster: RayCluster,
        recipe: EncoderRecipe,
        *,
        workers: int | None,
        store: Store,
        preprocess: Preprocess,
        batch_size: int,
        model_id: int,
        limits: DecodingLimits,
        run: Run,
        wake: Wake,
    ) -> None:
        self._cluster = cluster
        self._recipe = recipe
        self._workers = workers
        self._store = store
        self._preprocess = preprocess
        self._batch_size = batch_size
        self._model_id = model_id
        self._limits = limits
        self._run = run
        self._wake = wake
        self._waiting: deque[Task] = deque()
        self._waiting_since = monotonic()
        self._wave: RunAhead[_Results] | None = None
        self._sent: dict[int, Task] = {}  # files of the wave without a result, by number
        self._has_results = False
        self._attempts = 0
        self._known: list[Any] = []  # references to `KnownContents`
        self._unmeasured: Any = None
        self._encoded: set[bytes] = set()  # contents encoded in the wave
        self._key = uuid4().hex
        self._is_stopped = False

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= _WAVE_FILES

    @property
    def is_empty(self) -> bool:
        return not self._waiting and self._wave is None

    def begin(self, task: Task) -> None:
        if not self._waiting:
            self._waiting_since = monotonic()
        self._waiting.append(task)

    def advance(self, *, is_last: bool) -> bool:
        if self._wave is not None:
            results = self._wave.take()
            if results is not None:
                self._store_results(results)
                return True
            if self._is_over(self._wave):
                self._end_wave()
                return True
            return False
        is_late = monotonic() - self._waiting_since > _MAX_WAIT_S
        if self._waiting and (is_last or is_late or self.is_full):
            self._begin_wave()
            return True
        return False

    def stop(self) -> None:
        self._is_stopped = True
        _StopOnRequest.stopped.add(self._key)
        if self._wave is not None:
            self._wave.stop()

    def join(self) -> None:
        if self._wave is not None:
            self._wave.join()
        _StopOnRequest.stopped.discard(self._key)
        self._cluster.close()

    def store_encoded(self) -> None:
        while self._wave is not None and (results := self._wave.take()) is not None:
            self._store_results(results)

    # ------------------------------------------------------------------ waves

    def _begin_wave(self) -> None:
        count = min(len(self._waiting), _WAVE_FILES)
        self._sent = {number: self._waiting.popleft() for number in range(count)}
        self._has_results = False
        if not self._known:
            stored = np.frombuffer(self._store.pictures.embedded_contents(model_id=self._model_id), dtype=np.uint8)
            self._publish_known(stored)
            unmeasured = np.frombuffer(self._store.pictures.unmeasured_contents(), dtype=np.uint8)
            self._unmeasured = self._cluster.ray.put(KnownContents.of(unmeasured.reshape(-1, 32)))
        self._wave = RunAhead(self._results_of(dict(self._sent)), wake=self._wake)
        self._wave.start()

    def _is_over(self, wave: "RunAhead[_Results]") -> bool:
        """Return whether the wave is over.

        Raises:
            RunnerError: it failed on the last attempt without any result.
        """
        try:
            return wave.is_over
        except RunnerError:
            if self._attempts + 1 >= _ATTEMPTS and not self._has_results:
                raise
            return True

    def _end_wave(self) -> None:
        if self._wave is not None:
            self._wave.stop()
            self._wave.join()
            self._wave = None
        self._attempts = 0 if self._has_results or not self._sent else self._attempts + 1
        if self._attempts >= _ATTEMPTS:
            raise RunnerError(
                f"Ray returned nothing for {count(len(self._sent), 'file')}: run 'clipsearch index' again"
            )
        self._waiting.extendleft(reversed(self._sent.values()))
        self._sent = {}
        self._publish_known(np.frombuffer(b"".join(self._encoded), dtype=np.uint8))
        self._encoded.clear()

    def _publish_known(self, digests: "np.ndarray[Any, np.dtype[np.uint8]]") -> None:
        if len(digests) or not self._known:
            self._known.append(self._cluster.ray.put(KnownContents.of(digests.reshape(-1, 32))))

    def _results_of(self, tasks: dict[int, Task]) -> "Iterator[_Results]":
        """Run a wave and yield its results, in a thread of its own.

        Raises:
            ModelError: a machine can't encode with the model.
            RunnerError: any error of Ray.
        """
        try:
            blocks = self._dataset(tasks).iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0)
            for block in blocks:
                failure = next(filter(None, block["failure"].tolist()), "")
                if failure:
                    raise ModelError(failure)
                pictures = [pickle.loads(picture) for picture in block["picture"]]  # noqa: S301
                embeddings = np.array(block["embedding"], dtype=np.float32)
                parts = [_part_rows(content, embeddings.shape[1]) for content in block["parts"].tolist()]
                yield _Results(block["number"].tolist(), pictures, embeddings, parts)
        except ClipSearchError:
            raise
        except Exception as error:  # Ray's own errors and those it passes on
            if not self._is_stopped:
                raise RunnerError(f"the Ray job failed: {_last_line(error)}") from error

    def _dataset(self, tasks: dict[int, Task]) -> Any:
        from clipsearch.indexing.ray.tasks import EncodeCrops, Reading, read_files

        data = self._cluster.ray.data
        cores, gpus = self._cluster.count("CPU"), sum(self._cluster.count("GPU"))
        uses_gpu = gpus >= 1 and self._recipe.may_use_gpu
        workers = self._workers or (int(gpus) if uses_gpu else len(cores)) or 1
        # Several blocks for each reading process, as far as there are enough files.
        rows = max(_MIN_ROWS, min(self._batch_size, math.ceil(len(tasks) / (_BLOCKS_PER_CORE * sum(cores) or 1))))
        items = [{"number": number, "task": pickle.dumps(task)} for number, task in tasks.items()]
        n_blocks = math.ceil(len(items) / rows)
        reading = Reading(self._preprocess, self._limits, tuple(self._known), self._unmeasured, _READING_THREADS)
        dataset = data.from_items(items, override_num_blocks=n_blocks)
        self._set_up(dataset.context)
        return dataset.map_batches(
            read_files,
            batch_size=None,
            batch_format="numpy",
            fn_kwargs={"reading": reading},
            num_cpus=_READING_CPUS,
            udf_modifying_row_count=False,
        ).map_batches(
            EncodeCrops,
            batch_size=None,
            batch_format="numpy",
            fn_constructor_kwargs={"recipe": self._recipe},
            compute=data.ActorPoolStrategy(size=max(1, min(workers, n_blocks))),
            num_cpus=_ENCODER_CPUS,
            num_gpus=1 if uses_gpu else None,
            udf_modifying_row_count=False,
        )

    def _set_up(self, context: Any) -> None:
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.set_config(_StopOnRequest.KEY, self._key)
        context.custom_execution_callback_classes = [*context.custom_execution_callback_classes, _StopOnRequest]

    # ------------------------------------------------------------------ storing

    def _store_results(self, results: "_Results") -> None:
        batch = Batch()
        for number, picture, embedding, parts in zip(
            results.numbers, results.pictures, results.embeddings, results.parts, strict=True
        ):
            if self._sent.pop(number, None) is None:
                continue  # a repeated result
            if picture.outcome == "decoded" and picture.blake3 is not None:
                if picture.blake3 in self._encoded:  # duplicates may be encoded twice; one is stored
                    batch.take(_as_stored(picture))
                    continue
                self._encoded.add(picture.blake3)
                batch.contents.append(content_record(picture, embedding, parts))
            batch.take(picture)
        self._has_results = True
        store_batch(batch, store=self._store, model_id=self._model_id, run=self._run)


class _Results:
    """Results of one block: numbers of files, results of reading, embeddings (n, dim), and those of other parts."""

    def __init__(
        self,
        numbers: list[int],
        pictures: list[ReadPicture],
        embeddings: NDArray[np.float32],
        parts: list[NDArray[np.float32] | None],
    ) -> None:
        self.numbers = numbers
        self.pictures = pictures
        self.embeddings = embeddings
        self.parts = parts


def _part_rows(content: bytes, dim: int) -> NDArray[np.float32] | None:
    """Return the embeddings (k, dim) of the parts of a picture; None without any."""
    return np.frombuffer(content, dtype=np.float32).reshape(-1, dim) if content else None


def _as_stored(picture: ReadPicture) -> ReadPicture:
    return replace(picture, outcome="stored")


def _last_line(error: Exception) -> str:
    """Return the last line of an error that Ray passes on, which has the original message."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    lines = str(cause).strip().splitlines()
    return (lines[-1] if lines else first_line(error))[:_MAX_REASON_CHARACTERS]
