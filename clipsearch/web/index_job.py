"""Run one index job at a time in a background thread, and report its progress to pages and the API.

So is that of other runs: of the folders that the server watches, see `watcher`, and of other processes.
"""

import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import Literal, TypeAlias

from clipsearch.catalog import Catalog
from clipsearch.errors import CatalogBusyError, ClipSearchError, InputError
from clipsearch.indexing.watch import has_changes
from clipsearch.paths import folder_path
from clipsearch.types import CurrentRun, IndexReport
from clipsearch.web.errors import message_of

JobState: TypeAlias = Literal["idle", "running", "done", "stopped", "failed"]

# How often runs of other processes are looked up, which publish their progress once a second.
_LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Status of the last index run.

    Attributes:
        folder: "" for all folders indexed before.
        done, to_do: number of pictures processed, and found so far.
        error: why the job failed.
        is_job: it was started as the job of a client, who may stop it.
    """

    state: JobState = "idle"
    folder: str = ""
    done: int = 0
    to_do: int = 0
    report: IndexReport | None = None
    error: str = ""
    is_job: bool = False


class IndexJob:
    """Index job of a server; thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.runs = 0
        """Number of runs that have ended and changed something."""
        self._lock = threading.Lock()
        self._status = JobStatus()
        self._thread: threading.Thread | None = None
        self._cancel = threading.Event()
        self._is_ended = False
        self._other_run: CurrentRun | None = None
        self._looked_at = -_LOOK_EVERY_S

    @property
    def status(self) -> JobStatus:
        """Status of the last run of this process."""
        return self._status

    def find_status(self) -> JobStatus:
        """Return the status of the last run of this process, or of one that another process is at."""
        status = self._status
        if status.state == "running":
            return status
        if monotonic() - self._looked_at > _LOOK_EVERY_S:
            self._looked_at, self._other_run = monotonic(), None
            with suppress(ClipSearchError):  # other requests report the error
                self._other_run = self._catalog.admin.current_run()
        run = self._other_run
        return status if run is None else JobStatus("running", done=run.done, to_do=run.done + run.to_do)

    def start(self, folder: str) -> JobStatus:
        """Start to index a folder; "" for the folders indexed before. It waits for runs that are no job.

        Raises:
            InputError: not an absolute path, or no such folder.
            CatalogBusyError: another job is running.
        """
        if folder:
            path = folder_path(folder)
            if not path.is_absolute():
                raise InputError(f"{folder}: not an absolute path: give the full path of the folder")
            try:
                is_folder = path.is_dir()
            except (OSError, ValueError):
                is_folder = False
            if not is_folder:
                raise InputError(f"no folder {folder}")
        with self._lock:
            if self._is_ended:
                raise CatalogBusyError("the server is being stopped")
            if self._status.state == "running" and self._status.is_job:
                raise CatalogBusyError("a folder is being indexed already")
            self._cancel.clear()
            self._status = JobStatus("running", folder, is_job=True)
            self._thread = threading.Thread(target=self._run, args=(folder,), name="index")
            self._thread.start()
            return self._status

    def stop(self) -> None:
        """Cancel the job: it ends within a second or a batch, and completed work is saved."""
        self._cancel.set()

    def end(self) -> None:
        """Cancel the job, and start none any more."""
        with self._lock:
            self._is_ended = True
        self.stop()

    def note_watching(self, done: int, to_do: int) -> None:
        """Report the progress of a run that is no job, unless there is one."""
        with self._lock:
            if self._status.state != "running" or not self._status.is_job:
                self._status = JobStatus("running", done=done, to_do=to_do)

    def end_watching(self, report: IndexReport | None) -> None:
        """Report the end of a run that is no job; None: it has failed."""
        with self._lock:
            self.runs += report is None or has_changes(report)
            if self._status.state == "running" and not self._status.is_job:
                self._status = JobStatus() if report is None else replace(self._status, state="done", report=report)

    def join(self) -> None:
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self, folder: str) -> None:
        try:
            folders = [folder] if folder else []
            report = self._catalog.index(*folders, wait=True, on_progress=self._note, cancel=self._cancel)
        except (ClipSearchError, OSError) as error:
            was_waiting = isinstance(error, CatalogBusyError) and self._cancel.is_set()
            self._change(state="stopped" if was_waiting else "failed", error=message_of(error))
        except BaseException as error:
            self._change(state="failed", error=f"unexpected error: {type(error).__name__}")
            raise
        else:
            with self._lock:
                self.runs += 1
            self._change(state="stopped" if report.interrupted else "done", report=report)

    def _note(self, done: int, to_do: int) -> None:
        self._change(done=done, to_do=to_do)

    def _change(self, **values: object) -> None:
        with self._lock:
            self._status = replace(self._status, **values)  # type: ignore[arg-type]
