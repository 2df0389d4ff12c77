"""Reading and encoding on the machines of a Ray cluster; listing and storing stay here.

    listing ──► waves of files ──► Ray Data: read_files ──► EncodeCrops ──► store
    here                           tasks, any machine       one a machine   here, the caller's thread
                                                            or one a GPU

Nothing is lost with a machine: Ray does again what was done there and not taken yet, and files of which nothing came
back are sent again. What came twice is stored once.
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

from clipsearch.encoders.base import Encoder
from clipsearch.encoders.spec import EncoderRecipe
from clipsearch.errors import ClipSearchError, ModelError, RunnerError, first_line
from clipsearch.images.decode import DecodingLimits, default_limits
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.reading import ReadPicture, Task
from clipsearch.indexing.batches import Batch, content_record
from clipsearch.indexing.ray.cluster import RayCluster
from clipsearch.indexing.ray.digest_set import KnownContents
from clipsearch.indexing.runner import Run, Stage, store_batch
from clipsearch.prefetch import RunAhead, Wake
from clipsearch.quantities import count
from clipsearch.store import Store

# Files that are given to Ray at once, each encoder being loaded once for them; sooner when the listing takes so long.
_WAVE_FILES = 50_000
_MAX_WAIT_S = 20.0

# A wave that brought nothing is tried again so often.
_ATTEMPTS = 3

# Shares of a processor core. An encoder uses all cores of its machine, in the gaps that reading leaves, and must not
# take the place of reading on the last machine that is left.
_ENCODER_CPUS = 0.05
_READING_CPUS = 0.75
_READING_THREADS = 2

# Files that are read and encoded together are as many as the encoder takes best, but fewer where there would not be so
# many blocks for each core to share.
_BLOCKS_A_CORE = 8
_FEWEST_ROWS = 8

_LONGEST_REASON = 300


class RayRunner:
    """`Runner` on a Ray cluster, connected to for the first file."""

    def __init__(self, recipe: EncoderRecipe, *, address: str | None, workers: int | None = None) -> None:
        """
        Args:
            recipe: of the encoder that each machine loads.
            address: as `check_address` gives it.
            workers: encoders; None: one a GPU where that is of use, else one a machine.
        """
        self._recipe = recipe
        self._address = address
        self._workers = workers

    def open(
        self, *, store: Store, encoder: Encoder, model_id: int, limits: DecodingLimits | None, run: Run, wake: Wake
    ) -> Stage:
        """
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
    """Raised inside of Ray Data, to end it."""


