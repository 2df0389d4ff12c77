"""What all requests share."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from clipsearch.browsing import CatalogFacets
from clipsearch.catalog import Catalog
from clipsearch.types import CatalogStatus
from clipsearch.web.index_job import IndexJob
from clipsearch.web.uploads import Uploads

Value = TypeVar("Value")

# To count the pictures of a large catalog takes longer than to search it.
_FRESH_S = 10.0


class _Kept(Generic[Value]):
    """A value that may be some seconds old."""

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._made: tuple[float, object, Value] | None = None

    def get(self, key: object) -> Value:
        """`key`: of the state it was made of; another one makes it anew."""
        made = self._made
        if made is None or made[1] != key or time.monotonic() - made[0] > _FRESH_S:
            made = self._made = (time.monotonic(), key, self._make())
        return made[2]


@dataclass(slots=True)
class Site:
    """
    Attributes:
        may_index: whoever may ask may also have folders of this machine indexed.
    """

    catalog: Catalog
    may_index: bool = True
    uploads: Uploads = field(init=False)
    job: IndexJob = field(init=False)
    _status: _Kept[CatalogStatus] = field(init=False)
    _facets: _Kept[CatalogFacets] = field(init=False)

    def __post_init__(self) -> None:
        self.uploads = Uploads(self.catalog)
        self.job = IndexJob(self.catalog)
        self._status = _Kept(self.catalog.status)
        self._facets = _Kept(self.catalog.facets)

    @property
    def status(self) -> CatalogStatus:
        return self._status.get(self.job.status.number)

    @property
    def facets(self) -> CatalogFacets:
        return self._facets.get(self.job.status.number)
