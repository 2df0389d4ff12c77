"""Load views of pictures for comparison, decoded within limits by worker processes."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

from clipsearch.errors import ImageReadError
from clipsearch.images.copies.views import PictureView
from clipsearch.images.decode import default_limits
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.worker_pool import WorkerPool
from clipsearch.prefetch import default_workers

# Large views in the LRU cache, of up to 7 MB each.
_MAX_CACHED = 24

# Placeholder: the worker pool requires one, and no model input is computed here.
_ANY_MODEL = Preprocess(1, 1, None, 2, 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Views:
    """Views of contents, loaded from any file with the content, with prefetching and an LRU cache."""

    def __init__(
        self,
        pool: WorkerPool,
        threads: ThreadPoolExecutor,
        paths: Mapping[int, Sequence[str]],
        digests: Mapping[int, bytes],
    ) -> None:
        """Create the loader; `paths` and `digests` (blake3) are by content id."""
        self._pool = pool
        self._threads = threads
        self._paths = paths
        self._digests = digests
        self._cached: OrderedDict[tuple[int, int], Future[PictureView | None]] = OrderedDict()

    def each(self, content_ids: Iterable[int], *, side: int) -> Iterator[tuple[int, PictureView | None]]:
        """Yield each content id with its view, in order, with prefetching; None as in `get`."""
        ids = iter(content_ids)
        waiting = OrderedDict((number, self._threads.submit(self._load, number, side)) for number in islice(ids, 64))
        while waiting:
            number, view = waiting.popitem(last=False)
            yield number, view.result()
            for following in islice(ids, 1):
                waiting[following] = self._threads.submit(self._load, following, side)

    def prepare(self, content_id: int, *, side: int) -> None:
        """Prefetch a view for `get`."""
        self._future(content_id, side)

    def get(self, content_id: int, *, side: int) -> PictureView | None:
        """Return a view of at most `side` pixels; None when no file has the content any more or it can't be decoded."""
        return self._future(content_id, side).result()

    def _future(self, content_id: int, side: int) -> "Future[PictureView | None]":
        key = content_id, side
        if key not in self._cached:
            while len(self._cached) >= _MAX_CACHED:
                self._cached.popitem(last=False)
            self._cached[key] = self._threads.submit(self._load, content_id, side)
        self._cached.move_to_end(key)
        return self._cached[key]

    def _load(self, content_id: int, side: int) -> PictureView | None:
        for path in self._paths[content_id]:
            try:
                with self._pool.open_path(path) as picture:
                    if picture.blake3 == self._digests[content_id]:
                        return picture.view(side)
            except (OSError, ImageReadError, MemoryError, ValueError):
                continue
        return None


@contextmanager
def open_views(paths: Mapping[int, Sequence[str]], digests: Mapping[int, bytes]) -> Iterator[Views]:
    pool = WorkerPool(_ANY_MODEL, limits=default_limits())
    threads = ThreadPoolExecutor(default_workers(), thread_name_prefix="clipsearch")
    try:
        yield Views(pool, threads, paths, digests)
    finally:
        threads.shutdown(cancel_futures=True)
        pool.close()
