"""Threads for what takes a while, a few for each kind of work, with a short queue in the event loop before them."""

import functools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

RETRY_AFTER_S = 2
"""In answers that say that there is too much to do."""

# Longer than this nobody waits for a page.
_LONGEST_WAIT_S = 15.0


class TooBusyError(Exception):
    """So much is waiting already that another request would wait for too long."""


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


async def _is_there() -> bool:
    return False


is_client_gone: ContextVar[Callable[[], Awaitable[bool]]] = ContextVar("is_client_gone", default=_is_there)
"""Asks whether the client of the current request has gone."""


class Lane:
    """At most `threads` functions run at once, each in a thread; `most_waiting` more wait in their order."""

    def __init__(self, threads: int, *, most_waiting: int, before: Callable[[], None] | None = None) -> None:
        """`before`: called in the thread before each function."""
        self._before = before
        self._places, self._threads = anyio.CapacityLimiter(threads), anyio.CapacityLimiter(threads)
        self._most_waiting = most_waiting

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Awaitable[Result]]:
        """The function as a coroutine; raises TooBusyError, and ClientGoneError instead of working for nobody."""

        def work(arguments: Any, options: Any) -> Result:
            if self._before is not None:
                self._before()
            return function(*arguments, **options)

        @functools.wraps(function)
        async def in_thread(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
            if self._places.statistics().tasks_waiting >= self._most_waiting:
                raise TooBusyError
            with anyio.move_on_after(_LONGEST_WAIT_S) as waiting:
                await self._places.acquire()
            if waiting.cancelled_caught:
                raise TooBusyError
            try:
                if await is_client_gone.get()():
                    raise ClientGoneError
                return await anyio.to_thread.run_sync(work, arguments, options, limiter=self._threads)
            finally:
                self._places.release()

        return in_thread
