"""What is between the list of files and the store, and may be replaced: reading, decoding and encoding."""

from dataclasses import dataclass, field
from typing import Protocol

from clipsearch.encoders.base import Encoder
from clipsearch.images.decode import DecodingLimits
from clipsearch.images.reading import Task
from clipsearch.indexing.batches import Batch, file_records
from clipsearch.prefetch import Wake
from clipsearch.store import Store
from clipsearch.types import PartialFile, SkippedFile


@dataclass(slots=True)
class Run:
    """What has been counted so far: `embedded`, `reused` and `done` when it was stored.

    Attributes:
        arrived: blake3, 32 bytes each, of the reused files that were read.
        returned: numbers of the other reused files.
    """

    found: int = 0
    embedded: int = 0
    reused: int = 0
    unchanged: int = 0
    removed: int = 0
    moved: int = 0
    arrived: bytearray = field(default_factory=bytearray)
    returned: list[int] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    partial: list[PartialFile] = field(default_factory=list)
    unsupported: dict[str, int] = field(default_factory=dict)
    done: int = 0
    to_do: int = 0


class Stage(Protocol):
    """The way of a file from its name to the store. Nothing here waits but `join`: `advance` does what can be done now.

    All is called by one thread, the only one that writes to the store.
    """

    @property
    def is_full(self) -> bool:
        """Whether no file may be begun now."""
        ...

    @property
    def is_empty(self) -> bool:
        """Whether all that was begun is stored."""
        ...

    def begin(self, task: Task) -> None: ...

    def advance(self, *, is_last: bool) -> bool:
        """Moves on what can be moved; says whether there was anything to do.

        `is_last`: nothing will be begun any more.
        """
        ...

    def stop(self) -> None:
        """Drops what was not begun."""
        ...

    def join(self) -> None:
        """Waits for what runs, after `stop`; it may be called again."""
        ...

    def store_encoded(self) -> None:
        """Stores what is encoded, after `join`."""
        ...


class Runner(Protocol):
    """Where files are read and encoded."""

    def open(
        self, *, store: Store, encoder: Encoder, model_id: int, limits: DecodingLimits | None, run: Run, wake: Wake
    ) -> Stage:
        """
        Args:
            limits: pictures are decoded in processes of their own, within these; None: in this one.
            run: is counted up.
            wake: gets a token when `advance` has something to do.

        Raises:
            ClipSearchError: there is nothing to run it.
        """
        ...


def store_batch(batch: Batch, *, store: Store, model_id: int, run: Run) -> None:
    """Stores and counts a batch, once: it may be called again for one that is stored."""
    if batch.is_stored:
        return
    files = file_records(batch)
    if files:
        store.pictures.record(batch.contents, files, model_id=model_id)
    n_embedded, n_reused, found = len(batch.contents), len(batch.reused), b"".join(batch.reused)
    n_done = n_embedded + n_reused + batch.unchanged + len(batch.skipped)
    # No call from here to `is_stored`: Ctrl-C can't come between, and nothing is counted twice or not at all.
    run.skipped += batch.skipped
    run.partial += batch.partial
    run.embedded += n_embedded
    run.reused += n_reused
    run.arrived += found
    run.unchanged += batch.unchanged
    run.done += n_done
    batch.is_stored = True
