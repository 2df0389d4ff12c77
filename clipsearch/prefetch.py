"""Threads that work ahead of the one who takes the results.

Whoever takes never waits here, so that one thread can serve several of these: when nothing is ready it waits for a
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

# A SimpleQueue and no Condition: Ctrl-C in the middle of waiting leaves no lock behind.
Wake = SimpleQueue[None]

# What each of them may need: a process, a file of 64 MB, and its picture decoded and once more converted.
_WORKER_BYTES = 200_000_000


def default_workers() -> int:
    """One thread a core that this process may use, and one more: reading waits for the disk. Fewer when memory is
    short."""
    wanted, available = processes.core_count() + 1, processes.available_bytes()
    return wanted if available is None else max(1, min(wanted, available // _WORKER_BYTES))


class WorkAhead(Generic[Item, Result]):
    """Applies a function in a pool of threads; the results are taken in the order of the items."""

    def __init__(self, function: Callable[[Item], Result], *, workers: int, ahead: int, wake: Wake) -> None:
        """`ahead`: how many items may be begun and not yet taken."""
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
        future.add_done_callback(self._tell)

    def first(self) -> Result:
        """The oldest result, which stays until `remove_first`; raises what the function raised."""
        return self._pending[0].result()

    def remove_first(self) -> None:
        self._pending.popleft()

    def stop(self) -> None:
        """Drops what was not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Waits for what runs, after `stop`; results that are there can still be taken."""
        self._pool.shutdown(wait=True)

    def _tell(self, future: "Future[Result]") -> None:
        self._wake.put(None)


class RunAhead(Generic[Item]):
    """Draws from an iterator in a thread of its own, as far ahead as it gets, from `start` on."""

    def __init__(self, items: Iterator[Item], *, wake: Wake) -> None:
        self._items = items
        self._wake = wake
        self._queue: SimpleQueue[Item] = SimpleQueue()
        self._is_stopped = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="clipsearch")
        self._future: Future[None] = Future()

    def start(self) -> None:
        self._future = self._pool.submit(self._draw)
        self._future.add_done_callback(lambda future: self._wake.put(None))

    def take(self) -> Item | None:
        """The next item, None when there is none yet or no more."""
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
        """Ends it at the next item."""
        self._is_stopped = True

    def join(self) -> None:
        """Waits for that item, after `stop`."""
        self._pool.shutdown(wait=True)

    def _draw(self) -> None:
        for item in self._items:
            if self._is_stopped:
                return
            self._queue.put(item)
            self._wake.put(None)
