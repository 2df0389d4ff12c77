"""Run blocking work in limited threads per kind of work, with a bounded queue in the event loop."""

import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

RETRY_AFTER_S = 2
"""Retry-After of responses when the server is busy."""

# Timeout in the queue: users don't wait longer for a page.
_MAX_WAIT_S = 15.0


class TooBusyError(Exception):
    """The queue is full, or a request has waited in it for too long."""


class ClientDisconnectedError(Exception):
    """The client has closed the connection before the work began."""


async def _never_disconnected() -> bool:
    return False


is_client_disconnected: ContextVar[Callable[[], Awaitable[bool]]] = ContextVar(
    "is_client_disconnected", default=_never_disconnected
)
"""Returns whether the client of the current request has disconnected."""


class Lane:
    """At most `threads` functions run concurrently, each in a thread; up to `max_waiting` more wait in FIFO order."""

    def __init__(self, threads: int, *, max_waiting: int, before: Callable[[], None] | None = None) -> None:
        """Create the lane; `before` is called in the thread before each function."""
        self._before = before
        self._places, self._threads = anyio.CapacityLimiter(threads), anyio.CapacityLimiter(threads)
        self._max_waiting = max_waiting

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Awaitable[Result]]:
        """Wrap a function as a coroutine that raises TooBusyError, or ClientDisconnectedError before it starts."""

        def work(arguments: Any, options: Any) -> Result:
            if self._before is not None:
                self._before()
            return function(*arguments, **options)

        @functools.wraps(function)
        async def in_thread(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
            if self._places.statistics().tasks_waiting >= self._max_waiting:
                raise TooBusyError
            with anyio.move_on_after(_MAX_WAIT_S) as waiting:
                await self._places.acquire()
            if waiting.cancelled_caught:
                raise TooBusyError
            try:
                if await is_client_disconnected.get()():
                    raise ClientDisconnectedError
                return await anyio.to_thread.run_sync(work, arguments, options, limiter=self._threads)
            finally:
                self._places.release()

        return in_thread
