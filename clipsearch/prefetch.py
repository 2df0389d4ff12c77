"""Prefetch items and results in background threads.

The consumer never blocks here, so that one thread can serve several prefetchers: when nothing is ready, it waits for a
token in `wake`, which all of them share.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from clipsearch import processes

Item = TypeVar("Item")
Result = TypeVar("Result")

# A SimpleQueue rather than a Condition: Ctrl-C while waiting leaves no lock held.
Wake = SimpleQueue[None]

# Memory that each thread may need: a process, a file of 64 MB, and its picture decoded and once more converted.
_WORKER_BYTES = 200_000_000


def default_workers() -> int:
    """Return the default number of threads: one more than the usable cores, fewer when memory is short.

    One more, because reading waits for the disk.
    """
    wanted, available = processes.core_count() + 1, processes.available_bytes()
    return wanted if available is None else max(1, min(wanted, available // _WORKER_BYTES))


class WorkAhead(Generic[Item, Result]):
    """Pool of threads that applies a function to items; results are taken in the order of the items."""

    def __init__(self, function: Callable[[Item], Result], *, workers: int, ahead: int, wake: Wake) -> None:
        """Start the pool.

        Args:
            ahead: back-pressure limit: items that may be submitted and not yet taken.
        """
        self._function = function
        self._ahead = ahead
        self._wake = wake
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="clipsearch")
        self._pending: deque[Future[Result]] = deque()

    @property
    def is_full(self) -> bool:
        return len(self._pending) >= self._ahead

    @property
    def is_empty(self) -> bool:
        return not self._pending

    @property
    def is_ready(self) -> bool:
        """Whether the oldest item is done."""
        return bool(self._pending) and self._pending[0].done() and not self._pending[0].cancelled()

    def put(self, item: Item) -> None:
        future = self._pool.submit(self._function, item)
        self._pending.append(future)
        future.add_done_callback(self._notify_done)

    def first(self) -> Result:
        """Return the oldest result, which stays until `remove_first`.

        Raises:
            Exception: whatever the function raised for that item.
        """
        return self._pending[0].result()

    def remove_first(self) -> None:
        self._pending.popleft()

    def stop(self) -> None:
        """Cancel the items that were not started."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait for the running items, after `stop`; finished results can still be taken."""
        self._pool.shutdown(wait=True)

    def _notify_done(self, future: "Future[Result]") -> None:
        self._wake.put(None)


class RunAhead(Generic[Item]):
    """Thread that prefetches an iterator without a limit, from `start` on."""

    def __init__(self, items: Iterator[Item], *, wake: Wake) -> None:
        self._items = items
        self._wake = wake
        self._queue: SimpleQueue[Item] = SimpleQueue()
        self._is_stopped = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="clipsearch")
        self._future: Future[None] = Future()

    def start(self) -> None:
        self._future = self._pool.submit(self._consume)
        self._future.add_done_callback(lambda future: self._wake.put(None))

    def take(self) -> Item | None:
        """Return the next item; None when there is none yet or no more."""
        with suppress(Empty):
            return self._queue.get_nowait()
        return None

    @property
    def is_over(self) -> bool:
        """Whether all items were taken; raises what the iterator raised."""
        if not self._future.done() or not self._queue.empty():
            return False
        self._future.result()
        return True

    def stop(self) -> None:
        """Stop the thread at the next item."""
        self._is_stopped = True

    def join(self) -> None:
        """Wait for the thread to end, after `stop`."""
        self._pool.shutdown(wait=True)

    def _consume(self) -> None:
        for item in self._items:
            if self._is_stopped:
                return
            self._queue.put(item)
            self._wake.put(None)
