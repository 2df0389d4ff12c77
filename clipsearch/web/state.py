"""What all requests share."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from clipsearch.catalog import Catalog
from clipsearch.errors import ClipSearchError
from clipsearch.gallery.details import CatalogFacets
from clipsearch.types import CatalogStatus
from clipsearch.web.index_job import IndexJob
from clipsearch.web.lanes import Lane
from clipsearch.web.uploads import Uploads

Value = TypeVar("Value")

# To count the pictures of a large catalog takes longer than to search it.
_FRESH_S = 10.0


class _Kept(Generic[Value]):
    """A value that may be some seconds old: it is made anew beside, while the old one is still given out."""

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._made: tuple[float, object, Value] | None = None
        self._making = threading.Lock()

    def get(self, key: object) -> Value:
        """`key`: of the state it is made of; for another one it is waited for."""
        made = self._made
        if made is None or made[1] != key:
            with self._making:
                made = self._made
                if made is None or made[1] != key:
                    made = self._made = (time.monotonic(), key, self._make())
        elif time.monotonic() - made[0] > _FRESH_S and self._making.acquire(blocking=False):
            threading.Thread(target=self._renew, args=(key,), name="renew", daemon=True).start()
        return made[2]

    def _renew(self, key: object) -> None:
        """With the lock held, by another thread."""
        try:
            with contextlib.suppress(ClipSearchError):  # it is said to whoever asks for more than counts
                self._made = (time.monotonic(), key, self._make())
        finally:
            self._making.release()


class Lanes:
    """Threads by kinds of work, so that none has to wait for another; more would only take turns on the same cores.

    Attributes:
        questions: whatever is answered from the catalog.
        thumbnails: what may have to decode a picture of the catalog.
        uploads: pictures that were sent: each may need a process and a gigabyte.
        monitoring: counters, also when there is too much to do.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.questions = Lane(16, most_waiting=100, before=catalog.admin.check_place)
        self.thumbnails = Lane(8, most_waiting=100, before=catalog.admin.check_place)
        self.uploads = Lane(2, most_waiting=16, before=catalog.admin.check_place)
        self.monitoring = Lane(1, most_waiting=10)


@dataclass(slots=True)
class Site:
    """
    Attributes:
        may_index: whoever may ask may also have folders of this machine indexed.
        listeners: pages that hear of a run as it goes on.
    """

    catalog: Catalog
    may_index: bool = True
    listeners: int = 0
    uploads: Uploads = field(init=False)
    job: IndexJob = field(init=False)
    lanes: Lanes = field(init=False)
    _status: _Kept[CatalogStatus] = field(init=False)
    _facets: _Kept[CatalogFacets] = field(init=False)

    def __post_init__(self) -> None:
        self.uploads = Uploads(self.catalog)
        self.job = IndexJob(self.catalog)
        self.lanes = Lanes(self.catalog)
        self._status = _Kept(self.catalog.admin.status)
        self._facets = _Kept(self.catalog.pictures.facets)

    @property
    def status(self) -> CatalogStatus:
        return self._status.get(self.job.runs)

    @property
    def facets(self) -> CatalogFacets:
        return self._facets.get(self.job.runs)
