"""How the server stands up to visitors: python -m tests.benchmarks.serving CATALOG [--seconds 60] [--clients 50]
[--browser] [--slow 300 --rounds 5]

Starts `clipsearch serve` on the loopback and asks it for what nobody has asked before: 20 requests a second as they
come, then by so many clients of which each asks again as soon as it has its answer. With --browser also a real
Chromium: how long the page takes until it can be used, a search until its results are there, and results from each key
of a query that is typed at five keys a second until they are drawn. Thumbnails, which a made catalog has not, are left
out.

With --slow instead: 20 clients that search once a second each, by turns alone and beside so many slow ones
(`slow_clients`). Prints for each turn the percentiles, the processor time of the server and that of all other programs;
for each round the ratio of its 95th percentile to the mean of the turns alone before and after it, which leaves out
what changes slowly on a busy machine; the median of the ratios, and how much turns alone differ from each other.
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from clipsearch.evaluation.benchmark import new_text
from tests.benchmarks.slow_clients import hold_up

RATE = 20

# Until slow clients are all connected.
_SETTLE_S = 5

_NOTHING = '<svg xmlns="http://www.w3.org/2000/svg"/>'

# Milliseconds from a key until what it found was drawn: the next message after a frame.
_NOTE_TYPED = """() => {
    window.typed = [];
    let key = 0;
    document.getElementById("q").addEventListener("input", () => { key = performance.now(); }, { capture: true });
    document.addEventListener("results:typed", () => {
        const start = key;
        requestAnimationFrame(() => {
            const drawn = new MessageChannel();
            drawn.port1.onmessage = () => typed.push(performance.now() - start);
            drawn.port2.postMessage(0);
        });
    });
}"""


def next_path(kind: str) -> str:
    text = quote(new_text())
    return f"/api/search?q={text}&k=40" if kind == "api" else f"/?q={text}"


class Client:
    """One connection that is kept open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> float:
        """Milliseconds until the whole answer was there.

        Raises:
            RuntimeError: it was no 200.
        """
        start = time.perf_counter()
        if self._streams is None or self._streams[0].at_eof():  # servers close what has been idle for long
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1]) if length else 0)
        if " 200 " not in head.split("\r\n", 1)[0]:
            raise RuntimeError(f"{path}: {head.splitlines()[0]} {body[:200]!r}")
        return 1000 * (time.perf_counter() - start)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


async def at_a_rate(port: int, seconds: float, kind: str) -> list[float]:
    """20 requests a second, whether the ones before are answered or not."""
    idle: list[Client] = []

    async def ask() -> float:
        client = idle.pop() if idle else Client(port)
        try:
            return await client.get(next_path(kind))
        finally:
            idle.append(client)

    start, tasks = time.perf_counter(), []
    for number in range(int(RATE * seconds)):
        await asyncio.sleep(max(0.0, start + number / RATE - time.perf_counter()))
        tasks.append(asyncio.create_task(ask()))
    found = await asyncio.gather(*tasks)
    for client in idle:
        client.close()
    return list(found)


async def by_many(port: int, seconds: float, clients: int, kind: str) -> list[float]:
    end = time.perf_counter() + seconds

    async def visit() -> list[float]:
        client, took = Client(port), []
        while time.perf_counter() < end:
            took.append(await client.get(next_path(kind)))
        client.close()
        return took

    return [each for took in await asyncio.gather(*(visit() for _ in range(clients))) for each in took]


async def by_people(port: int, seconds: float, clients: int = RATE) -> list[float]:
    """Each asks once a second, a page or the API by turns, on a connection of its own."""
    start = time.perf_counter()

    async def visit(number: int) -> list[float]:
        client, took = Client(port), []
        for turn in range(int(seconds)):
            await asyncio.sleep(max(0.0, start + turn + number / clients - time.perf_counter()))
            took.append(await client.get(next_path("api" if (turn + number) % 2 else "page")))
        client.close()
        return took

    return [each for took in await asyncio.gather(*map(visit, range(clients))) for each in took]


@dataclass(frozen=True, slots=True)
class Turn:
    """What 20 clients were answered in some seconds.

    Attributes:
        server_share: processor time of the server, in cores.
        other_share: of all other programs, these clients and slow ones included.
    """

    p50_ms: float
    p95_ms: float
    server_share: float
    other_share: float

    def __str__(self) -> str:
        return (
            f"p50 {self.p50_ms:4.0f} ms, p95 {self.p95_ms:4.0f} ms, server {self.server_share:.2f} cores, "
            f"others {self.other_share:.2f}"
        )


def measure_turn(port: int, server: int, seconds: float) -> Turn:
    start, before = time.perf_counter(), (cpu_seconds(server), busy_seconds())
    took = asyncio.run(by_people(port, seconds))
    passed = time.perf_counter() - start
    own, busy = cpu_seconds(server) - before[0], busy_seconds() - before[1]
    p50, p95 = np.percentile(took, [50, 95])
    return Turn(float(p50), float(p95), own / passed, (busy - own) / passed)


