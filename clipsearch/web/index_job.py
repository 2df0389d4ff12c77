"""Run one index job at a time in a background thread, and report its progress to pages and the API."""

import threading
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from clipsearch.catalog import Catalog
from clipsearch.errors import CatalogBusyError, ClipSearchError, InputError
from clipsearch.paths import folder_path
from clipsearch.types import IndexReport
from clipsearch.web.errors import message_of

JobState: TypeAlias = Literal["idle", "running", "done", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Status of the last index job.

    Attributes:
        number: version of the status, incremented at each change.
        folder: "" for all folders indexed before.
        done, to_do: number of pictures processed, and found so far.
        error: why the job failed.
    """

    number: int = 0
    state: JobState = "idle"
    folder: str = ""
    done: int = 0
    to_do: int = 0
    report: IndexReport | None = None
    error: str = ""


class IndexJob:
    """Index job of a server; thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.runs = 0
        """Number of runs that have ended."""
        self._lock = threading.Lock()
        self._status = JobStatus()
        self._thread: threading.Thread | None = None
        self._cancel = threading.Event()

    @property
    def status(self) -> JobStatus:
        return self._status

    def start(self, folder: str) -> JobStatus:
        """Start to index a folder; "" for the folders indexed before.

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
            if self._status.state == "running":
                raise CatalogBusyError("a folder is being indexed already")
            self._cancel.clear()
            self._status = JobStatus(self._status.number + 1, "running", folder)
            self._thread = threading.Thread(target=self._run, args=(folder,), name="index")
            self._thread.start()
            return self._status

    def stop(self) -> None:
        """Cancel the job: it ends within a second or a batch, and completed work is saved."""
        self._cancel.set()

    def join(self) -> None:
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self, folder: str) -> None:
        try:
            folders = [folder] if folder else []
            report = self._catalog.index(*folders, on_progress=self._note, cancel=self._cancel)
        except (ClipSearchError, OSError) as error:
            self._change(state="failed", error=message_of(error))
        except BaseException as error:
            self._change(state="failed", error=f"unexpected error: {type(error).__name__}")
            raise
        else:
            self.runs += 1
            self._change(state="stopped" if report.interrupted else "done", report=report)

    def _note(self, done: int, to_do: int) -> None:
        self._change(done=done, to_do=to_do)

    def _change(self, **values: object) -> None:
        with self._lock:
            self._status = replace(self._status, number=self._status.number + 1, **values)  # type: ignore[arg-type]
