"""Publish the progress of a run to other processes."""

from contextlib import suppress
from time import perf_counter

from clipsearch.errors import StoreError
from clipsearch.indexing.runner import Run
from clipsearch.store import Store, utc_now
from clipsearch.types import IndexReport

# An update costs a transaction, a millisecond or less.
_EVERY_S = 1.0


class RunLog:
    """Row of one run in the store."""

    def __init__(self, store: Store, *, model_id: int) -> None:
        """Start the run now."""
        self._runs = store.runs
        self._start = self._noted_at = perf_counter()
        self._run_id = self._runs.begin(model_id=model_id, started_at=utc_now())

    @property
    def seconds(self) -> float:
        return perf_counter() - self._start

    def note(self, run: Run) -> None:
        """Update the progress of the run, at most once a second."""
        now = perf_counter()
        if now - self._noted_at < _EVERY_S:
            return
        self._noted_at = now
        with suppress(StoreError):  # progress is optional; a broken store fails elsewhere
            self._runs.note(
                self._run_id,
                seconds=self.seconds,
                found=run.found,
                embedded=run.embedded,
                reused=run.reused,
                unchanged=run.unchanged,
                removed=run.removed,
                skipped=len(run.skipped),
                to_do=run.to_do - run.done,
            )

    def end(self, report: IndexReport) -> None:
        self._runs.end(self._run_id, report)
