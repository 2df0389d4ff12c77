"""Clients that hold a server up: python -m tests.benchmarks.slow_clients PORT [--clients 300] [--seconds 60]

A quarter each sends nothing, half a head, a body byte by byte, and reads an answer byte by byte. One that is thrown out
comes again after a second. Prints how often that was.
"""

import argparse
import asyncio
import contextlib
import itertools
import socket
from collections.abc import Awaitable, Callable

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_BODY_HEAD = (
    b"POST /api/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
)


async def _say_nothing(streams: Streams) -> None:
    await streams[0].read()


async def _send_half_a_head(streams: Streams) -> None:
    await _trickle(streams, b"GET /?q=cat HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")


async def _send_a_slow_body(streams: Streams) -> None:
    await _trickle(streams, _BODY_HEAD)


async def _read_slowly(streams: Streams) -> None:
    reader, writer = streams
    writer.write(b"GET /api/thumbnail/1?size=large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    while await reader.read(100):
        await asyncio.sleep(1)


async def _trickle(streams: Streams, start: bytes) -> None:
    reader, writer = streams
    writer.write(start)
    answer = asyncio.ensure_future(reader.read(1))
    while not answer.done():
        writer.write(b"a")
        await asyncio.wait([answer], timeout=1)
    await answer


KINDS: tuple[Callable[[Streams], Awaitable[None]], ...] = (
    _say_nothing,
    _send_half_a_head,
    _send_a_slow_body,
    _read_slowly,
)


async def hold_up(port: int, clients: int, seconds: float) -> list[int]:
    """How often clients of each kind were thrown out."""
    thrown_out = [0] * len(KINDS)

    async def visit(number: int) -> None:
        while True:
            plug = socket.socket()
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            plug.setblocking(False)
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().sock_connect(plug, ("127.0.0.1", port))
                streams = await asyncio.open_connection(sock=plug, limit=4096)
                try:
                    await KINDS[number](streams)
                finally:
                    streams[1].transport.abort()
            thrown_out[number] += 1
            await asyncio.sleep(1)

    visits = [asyncio.create_task(visit(number)) for _, number in zip(range(clients), itertools.cycle(range(4)))]
    await asyncio.sleep(seconds)
    for each in visits:
        each.cancel()
    await asyncio.gather(*visits, return_exceptions=True)
    return thrown_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    thrown_out = asyncio.run(hold_up(arguments.port, arguments.clients, arguments.seconds))
    print("thrown out:", ", ".join(f"{kind.__name__[1:]} {n}" for kind, n in zip(KINDS, thrown_out, strict=True)))


if __name__ == "__main__":
    main()
