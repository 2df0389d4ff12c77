"""Define the replaceable part between the list of files and the store: reading, decoding and encoding."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from clipsearch.encoders.base import Encoder
from clipsearch.images.decode import DecodingLimits
from clipsearch.images.picture_reader import Task
from clipsearch.indexing.batches import Batch, file_records
from clipsearch.prefetch import Wake
from clipsearch.store import Store
from clipsearch.types import PartialFile, SkippedFile


@dataclass(slots=True)
class Run:
    """Counters of one run; `embedded`, `reused` and `done` are counted when stored.

    Attributes:
        arrived: blake3, 32 bytes each, of the reused files that were read.
        returned: ids of the other reused files.
        parts, with_parts: number of parts, and of contents that have such, by their kind.
    """

    found: int = 0
    embedded: int = 0
    parts: Counter[str] = field(default_factory=Counter)
    with_parts: Counter[str] = field(default_factory=Counter)
    reused: int = 0
    unchanged: int = 0
    removed: int = 0
    moved: int = 0
    arrived: bytearray = field(default_factory=bytearray)
    returned: list[int] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    partial: list[PartialFile] = field(default_factory=list)
    sidecars: int = 0
    unsupported: dict[str, int] = field(default_factory=dict)
    done: int = 0
    to_do: int = 0


class Stage(Protocol):
    """Processing of files from path to store. Only `join` waits: `advance` does what can be done now.

    Not thread-safe: all methods are called by one thread, the only one that writes to the store.
    """

    @property
    def is_full(self) -> bool:
        """Whether no more files can be begun now."""
        ...

    @property
    def is_empty(self) -> bool:
        """Whether all files that were begun are stored."""
        ...

    def begin(self, task: Task) -> None: ...

    def advance(self, *, is_last: bool) -> bool:
        """Do what can be done now; return whether there was anything to do.

        `is_last`: no more files will be begun.
        """
        ...

    def stop(self) -> None:
        """Drop all work that has not begun."""
        ...

    def join(self) -> None:
        """Wait for work in progress, after `stop`. Idempotent."""
        ...

    def store_encoded(self) -> None:
        """Store the encoded batches, after `join`."""
        ...


class Runner(Protocol):
    """Factory of the stage that reads and encodes files."""

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
        """Open a stage for one run.

        Args:
            detail: as in `IndexOptions`.
            limits: decode pictures in worker processes, within these limits; None: in this process.
            run: counters to update.
            wake: gets a token when `advance` has something to do.

        Raises:
            ClipSearchError: the runner is not available.
        """
        ...


def store_batch(batch: Batch, *, store: Store, model_id: int, run: Run) -> None:
    """Store and count a batch. Idempotent."""
    if batch.is_stored:
        return
    files = file_records(batch)
    if files:
        store.pictures.record(batch.contents, files, model_id=model_id)
    if batch.measured:
        store.pictures.set_measures(batch.measured)
    n_embedded, n_reused, found = len(batch.contents), len(batch.reused), b"".join(batch.reused)
    n_done = n_embedded + n_reused + batch.unchanged + len(batch.skipped)
    kinds = [[part.kind for part in content.parts if part is not None] for content in batch.contents]
    parts = run.parts + Counter(kind for each in kinds for kind in each)
    with_parts = run.with_parts + Counter(each[0] for each in kinds if each)
    # No call from here to `is_stored`: Ctrl-C can't interrupt, and nothing is counted twice or not at all.
    run.skipped += batch.skipped
    run.partial += batch.partial
    run.embedded += n_embedded
    run.parts, run.with_parts = parts, with_parts
    run.reused += n_reused
    run.arrived += found
    run.unchanged += batch.unchanged
    run.done += n_done
    batch.is_stored = True
