"""List, read, encode and store in parallel.

    listing ──► to read ──► reading ──► collector ──► encoding ──► store
    1 thread                n threads                 1 thread     the caller's thread

Files are read in lists: what a thread or a worker process costs for each of them is shared. Reading to encoding is a
`Stage`, which another `Runner` may run elsewhere.

The caller's thread moves items from one stage to the next and is the only one that writes to the store. Back-pressure
bounds the pictures in flight to a few batches; only file names may accumulate.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic

from clipsearch.encoders.base import Encoder
from clipsearch.images.decode import DecodingLimits
from clipsearch.images.picture_reader import PictureReader, ReadFiles, ReadPicture, Task, take_list
from clipsearch.images.shared_crops import files_at_once
from clipsearch.images.worker_pool import WorkerPool
from clipsearch.indexing.batches import Batch, Collector, encode_batch
from clipsearch.indexing.interrupt import DeferredInterrupt, RunCancelled
from clipsearch.indexing.options import IndexOptions
from clipsearch.indexing.removal import count_moved, remove_deleted
from clipsearch.indexing.runner import Run, Runner, Stage, store_batch
from clipsearch.indexing.scan import Changes, find_changes, full_path
from clipsearch.indexing.sidecars import update_sidecars
from clipsearch.paths import is_folder_url
from clipsearch.prefetch import RunAhead, Wake, WorkAhead, default_workers
from clipsearch.store import Scope, Store

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures to do as far as known), counting those that are new or changed."""

# A batch is encoded before it is full when this much time has passed since the last one. With the time that encoding
# may take (see `batches`), a crash never loses more than about ten seconds of work.
_MAX_WAIT_S = 5.0

# Lists for each worker that are begun and not collected: it reads one while the other is collected.
_LISTS = 2

# Files are read in lists of about this much time: those that come next are not held up, nor is the end of a run that is
# interrupted.
_MAX_LIST_S = 0.5

# Weight of the last list in the time that a file takes.
_NEWEST = 0.3