def measure_beside_slow_clients(port: int, server: int, *, slow: int, seconds: float, rounds: int) -> None:
    """`server`: number of its process."""
    before = cpu_seconds(server)
    asyncio.run(hold_up(port, slow, seconds))
    share = (cpu_seconds(server) - before) / seconds
    print(f"{slow} slow clients alone keep the server busy for {100 * share:.1f} % of the time of one core", flush=True)
    alone, beside = [measure_turn(port, server, seconds)], list[Turn]()
    print(f"alone    {alone[0]}", flush=True)
    for _ in range(rounds):
        command = [sys.executable, "-m", "tests.benchmarks.slow_clients", str(port)]
        others = [f"--clients={slow}", f"--seconds={_SETTLE_S + seconds}"]
        with subprocess.Popen([*command, *others], stdout=subprocess.PIPE, text=True) as process:
            asyncio.run(by_people(port, _SETTLE_S))  # not counted: all of them connect at once
            beside.append(measure_turn(port, server, seconds))
            said = process.communicate()[0].strip()
        alone.append(measure_turn(port, server, seconds))
        print(f"beside   {beside[-1]} ({said})\nalone    {alone[-1]}", flush=True)
    usual = [(first.p95_ms + second.p95_ms) / 2 for first, second in itertools.pairwise(alone)]
    ratios = [turn.p95_ms / each for turn, each in zip(beside, usual, strict=True)]
    noise = [
        max(first.p95_ms, second.p95_ms) / min(first.p95_ms, second.p95_ms)
        for first, second in itertools.pairwise(alone)
    ]
    print("ratios of p95, beside to alone:", ", ".join(f"{ratio:.2f}" for ratio in ratios))
    print(f"median {np.median(ratios):.2f}; of one turn alone to the next {np.median(noise):.2f}")
    shares = [np.mean([turn.server_share for turn in turns]) for turns in (alone, beside)]
    print(f"server: {shares[0]:.2f} cores alone, {shares[1]:.2f} beside; load of the machine {os.getloadavg()[0]:.1f}")


def cpu_seconds(process: int) -> float:
    """Of the server alone, all its threads."""
    times = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """Of the whole machine: all of the processors' time but idle and waiting."""
    times = [int(each) for each in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:8]]
    return (sum(times) - times[3] - times[4]) / os.sysconf("SC_CLK_TCK")


def memory_mb(process: int) -> float:
    """Resident, of the server alone."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1000 if found else float("nan")


@contextmanager
def serving(catalog: Path) -> Iterator[tuple[int, int]]:
    """Port and process number."""
    command = [sys.executable, "-m", "clipsearch", "serve", "--catalog", str(catalog), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().strip().rstrip("/").rsplit(":", 1)[1])
        try:
            yield port, process.pid
        finally:
            process.terminate()


def show(name: str, took: list[float], seconds: float) -> None:
    p50, p95, p99 = np.percentile(took, [50, 95, 99])
    print(
        f"{name:44} {len(took) / seconds:6.0f} /s   p50 {p50:5.0f}   p95 {p95:5.0f}   p99 {p99:5.0f}   "
        f"slowest {max(took):5.0f} ms",
        flush=True,
    )


def measure_browser(port: int, rounds: int = 11) -> None:
    from playwright.sync_api import sync_playwright

    ready, results, typed = [], [], list[float]()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(rounds):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.route("**/api/thumbnail/**", lambda route: route.fulfill(content_type="image/svg+xml", body=_NOTHING))
            page.goto(f"http://127.0.0.1:{port}/", wait_until="networkidle")  # its thumbnails are there
            ready.append(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"))
            text = new_text()
            page.fill("#q", text)
            took = page.evaluate(
                """(text) => new Promise((found) => {
                    const start = performance.now();
                    document.addEventListener("htmx:after:swap", () => requestAnimationFrame(() =>
                        found(document.querySelector(".tile .relevance") ? performance.now() - start : NaN)),
                        { once: true });
                    document.getElementById("search").requestSubmit();
                })""",
                text,
            )
            results.append(took)
            page.fill("#q", "")
            page.wait_for_timeout(1000)
            page.evaluate(_NOTE_TYPED)
            for key in new_text():
                page.keyboard.press("Space" if key == " " else key)
                page.wait_for_timeout(200)
            typed += page.evaluate("typed")
            page.close()
        browser.close()
    print(f"page can be used                             median {np.median(ready):.0f} ms of {rounds}")
    print(f"a search until its results are on the page   median {np.median(results):.0f} ms of {rounds}")
    p50, p90 = np.percentile(typed, [50, 90])
    print(f"a key until its results are drawn            median {p50:.0f} ms of {len(typed)}, p90 {p90:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--browser", action="store_true")
    parser.add_argument("--slow", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with serving(arguments.catalog) as (port, process):
        asyncio.run(by_many(port, 3, 4, "api"))
        if arguments.slow:
            seconds, rounds = arguments.seconds, arguments.rounds
            measure_beside_slow_clients(port, process, slow=arguments.slow, seconds=seconds, rounds=rounds)
            return
        if arguments.browser:
            measure_browser(port)
        for kind in ("api", "page"):
            took = asyncio.run(at_a_rate(port, arguments.seconds / 2, kind))
            show(f"{RATE} requests a second, {kind}", took, arguments.seconds / 2)
        before = memory_mb(process)
        took = asyncio.run(by_many(port, arguments.seconds, arguments.clients, "api"))
        show(f"{arguments.clients} clients, api", took, arguments.seconds)
        half = memory_mb(process)
        asyncio.run(by_many(port, arguments.seconds, arguments.clients, "api"))
        print(f"memory: {before:.0f} MB before, {half:.0f} MB after, {memory_mb(process):.0f} MB after as much again")
        print(json.dumps({"errors": 0}))


if __name__ == "__main__":
    main()
