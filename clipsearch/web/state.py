"""Hold the state that all requests share."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fastapi import HTTPException

from clipsearch.catalog import Catalog
from clipsearch.errors import ClipSearchError
from clipsearch.query import Query
from clipsearch.types import CatalogStatus
from clipsearch.web.duplicate_search import DuplicateSearch
from clipsearch.web.index_job import IndexJob
from clipsearch.web.lanes import Lane
from clipsearch.web.map_job import MapJob
from clipsearch.web.uploads import Uploads

Value = TypeVar("Value")

# Counting the pictures of a large catalog takes longer than searching it.
_STALE_AFTER_S = 10.0


class CachedValue(Generic[Value]):
    """Cached value, refreshed in the background: a stale one is returned while a new one is computed."""

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._made: tuple[float, object, Value] | None = None
        self._making = threading.Lock()

    def get(self, key: object) -> Value:
        """Return the value of a state `key`; a miss, with a new key, waits for the computation."""
        made = self._made
        if made is None or made[1] != key:
            with self._making:
                made = self._made
                if made is None or made[1] != key:
                    made = self._made = (time.monotonic(), key, self._make())
        elif time.monotonic() - made[0] > _STALE_AFTER_S and self._making.acquire(blocking=False):
            threading.Thread(target=self._refresh, args=(key,), name="refresh", daemon=True).start()
        return made[2]

    def peek(self, key: object) -> Value | None:
        """Return the last value, stale or not, without waiting for a computation; None before the first one."""
        made = self._made
        is_stale = made is None or made[1] != key or time.monotonic() - made[0] > _STALE_AFTER_S
        if made is not None and is_stale and self._making.acquire(blocking=False):
            threading.Thread(target=self._refresh, args=(key,), name="refresh", daemon=True).start()
        return None if made is None else made[2]

    def _refresh(self, key: object) -> None:
        """Recompute the value; another thread has acquired the lock for it."""
        try:
            with contextlib.suppress(ClipSearchError):  # other requests report the error
                self._made = (time.monotonic(), key, self._make())
        finally:
            self._making.release()


class Lanes:
    """Lanes by kind of work, which don't block each other; more threads would only compete for the same cores.

    Attributes:
        queries: requests answered from the catalog.
        thumbnails: requests that may decode a picture of the catalog.
        uploads: uploaded pictures; each may need a process and a gigabyte.
        monitoring: metrics, also under overload.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.queries = Lane(16, max_waiting=100, before=catalog.admin.check_place)
        self.thumbnails = Lane(8, max_waiting=100, before=catalog.admin.check_place)
        self.uploads = Lane(2, max_waiting=16, before=catalog.admin.check_place)
        self.monitoring = Lane(1, max_waiting=10)


@dataclass(slots=True)
class Site:
    """State of one server.

    Attributes:
        may_index: clients may index folders of this machine.
        may_reveal: clients on this machine may have folders shown in its file manager.
        listeners: number of open event streams.
    """

    catalog: Catalog
    may_index: bool = True
    may_reveal: bool = False
    listeners: int = 0
    uploads: Uploads = field(init=False)
    job: IndexJob = field(init=False)
    map_job: MapJob = field(init=False)
    duplicates: DuplicateSearch = field(init=False)
    lanes: Lanes = field(init=False)
    _status: CachedValue[CatalogStatus] = field(init=False)

    def __post_init__(self) -> None:
        self.uploads = Uploads(self.catalog)
        self.job = IndexJob(self.catalog)
        self.map_job = MapJob(self.catalog)
        self.duplicates = DuplicateSearch(self.catalog)
        self.lanes = Lanes(self.catalog)
        self._status = CachedValue(self.catalog.admin.status)

    def understand(self, text: str) -> Query:
        """Parse a visitor's query and the phrases of its plain words; an empty one means all pictures.

        Raises:
            QueryError: it can't be understood.
        """
        return self.catalog.understand(text).query if text.strip() else Query()

    def require_changes(self) -> None:
        """Check that visitors may change what users have made of the catalog.

        Raises:
            HTTPException: 403: they may not.
        """
        if not self.may_index:
            raise HTTPException(403, "changes are disabled on this server: start it with --index")

    @property
    def status(self) -> CatalogStatus:
        """Status of the catalog, possibly a few seconds stale."""
        return self._status.get(self.job.runs)
