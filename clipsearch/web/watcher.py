"""Keep the folders of a served catalog current, in a thread."""

import threading
from pathlib import Path

from clipsearch.catalog import Catalog
from clipsearch.errors import ClipSearchError, InputError
from clipsearch.notices import notify
from clipsearch.web.index_job import IndexJob

# Pause after a failure: of a drive that was not there yet, or a full disk.
_RETRY_S = 10.0


class Watcher:
    """Indexes what changes in the indexed folders, in turns with the index job, which shows its runs."""

    def __init__(self, catalog: Catalog, job: IndexJob) -> None:
        self._catalog = catalog
        self._job = job
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="watch")
        self._thread.start()

    def stop(self) -> None:
        """End the watching: within a second or a batch, and completed work is saved."""
        self._stop.set()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        said = ""
        while not self._stop.is_set():
            try:
                for report in self._catalog.admin.watch(stop=self._stop, on_progress=self._job.note_watching):
                    self._job.end_watching(report)
                    said = ""
            except Exception as error:  # noqa: BLE001 (the server goes on without)
                self._job.end_watching(None)
                reason = self._reason_of(error)
                if reason != said:
                    notify(reason)
                    said = reason
            self._stop.wait(_RETRY_S)

    def _reason_of(self, error: Exception) -> str:
        if isinstance(error, InputError) and not self._has_folder():
            return "no indexed folder is there yet: waiting for one to watch"
        text = str(error) if isinstance(error, ClipSearchError | OSError) else f"{type(error).__name__}: {error}"
        return f"watching has failed and is tried again every {_RETRY_S:.0f} s: {text}"

    def _has_folder(self) -> bool:
        try:
            return any(Path(folder).is_dir() for folder in self._catalog.admin.folders())
        except ClipSearchError:
            return False
