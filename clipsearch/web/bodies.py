"""Limit the size and time of request bodies, in the event loop, so that a slow client occupies no thread."""

import asyncio
from dataclasses import dataclass

import anyio
from starlette.types import Message, Receive, Send

from clipsearch.web.errors import send_problem


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Limits of request bodies.

    Attributes:
        max_bytes: size of one body.
        max_seconds: total time that the server waits for one body.
        start_seconds: grace period; after it, the average rate must be at least `min_bytes_per_second`.
        max_total_bytes: size of all bodies of unanswered requests, which may be on disk.
    """

    max_bytes: int = 64 << 20
    max_seconds: float = 60.0
    start_seconds: float = 10.0
    min_bytes_per_second: int = 4_000
    max_total_bytes: int = 512 << 20


class BodyBudget:
    """Bytes in use of `BodyLimits.max_total_bytes`."""

    def __init__(self) -> None:
        self.taken_bytes = 0


class LimitedBody:
    """Limited receive and send channels of one request; a body beyond a limit is answered with its error."""

    def __init__(self, receive: Receive, send: Send, limits: BodyLimits, budget: BodyBudget) -> None:
        self._receive = receive
        self._send = send
        self._limits = limits
        self._budget = budget
        self._size_bytes = 0
        self._waited_s = 0.0
        self._is_complete = False
        self._read_ahead: Message | None = None
        self._failure: tuple[int, str] | None = None
        self._is_answered = False

    async def receive(self) -> Message:
        if self._read_ahead is not None:
            message, self._read_ahead = self._read_ahead, None
            return message
        if self._failure is not None:
            return {"type": "http.disconnect"}
        if self._is_complete:
            return await self._receive()  # reports only the disconnect
        return await self._receive_part()

    async def is_disconnected(self) -> bool:
        """Return whether a disconnect of the client has been received; does not wait."""
        if self._is_complete and self._read_ahead is None:
            return (await self._poll() or {}).get("type") == "http.disconnect"
        if self._size_bytes == 0 and self._read_ahead is None:  # a request whose body, if any, is unread
            message = await self._poll()
            if message is not None:
                self._note(message)
                self._read_ahead = message
                return bool(message["type"] == "http.disconnect")
        return False

    def close(self) -> None:
        """Release the budget; to be called when the request is answered."""
        self._budget.taken_bytes -= self._size_bytes

    async def send(self, message: Message) -> None:
        if self._failure is None:
            await self._send(message)
        elif not self._is_answered:
            self._is_answered = True
            await send_problem(self._send, *self._failure)

    async def _receive_part(self) -> Message:
        limits, loop = self._limits, asyncio.get_running_loop()
        allowed_s = min(limits.max_seconds, limits.start_seconds + self._size_bytes / limits.min_bytes_per_second)
        start = loop.time()
        try:
            async with asyncio.timeout_at(start + allowed_s - self._waited_s):
                message = await self._receive()
        except TimeoutError:
            return self._fail(408, f"the request body took longer than {allowed_s:.0f} s")
        self._waited_s += loop.time() - start
        self._note(message)
        if self._size_bytes > limits.max_bytes:
            return self._fail(413, f"the request is too large: at most {limits.max_bytes / 1e6:.0f} MB")
        if self._budget.taken_bytes > limits.max_total_bytes:
            return self._fail(503, "too many uploads in progress: try again in a moment")
        return message

    def _note(self, message: Message) -> None:
        size = len(message.get("body", b""))
        self._size_bytes += size
        self._budget.taken_bytes += size
        self._is_complete = not message.get("more_body", False)

    def _fail(self, status: int, detail: str) -> Message:
        self._failure = (status, detail)
        return {"type": "http.disconnect"}

    async def _poll(self) -> Message | None:
        """Return the next message if it is available, without waiting."""
        with anyio.CancelScope() as scope:
            scope.cancel()
            return await self._receive()
        return None