class Embedding:
    """`Stage` in threads and worker processes of this machine."""

    def __init__(
        self,
        *,
        store: Store,
        encoder: Encoder,
        model_id: int,
        limits: DecodingLimits | None,
        detail: bool,
        run: Run,
        wake: Wake,
        workers: WorkerPool | None = None,
    ) -> None:
        """Open the stage; `workers`: which stay, else it has its own."""
        self._store = store
        self._model_id = model_id
        self._run = run
        self._own_workers = None
        if workers is None and limits is not None:
            workers = self._own_workers = WorkerPool(encoder.preprocess, limits=limits, detail=detail)
        self._reader = PictureReader(
            encoder.preprocess,
            find_stored=lambda blake3s: store.pictures.with_embedding(blake3s, model_id=model_id, detail=detail),
            find_unmeasured=store.pictures.without_measures,
            open_list=None if workers is None else workers.open_list,
            max_bytes=None if limits is None else limits.max_bytes,
            detail=detail,
        )
        self._collector = Collector(self._reader, encoder)
        self._last_batch_at = monotonic()
        self._n_workers = default_workers()
        self._most_files = files_at_once(encoder.preprocess)
        self._waiting: deque[Task] = deque()
        self._read: deque[ReadPicture] = deque()  # of the list that is collected
        self._file_s = 0.0
        self._reading: WorkAhead[list[Task], ReadFiles] = WorkAhead(
            self._reader.read_list, workers=self._n_workers, ahead=_LISTS * self._n_workers, wake=wake
        )
        # One is encoded, one waits: the encoder itself uses all cores.
        self._encoding: WorkAhead[Batch, Batch] = WorkAhead(
            lambda batch: encode_batch(batch, encoder), workers=1, ahead=2, wake=wake
        )

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= 2 * _LISTS * self._n_workers * self._most_files  # all lists are of full length

    @property
    def is_empty(self) -> bool:
        return not self._is_reading and self._collector.is_empty and self._encoding.is_empty

    @property
    def _is_reading(self) -> bool:
        return bool(self._waiting) or not self._reading.is_empty

    def begin(self, task: Task) -> None:
        self._waiting.append(task)

    def _begin_lists(self) -> bool:
        """Have lists of files read; return whether any was begun."""
        has_begun = False
        while self._waiting and not self._reading.is_full:
            self._reading.put(self._next_list())
            has_begun = True
        return has_begun

    def _next_list(self) -> list[Task]:
        """Return the next files to read together: fewer when they are large or slow, or few are left."""
        count = min(self._most_files, math.ceil(len(self._waiting) / (_LISTS * self._n_workers)))
        if self._file_s:
            count = min(count, max(1, int(_MAX_LIST_S / self._file_s)))
        return take_list(self._waiting, count)

    def advance(self, *, is_last: bool) -> bool:
        """Store one batch or collect pictures that were read; return whether there was anything to do."""
        has_begun = self._begin_lists()
        if self._encoding.is_ready:
            self._store_batch()
            return True
        if self._encoding.is_full:
            return has_begun
        has_taken = self._collect() or has_begun
        is_late = monotonic() - self._last_batch_at > _MAX_WAIT_S
        if self._collector.is_due or is_late or (is_last and not self._is_reading):
            batch = self._collector.next_batch()
            if batch is not None:
                self._encoding.put(batch)
                self._last_batch_at = monotonic()
                return True
        return has_taken

    def _collect(self) -> bool:
        """Take pictures that were read, as far as the batch has room; return whether there were any."""
        collector, has_taken = self._collector, False
        while self._reading.is_ready and not collector.is_full:
            found = self._reading.first()
            if not self._read:
                self._read.extend(found.pictures)
                file_s = found.seconds / len(found.pictures)
                self._file_s += (file_s - self._file_s) * (_NEWEST if self._file_s else 1)
            collector.take_all(self._read)
            has_taken = True
            if not self._read:
                collector.release_later(found.release)
                self._reading.remove_first()
        return has_taken

    def stop(self) -> None:
        """Drop all work that has not begun."""
        self._waiting.clear()
        self._reading.stop()
        self._encoding.stop()

    def join(self) -> None:
        """Wait for work in progress."""
        self._reading.join()
        if self._own_workers is not None:
            self._own_workers.close()
        self._encoding.join()

    def store_encoded(self) -> None:
        """Store the encoded batches, after `join`."""
        while self._encoding.is_ready:
            self._store_batch()

    def _store_batch(self) -> None:
        batch = self._encoding.first()
        store_batch(batch, store=self._store, model_id=self._model_id, run=self._run)
        self._reader.mark_stored(content.blake3 for content in batch.contents)
        self._encoding.remove_first()
        self._collector.note_speed(batch)
        self._collector.settle_duplicates()


class LocalRunner:
    """`Runner` on this machine.

    Args:
        keeps_workers: for small runs after each other, which need not wait until a worker has started; the limits are
            those of the first.
    """

    def __init__(self, *, keeps_workers: bool = False) -> None:
        self._keeps_workers = keeps_workers
        self._workers: WorkerPool | None = None

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
        if self._keeps_workers and self._workers is None and limits is not None:
            self._workers = WorkerPool(encoder.preprocess, limits=limits, detail=detail)
        return Embedding(
            store=store,
            encoder=encoder,
            model_id=model_id,
            limits=limits,
            detail=detail,
            run=run,
            wake=wake,
            workers=self._workers,
        )

    def rest(self) -> None:
        """End the kept workers but one, between two runs."""
        if self._workers is not None:
            self._workers.rest()

    def close(self) -> None:
        """End the kept workers."""
        if self._workers is not None:
            self._workers.close()


