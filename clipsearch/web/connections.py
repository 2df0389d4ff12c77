"""Limit the number of open connections, and the time that the server waits for a client.

It is the client's turn while the server waits for the head or body of a request, or for an answer to be read. At the
connection limit, the connection with the longest wait is closed, so that idle clients can't block others (slowloris).

Pipelined requests, which no browser sends, are answered one at a time for all connections, round-robin, and reading is
paused meanwhile (back-pressure).

Source: the protocol class is uvicorn's, which has no timeouts for heads, bodies and answers (0.38 to 0.54).
"""

import asyncio
import ipaddress
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from clipsearch.web.errors import send_problem

Turn: TypeAlias = Literal["head", "body", "rest", "answer"]
"""What the client must do: send a head, send a body, send the rest of an answered request's body, read an answer."""

# Interval at which the timeouts of connections are checked.
_CHECK_INTERVAL_S = 1.0

# States of a client whose request is incomplete.
_SENDING = (h11.IDLE, h11.SEND_BODY)

_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of connections.

    Attributes:
        max_connections: concurrent connections.
        max_per_address: connections of one client address, or of an IPv6 /64. The loopback has no such limit: all
            programs of this machine, and a proxy on it, share its address.
        max_unread_bytes: total of all answers that clients have not read yet.
        head_seconds: timeout from the start of a connection, or the end of an answer, to the end of the next head.
        rest_seconds: timeout for the rest of the body of an answered request.
        answer_seconds: interval in which at least `answer_bytes`, or the rest of an answer, must be read.
        max_head_bytes: size of a head; browsers send the cookies of all programs on 127.0.0.1 together.
    """

    max_connections: int = 500
    max_per_address: int = 100
    max_unread_bytes: int = 128 << 20
    head_seconds: float = 10.0
    rest_seconds: float = 10.0
    answer_seconds: float = 10.0
    answer_bytes: int = 40_000
    max_head_bytes: int = 64 << 10


def make_protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """Create the protocol class for uvicorn's `Config(http=...)`."""

    class Protocol(LimitedConnection):
        connections_open = Connections(limits)

    return Protocol


