"""Threads that work ahead of the one who takes the results."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def default_workers() -> int:
    """One thread a core that this process may use, and one more: reading waits for the disk."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return cores + 1


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Iterator[Result]:
    """Yields function(item) in the order of the items, with at most `ahead` of them begun and not yet taken.

    An exception of the function comes out where its result would have. When the caller stops early, items that were
    not begun are dropped and the running ones are waited for.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="clipsearch")
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
