"""Find the duplicates of a catalog once, in a background thread, for all pages of them."""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from clipsearch.catalog import Catalog
from clipsearch.errors import ClipSearchError
from clipsearch.gallery.duplicates import DuplicateGroup
from clipsearch.web.errors import message_of

SearchState: TypeAlias = Literal["idle", "running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class FoundDuplicates:
    """Result of a search.

    Attributes:
        token: names the result in cursors and marks, which mean the groups of no other.
        groups: as `Catalog.duplicates` returns them.
        is_complete: whether pixels were compared; else there are exact duplicates only.
    """

    token: str
    groups: Sequence[DuplicateGroup]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class DuplicateStatus:
    """Status of the last search.

    Attributes:
        done, to_do: pictures of the current step, of which there are several.
        error: why it failed.
        last_change: of the catalog, when the search began.
        found: None: nothing yet.
    """

    state: SearchState = "idle"
    done: int = 0
    to_do: int = 0
    error: str = ""
    last_change: int = 0
    found: FoundDuplicates | None = None


class _StoppedError(Exception):
    """The search was stopped."""


class DuplicateSearch:
    """Search of a server for duplicates; thread-safe.

    Exact duplicates are found first, in a fraction of the time, and are there while the pixels of others are compared.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._status = DuplicateStatus()
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    @property
    def status(self) -> DuplicateStatus:
        return self._status

    @property
    def is_outdated(self) -> bool:
        """Whether pictures or files of the catalog have changed since the last search began."""
        status = self._status
        return status.state != "idle" and status.last_change != self._catalog.pictures.last_change()

    def ensure(self) -> DuplicateStatus:
        """Start to search where nothing was found yet, and not again for what can't be searched."""
        status = self._status
        is_due = status.state == "idle" or (status.state == "failed" and self.is_outdated)
        return self.start() if status.found is None and is_due else status

    def start(self) -> DuplicateStatus:
        """Search again; what was found last stays until then. A search that is running goes on."""
        change = self._catalog.pictures.last_change()
        with self._lock:
            if self._status.state != "running" and not self._is_stopped:
                self._status = DuplicateStatus("running", last_change=change, found=self._status.found)
                self._thread = threading.Thread(target=self._run, name="duplicates")
                self._thread.start()
            return self._status

    def stop(self) -> None:
        """Stop, for good: the search ends within seconds."""
        self._is_stopped = True

    def join(self) -> None:
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        try:
            if self._status.found is None:
                self._change(found=self._find(exact_only=True))
            found = self._find(exact_only=False)
        except _StoppedError:
            self._change(state="idle")
        except (ClipSearchError, OSError) as error:
            self._change(state="failed", error=message_of(error))
        except BaseException as error:
            self._change(state="failed", error=f"unexpected error: {type(error).__name__}")
            raise
        else:
            self._change(state="done", found=found)

    def _find(self, *, exact_only: bool) -> FoundDuplicates:
        groups = self._catalog.duplicates(exact_only=exact_only, on_progress=self._note)
        return FoundDuplicates(secrets.token_hex(6), groups, is_complete=not exact_only)

    def _note(self, done: int, to_do: int) -> None:
        if self._is_stopped:
            raise _StoppedError
        self._change(done=done, to_do=to_do)

    def _change(self, **values: object) -> None:
        with self._lock:
            self._status = replace(self._status, **values)  # type: ignore[arg-type]