class Pipeline:
    """One index run."""

    def __init__(
        self,
        scopes: Sequence[Scope],
        *,
        store: Store,
        encoder: Encoder,
        model_id: int,
        options: IndexOptions,
        run: Run,
        runner: Runner,
        on_advance: Callable[[], None],
        on_progress: Progress | None,
        cancel: threading.Event | None,
    ) -> None:
        """Start the listing.

        Args:
            on_advance: called often while there is work, else once a second.
            cancel: cancellation token, checked as often.
        """
        self._runner = runner
        self._store = store
        self._encoder = encoder
        self._model_id = model_id
        self._options = options
        self._run = run
        self._on_advance = on_advance
        self._on_progress = on_progress
        self._cancel = cancel
        self._wake: Wake = SimpleQueue()
        self._to_read: deque[Task] = deque()
        self._listed: list[Changes] = []  # the last chunk of every folder
        self._embedding: Stage | None = None  # made for the first file: most runs have none to read
        changes = find_changes(scopes, store=store, model_id=model_id, options=options)
        self._listing = RunAhead(changes, wake=self._wake)

    def run(self) -> None:
        """Run to the end, or until Ctrl-C or cancellation.

        After either, the batch being encoded is still stored, and the rest is left for the next run.
        """
        with DeferredInterrupt(self._wake, cancel=self._cancel) as interrupt:
            try:
                self._listing.start()
                while self._advance():
                    interrupt.check()
                # Last of all: a moved file is known at its new path by now.
                deleted: list[int] = []
                for changes in self._listed:
                    interrupt.check()
                    deleted += remove_deleted(changes, store=self._store, prune=self._options.prune)
                    self._run.removed = len(deleted)
                self._run.moved = count_moved(deleted, self._run, store=self._store)
                self._run.removed -= self._run.moved
                for changes in self._listed:
                    for read in update_sidecars(changes, store=self._store, again=self._options.again):
                        self._run.sidecars += read
                        interrupt.check()
            except (KeyboardInterrupt, RunCancelled):
                self._close()
                if self._embedding is not None:
                    self._embedding.store_encoded()
                raise
            finally:
                self._close()

    def _advance(self) -> bool:
        """Advance all stages that can move, else wait; return whether the run goes on."""
        self._on_advance()
        changes = self._listing.take()
        if changes is not None:
            self._take_changes(changes)
        embedding = self._begin_reading()
        is_listed = self._listing.is_over and not self._to_read
        has_moved = changes is not None
        if embedding is not None:
            done = self._run.done
            has_moved |= embedding.advance(is_last=is_listed)
            if self._on_progress is not None and self._run.done > done:
                self._on_progress(self._run.done, self._run.to_do)
        if is_listed and (embedding is None or embedding.is_empty):
            return False
        if not has_moved:
            with suppress(Empty):  # the timeout lets a late batch be noticed
                self._wake.get(timeout=1.0)
        return True

    def _begin_reading(self) -> Stage | None:
        if self._to_read and self._embedding is None:
            self._embedding = self._runner.open(
                store=self._store,
                encoder=self._encoder,
                model_id=self._model_id,
                limits=self._options.limits,
                detail=self._options.detail,
                run=self._run,
                wake=self._wake,
            )
        embedding = self._embedding
        while self._to_read and embedding is not None and not embedding.is_full:
            embedding.begin(self._to_read.popleft())
        return embedding

    def _take_changes(self, changes: Changes) -> None:
        run = self._run
        run.found += changes.found
        run.unchanged += changes.unchanged
        run.skipped += changes.skipped
        run.to_do += len(changes.to_read)
        for suffix, count in changes.unsupported.items():
            run.unsupported[suffix] = run.unsupported.get(suffix, 0) + count
        contents = changes.contents
        if changes.to_read:
            scope, is_remote = changes.scope, is_folder_url(changes.scope.root)
            start = full_path(scope, "x")[:-1]
            self._to_read.extend(
                Task(
                    scope.root_id,
                    image.relative_path,
                    start + image.relative_path,
                    image if is_remote else None,
                    contents.get(image.relative_path),
                    image.size_bytes,
                )
                for image in changes.to_read
            )
        if changes.change_times:
            self._store.pictures.set_change_times(changes.change_times)
        if changes.returned:
            self._store.pictures.restore_files(changes.returned)
            run.reused += len(changes.returned)
            run.returned += changes.returned
        if changes.is_last:
            self._listed.append(changes)

    def _close(self) -> None:
        # Stop all of them first, then wait for each.
        self._listing.stop()
        if self._embedding is not None:
            self._embedding.stop()
            self._embedding.join()
        self._listing.join()