class _StopWhenAsked:
    """Ray Data's `ExecutionCallback`, which it knows by its class alone: the run is found by a key in the context."""

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
        self._sent: dict[int, Task] = {}  # of the wave, by number, until it has come back
        self._has_come = False
        self._attempts = 0
        self._known: list[Any] = []  # references to `KnownContents`
        self._fresh: set[bytes] = set()  # contents that came with the wave
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
        _StopWhenAsked.stopped.add(self._key)
        if self._wave is not None:
            self._wave.stop()

    def join(self) -> None:
        if self._wave is not None:
            self._wave.join()
        _StopWhenAsked.stopped.discard(self._key)
        self._cluster.close()

    def store_encoded(self) -> None:
        while self._wave is not None and (results := self._wave.take()) is not None:
            self._store_results(results)

    # ------------------------------------------------------------------ waves

    def _begin_wave(self) -> None:
        count = min(len(self._waiting), _WAVE_FILES)
        self._sent = {number: self._waiting.popleft() for number in range(count)}
        self._has_come = False
        if not self._known:
            stored = np.frombuffer(self._store.pictures.embedded_contents(model_id=self._model_id), dtype=np.uint8)
            self._know(stored)
        self._wave = RunAhead(self._results_of(dict(self._sent)), wake=self._wake)
        self._wave.start()

    def _is_over(self, wave: "RunAhead[_Results]") -> bool:
        """
        Raises:
            RunnerError: it has failed, and not for the first time without having brought anything.
        """
        try:
            return wave.is_over
        except RunnerError:
            if self._attempts + 1 >= _ATTEMPTS and not self._has_come:
                raise
            return True

    def _end_wave(self) -> None:
        if self._wave is not None:
            self._wave.stop()
            self._wave.join()
            self._wave = None
        self._attempts = 0 if self._has_come or not self._sent else self._attempts + 1
        if self._attempts >= _ATTEMPTS:
            raise RunnerError(f"of {count(len(self._sent), 'file')} nothing came back from Ray: run index again")
        self._waiting.extendleft(reversed(self._sent.values()))
        self._sent = {}
        self._know(np.frombuffer(b"".join(self._fresh), dtype=np.uint8))
        self._fresh.clear()

    def _know(self, digests: "np.ndarray[Any, np.dtype[np.uint8]]") -> None:
        if len(digests) or not self._known:
            self._known.append(self._cluster.ray.put(KnownContents.of(digests.reshape(-1, 32))))

    def _results_of(self, tasks: dict[int, Task]) -> "Iterator[_Results]":
        """In a thread of its own.

        Raises:
            ModelError: a machine can't encode with the model.
            RunnerError: whatever Ray raises.
        """
        try:
            blocks = self._dataset(tasks).iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0)
            for block in blocks:
                failure = next(filter(None, block["failure"].tolist()), "")
                if failure:
                    raise ModelError(failure)
                pictures = [pickle.loads(picture) for picture in block["picture"]]  # noqa: S301
                yield _Results(block["number"].tolist(), pictures, np.array(block["embedding"], dtype=np.float32))
        except ClipSearchError:
            raise
        except Exception as error:  # Ray's own and what it passes on
            if not self._is_stopped:
                raise RunnerError(f"the work on Ray has failed: {_last_line(error)}") from error

    def _dataset(self, tasks: dict[int, Task]) -> Any:
        from clipsearch.indexing.ray.tasks import EncodeCrops, Reading, read_files

        data = self._cluster.ray.data
        cores, gpus = self._cluster.count("CPU"), sum(self._cluster.count("GPU"))
        uses_gpu = gpus >= 1 and self._recipe.may_use_gpu
        workers = self._workers or (int(gpus) if uses_gpu else len(cores)) or 1
        # Several blocks for each process that reads, as far as there are files enough.
        rows = max(_FEWEST_ROWS, min(self._batch_size, math.ceil(len(tasks) / (_BLOCKS_A_CORE * sum(cores) or 1))))
        items = [{"number": number, "task": pickle.dumps(task)} for number, task in tasks.items()]
        n_blocks = math.ceil(len(items) / rows)
        reading = Reading(self._preprocess, self._limits, tuple(self._known), _READING_THREADS)
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
        context.set_config(_StopWhenAsked.KEY, self._key)
        context.custom_execution_callback_classes = [*context.custom_execution_callback_classes, _StopWhenAsked]

    # ------------------------------------------------------------------ storing

    def _store_results(self, results: "_Results") -> None:
        batch = Batch()
        for number, picture, embedding in zip(results.numbers, results.pictures, results.embeddings, strict=True):
            if self._sent.pop(number, None) is None:
                continue  # it has come before
            if picture.outcome == "decoded" and picture.blake3 is not None:
                if picture.blake3 in self._fresh:  # copies may be encoded twice; one is kept
                    batch.take(_as_stored(picture))
                    continue
                self._fresh.add(picture.blake3)
                batch.contents.append(content_record(picture, embedding))
            batch.take(picture)
        self._has_come = True
        store_batch(batch, store=self._store, model_id=self._model_id, run=self._run)


class _Results:
    """Of one block: numbers of files, what reading them gave, and embeddings (n, dim)."""

    def __init__(
        self, numbers: list[int], pictures: list[ReadPicture], embeddings: "np.ndarray[Any, np.dtype[np.float32]]"
    ) -> None:
        self.numbers = numbers
        self.pictures = pictures
        self.embeddings = embeddings


def _as_stored(picture: ReadPicture) -> ReadPicture:
    return replace(picture, outcome="stored")


def _last_line(error: Exception) -> str:
    """Of what Ray passes on, the last line says what was raised."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    lines = str(cause).strip().splitlines()
    return (lines[-1] if lines else first_line(error))[:_LONGEST_REASON]