class Connections:
    """Open connections of one server; to be used in its event loop only."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: dict[LimitedConnection, str | None] = {}
        self._is_checking = False
        self._pipelined: deque[LimitedConnection] = deque()
        self._holder: LimitedConnection | None = None

    def add(self, new: "LimitedConnection", address: str | None) -> bool:
        """Add a connection; return whether it is within the limits, after closing another one if possible."""
        key = _address_key(address)
        if not self._is_checking:
            self._is_checking = True
            new.loop.call_later(_CHECK_INTERVAL_S, self._check_all, new.loop)
        self._open[new] = key
        if len(self._open) > self.limits.max_connections and not self._close_one(None, new):
            return False
        count = 0 if key is None else sum(other == key for other in self._open.values())
        return count <= self.limits.max_per_address or self._close_one(key, new)

    def remove(self, connection: "LimitedConnection") -> None:
        self._open.pop(connection, None)
        if connection in self._pipelined:
            self._pipelined.remove(connection)
        self.release_slot(connection)

    def wait_for_slot(self, connection: "LimitedConnection") -> None:
        """Call `resume_pipelined` when the slot is free: one pipelined request is answered at a time."""
        self._pipelined.append(connection)
        self._grant_slot()

    def has_slot(self, connection: "LimitedConnection") -> bool:
        return self._holder is connection

    def release_slot(self, connection: "LimitedConnection") -> None:
        """Release the slot if the connection holds it; idempotent."""
        if self._holder is connection:
            self._holder = None
            self._grant_slot()

    def _grant_slot(self) -> None:
        if self._holder is None and self._pipelined:
            self._holder = self._pipelined.popleft()
            self._holder.loop.call_soon(self._holder.resume_pipelined)

    def _check_all(self, loop: asyncio.AbstractEventLoop) -> None:
        for each in list(self._open):
            each.check_timeouts()
        unread = sorted((each for each in self._open if each.turn == "answer"), key=lambda each: each.since)
        excess = sum(each.unread_bytes for each in unread) - self.limits.max_unread_bytes
        while excess > 0:
            excess -= unread[0].unread_bytes
            unread.pop(0).abort()
        self._is_checking = bool(self._open)
        if self._is_checking:
            loop.call_later(_CHECK_INTERVAL_S, self._check_all, loop)

    def _close_one(self, key: str | None, new: "LimitedConnection") -> bool:
        """Abort the connection with the longest wait, of one client or (None) of all; return whether there is one.

        Connections with a request in progress are aborted only when there are no others.
        """
        waiting = [
            each
            for each, other in self._open.items()
            if each is not new and key in (None, other) and each.turn is not None
        ]
        if not waiting:
            return False
        min(waiting, key=lambda each: (each.turn in ("body", "answer"), each.since)).abort()
        return True


class _Flow(FlowControl):
    """Flow control with back-pressure: pipelined data is not read until the previous request is answered."""

    def __init__(self, transport: asyncio.Transport, conn: h11.Connection) -> None:
        super().__init__(transport)
        self._conn = conn

    def resume_reading(self) -> None:
        if self._conn.their_state in _SENDING or not self._conn.trailing_data[0]:
            super().resume_reading()


class LimitedConnection(H11Protocol):
    """Connection with the timeouts of `ConnectionLimits`.

    Attributes:
        since: start of the client's turn, in the event loop's time.
    """

    connections_open: Connections

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.since = self.loop.time()
        self._unread_before = 0
        self._has_sent = False
        self._is_between_requests = False
        self._is_blocked = False  # by an unread answer

    @property
    def unread_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    @property
    def turn(self) -> Turn | None:
        """What the client must do; None when it is the server's turn."""
        if self.unread_bytes:
            return "answer"
        if self.cycle is None or self.cycle.response_complete:
            return "rest" if self.conn.their_state is h11.SEND_BODY else "head"
        return "body" if self.conn.their_state is h11.SEND_BODY and not self.flow.read_paused else None

    def abort(self) -> None:
        """Close the connection immediately, without an answer."""
        self.connections_open.remove(self)
        self.transport.abort()

    def check_timeouts(self) -> None:
        """Close the connection when the client has exceeded a timeout."""
        limits, waited = self.connections_open.limits, self.loop.time() - self.since
        match self.turn:
            case "answer":
                self._check_answer(limits)
            case "head" if waited > limits.head_seconds:
                if self._has_sent and not self.transport.is_closing():
                    self.transport.write(_TIMED_OUT)
                self.transport.close()
            case "rest" if waited > limits.rest_seconds:
                self.transport.close()
            case _:
                self._unread_before = 0

    def _check_answer(self, limits: ConnectionLimits) -> None:
        unread, now = self.unread_bytes, self.loop.time()
        if self._unread_before == 0 or unread <= self._unread_before - limits.answer_bytes:
            self._unread_before, self.since = unread, now
        elif now - self.since > limits.answer_seconds:
            self.abort()
        else:
            self._unread_before = max(self._unread_before, unread)

    # ------------------------------------------------------------------ called by the event loop and by uvicorn

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self.conn)
        self.app = self._without_traceback(self.app)
        if not self.connections_open.add(self, self.client[0] if self.client else None):
            self.app = _too_many

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections_open.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state in (h11.MUST_CLOSE, h11.CLOSED):
            self.flow.pause_reading()  # the client has announced the end of its data
            return
        self._has_sent = True
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._begin_turn()

    def handle_events(self) -> None:
        if not self._is_between_requests or not self.conn.trailing_data[0]:
            super().handle_events()
            return
        self._has_sent = True
        self.flow.pause_reading()
        if self.flow.write_paused:
            self._is_blocked = True
        else:
            self.connections_open.wait_for_slot(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._is_blocked:
            self._is_blocked = False
            self.connections_open.wait_for_slot(self)

    def resume_pipelined(self) -> None:
        """Continue with the pipelined request."""
        if not self.connections_open.has_slot(self):
            return
        before = self.cycle
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self.handle_events()
        if self.cycle is before:  # the head is incomplete
            self.connections_open.release_slot(self)
        else:
            self._begin_turn()

    def on_response_complete(self) -> None:
        self._has_sent = False
        self._begin_turn()
        self.connections_open.release_slot(self)
        self._is_between_requests = True
        super().on_response_complete()
        self._is_between_requests = False

    def shutdown(self) -> None:
        if self.turn == "body":
            self.abort()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Send the response, or close the connection in the middle of an answer or after the last one."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _without_traceback(self, app: Any) -> Any:
        """Wrap the application: abort the connection, without a traceback, when the server cancels it at shutdown."""

        async def run(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            except asyncio.CancelledError:  # else uvicorn logs a traceback for each request
                self.cycle.disconnected = True
                self.abort()

        return run

    def _begin_turn(self) -> None:
        if not self._unread_before:  # else the turn began with an answer that is still unread
            self.since = self.loop.time()


async def _too_many(scope: Any, receive: Any, send: Any) -> None:
    await send_problem(send, 503, "too many connections are open: try again in a moment")


def _address_key(address: str | None) -> str | None:
    """Return the key of the limit per address; None for an address without such a limit."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return None if found.is_loopback else str(ipaddress.ip_network((found, 64), strict=False))
        found = found.ipv4_mapped
    return None if found.is_loopback else str(found)
