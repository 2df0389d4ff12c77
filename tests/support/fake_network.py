"""A clock and a network that the test moves on, under uvicorn's own protocol."""

import asyncio
import heapq
from collections.abc import Callable

from uvicorn import Config
from uvicorn.server import ServerState

from clipsearch.web.connections import ConnectionLimits, make_protocol

LIMITS = ConnectionLimits(
    max_connections=6, max_per_address=3, max_unread_bytes=1_000_000,
    head_seconds=10, rest_seconds=10, answer_seconds=10,
    answer_bytes=1000,
)  # fmt: skip


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time is moved on by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.timers: list[tuple[float, int, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay, callback, *args, context=None):
        handle = asyncio.TimerHandle(self.now + delay, callback, args, self)
        heapq.heappush(self.timers, (self.now + delay, id(handle), handle))
        return handle

    def move_on(self, seconds: float) -> None:
        end = self.now + seconds
        while self.timers and self.timers[0][0] <= end:
            self.now, _, handle = heapq.heappop(self.timers)
            if not handle.cancelled():
                handle._run()
            self.settle()
        self.now = end

    def settle(self) -> None:
        """Until no task of an application can go on."""
        for _ in range(10):
            self.call_soon(self.stop)
            self.run_forever()


class Network(asyncio.Transport):
    """What a client gets, and how much of it is left where it reads nothing."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 50_000), "sockname": ("192.0.2.1", 8123)})
        self.got = b""
        self.unread = 0
        self.reads = True
        self.is_closed = self.is_cut = self.is_paused = False

    def write(self, data):
        self.got += data
        if not self.reads:
            self.unread += len(data)

    def get_write_buffer_size(self):
        return self.unread

    def is_closing(self):
        return self.is_closed

    def close(self):
        self.is_closed = True

    def abort(self):
        self.is_closed = self.is_cut = True

    def pause_reading(self):
        self.is_paused = True

    def resume_reading(self):
        self.is_paused = False


class Client:
    def __init__(self, server: "Server", address: str) -> None:
        self.network = Network(address)
        self.server = server
        self.protocol = server.make_protocol()
        self.protocol.connection_made(self.network)

    def send(self, data: bytes) -> None:
        self.protocol.data_received(data)
        self.server.loop.settle()

    def ask(self, path: bytes = b"/") -> None:
        self.send(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n")

    @property
    def status(self) -> int:
        return int(self.network.got.split(b" ", 2)[1]) if self.network.got else 0

    @property
    def is_open(self) -> bool:
        return not self.network.is_closed


class Server:
    """`/wait` is never answered, `/half` never to its end, `/long` with 50,000 bytes, `/body` when its body is
    there, the others at once; `/wait` looks whether its client is there."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.asked: list[str] = []
        self.loop = Clock()
        config = Config(
            self.app,
            http=make_protocol(limits),
            h11_max_incomplete_event_size=1000,
            log_level="error",
            interface="asgi3",
        )
        config.load()
        state = ServerState()
        self.make_protocol = lambda: config.http_protocol_class(
            config=config, server_state=state, app_state={}, _loop=self.loop
        )

    async def app(self, scope, receive, send):
        if scope["type"] != "http":
            return
        self.asked.append(scope["path"])
        if scope["path"] == "/wait":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        while scope["path"] == "/body" and (await receive()).get("more_body"):
            pass
        body = b"x" * (50_000 if scope["path"] == "/long" else 2)
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": scope["path"] == "/half"})
        while scope["path"] == "/half" and (await receive())["type"] != "http.disconnect":
            pass

    def connect(self, address: str = "127.0.0.1") -> Client:
        return Client(self, address)

    def __enter__(self) -> "Server":
        asyncio.set_event_loop(self.loop)
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
        asyncio.set_event_loop(None)

    def close(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.settle()
        self.loop.close()
