"""Connections that clients hold open: how many there may be, and for how long the server waits for one of them.

It is the client's turn while the head or the body of a request is still to come, and while an answer is not read. When
there are too many connections the one that the server has waited for longest is closed: a client that sends nothing
shuts nobody out.

Source: the protocol class is that of uvicorn, which has no time limit for heads, bodies and answers (0.38 to 0.54).
"""

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from clipsearch.web.problems import send_problem

Turn: TypeAlias = Literal["head", "body", "rest", "answer"]
"""What a client has to do: send a head, send a body, send what is left of a body that was answered, read an answer."""

# How often connections are looked at.
_LOOK_EVERY_S = 1.0

_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """
    Attributes:
        most: connections at once.
        most_per_address: of one client; of an IPv6 address all of its /64. The loopback has no such limit: all
            programs of this machine, and a proxy on it, have its address.
        most_unread_bytes: of all answers that are not read yet.
        head_seconds: from the start of a connection, or the end of an answer, to the end of the next head.
        rest_seconds: for what is left of a body whose request is answered.
        answer_seconds: in which at least `answer_bytes` must be read, or all that is left.
        max_head_bytes: browsers send the cookies of all programs on 127.0.0.1 together.
    """

    most: int = 500
    most_per_address: int = 100
    most_unread_bytes: int = 128 << 20
    head_seconds: float = 10.0
    rest_seconds: float = 10.0
    answer_seconds: float = 10.0
    answer_bytes: int = 40_000
    max_head_bytes: int = 64 << 10


def make_protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """What uvicorn's `Config` takes as `http`."""

    class Protocol(LimitedConnection):
        connections_open = Connections(limits)

    return Protocol


class Connections:
    """Those of one server; for its event loop alone."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: dict[LimitedConnection, str | None] = {}
        self._is_looking = False

    def add(self, new: "LimitedConnection", address: str | None) -> bool:
        """Whether there is room, after one that was waited for was closed."""
        key = _address_key(address)
        if not self._is_looking:
            self._is_looking = True
            new.loop.call_later(_LOOK_EVERY_S, self._look, new.loop)
        self._open[new] = key
        if len(self._open) > self.limits.most and not self._close_one(None, new):
            return False
        count = 0 if key is None else sum(other == key for other in self._open.values())
        return count <= self.limits.most_per_address or self._close_one(key, new)

    def remove(self, connection: "LimitedConnection") -> None:
        self._open.pop(connection, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        for each in list(self._open):
            each.look()
        unread = sorted((each for each in self._open if each.turn == "answer"), key=lambda each: each.since)
        excess = sum(each.unread_bytes for each in unread) - self.limits.most_unread_bytes
        while excess > 0:
            excess -= unread[0].unread_bytes
            unread.pop(0).end()
        self._is_looking = bool(self._open)
        if self._is_looking:
            loop.call_later(_LOOK_EVERY_S, self._look, loop)

    def _close_one(self, key: str | None, new: "LimitedConnection") -> bool:
        """The one that was waited for longest, of one client or (None) of all; one with a request only where there is
        no other."""
        waiting = [
            each
            for each, other in self._open.items()
            if each is not new and key in (None, other) and each.turn is not None
        ]
        if not waiting:
            return False
        min(waiting, key=lambda each: (each.turn in ("body", "answer"), each.since)).end()
        return True


class LimitedConnection(H11Protocol):
    """A connection that keeps to `ConnectionLimits`.

    Attributes:
        since: when the client's turn began, in the event loop's seconds.
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

    @property
    def unread_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    @property
    def turn(self) -> Turn | None:
        """None: it is the server's."""
        if self.unread_bytes:
            return "answer"
        if self.cycle is None or self.cycle.response_complete:
            return "rest" if self.conn.their_state is h11.SEND_BODY else "head"
        return "body" if self.conn.their_state is h11.SEND_BODY and not self.flow.read_paused else None

    def end(self) -> None:
        """At once, and without a word more."""
        self.connections_open.remove(self)
        self.transport.abort()

    def look(self) -> None:
        """Closes the connection when the client has taken too long."""
        limits, waited = self.connections_open.limits, self.loop.time() - self.since
        match self.turn:
            case "answer":
                self._look_at_answer(limits)
            case "head" if waited > limits.head_seconds:
                if self._has_sent and not self.transport.is_closing():
                    self.transport.write(_TIMED_OUT)
                self.transport.close()
            case "rest" if waited > limits.rest_seconds:
                self.transport.close()
            case _:
                self._unread_before = 0

    def _look_at_answer(self, limits: ConnectionLimits) -> None:
        unread, now = self.unread_bytes, self.loop.time()
        if self._unread_before == 0 or unread <= self._unread_before - limits.answer_bytes:
            self._unread_before, self.since = unread, now
        elif now - self.since > limits.answer_seconds:
            self.end()
        else:
            self._unread_before = max(self._unread_before, unread)

    # ------------------------------------------------------------------ asked by the event loop and by uvicorn

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self.connections_open.add(self, self.client[0] if self.client else None):
            self.app = _too_many

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections_open.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before, self._has_sent = self.cycle, True
        super().data_received(data)
        if self.cycle is not before:
            self._begin_turn()

    def on_response_complete(self) -> None:
        self._has_sent = False
        self._begin_turn()
        super().on_response_complete()

    def _begin_turn(self) -> None:
        if not self._unread_before:  # else it has an answer to read first, whatever it asks for meanwhile
            self.since = self.loop.time()


async def _too_many(scope: Any, receive: Any, send: Any) -> None:
    await send_problem(send, 503, "too many connections are open: try again in a moment")


def _address_key(address: str | None) -> str | None:
    """None for what has no limit of its own."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return None if found.is_loopback else str(ipaddress.ip_network((found, 64), strict=False))
        found = found.ipv4_mapped
    return None if found.is_loopback else str(found)
