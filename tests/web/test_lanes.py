"""Requests wait in the event loop, and not for long."""

import asyncio
import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from clipsearch import processes
from clipsearch.gallery.collection import PictureCollection
from clipsearch.web import lanes
from clipsearch.web.lanes import ClientDisconnectedError, Lane, TooBusyError, is_client_disconnected
from tests.web.conftest import SAMPLES, client_of


def run(*works):
    async def together():
        return await asyncio.gather(*(work() for work in works), return_exceptions=True)

    return asyncio.run(together())


def test_so_many_run_at_once_the_others_wait_and_what_is_more_is_refused():
    running, most, lock, gate = [0], [0], threading.Lock(), threading.Event()

    def work(number):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
            if running[0] == 2:
                gate.set()
        assert gate.wait(10)
        with lock:
            running[0] -= 1
        return number

    lane = Lane(2, max_waiting=3)
    found = run(*(lambda number=number: lane(work)(number) for number in range(7)))
    assert found[:5] == [0, 1, 2, 3, 4] and most == [2]
    assert [type(each) for each in found[5:]] == [TooBusyError] * 2


def test_who_waits_for_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(lanes, "_MAX_WAIT_S", 0.05)
    gate, lane = threading.Event(), Lane(1, max_waiting=9)

    async def second():
        try:
            return await lane(lambda: "done")()
        finally:
            gate.set()

    found = run(lane(lambda: gate.wait(10)), second)
    assert found[0] is True and isinstance(found[1], TooBusyError)


def test_for_a_client_that_has_gone_nothing_is_done():
    async def gone():
        is_client_disconnected.set(lambda: asyncio.sleep(0, result=True))
        return await Lane(1, max_waiting=1)(lambda: pytest.fail("it was worked for"))()

    assert isinstance(run(gone)[0], ClientDisconnectedError)


def test_errors_give_the_place_free():
    lane = Lane(1, max_waiting=1)
    for _ in range(3):
        assert isinstance(run(lane(lambda: 1 / 0))[0], ZeroDivisionError)


def test_slow_pictures_keep_nobody_else_waiting(catalog, monkeypatch):
    """As many as come: two are looked at, some wait, the others are told to come later; searches go on."""
    gate, started = threading.Event(), threading.Semaphore(0)
    embed = PictureCollection.embed

    def slowly(self, path):
        started.release()
        assert gate.wait(30)
        return embed(self, path)

    monkeypatch.setattr(PictureCollection, "embed", slowly)
    content = (SAMPLES / "food" / "donut.png").read_bytes()
    with client_of(catalog) as client:
        assert client.get("/api/search", params={"q": "a cat"}).status_code == 200  # the first one may take long
        statuses = []

        def send():
            statuses.append(client.post("/api/pictures", files={"file": ("x", content)}).status_code)

        threads = [threading.Thread(target=send) for _ in range(30)]
        for each in threads:
            each.start()
        assert started.acquire(timeout=30) and started.acquire(timeout=30)
        for _ in range(200):
            if len(statuses) == 30 - 2 - 16:
                break
            threading.Event().wait(0.05)
        assert statuses == [503] * 12
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/search", params={"q": "a cat"}).status_code == 200
        gate.set()
        for each in threads:
            each.join()
    assert sorted(statuses) == [201] * 18 + [503] * 12


def test_health_static_files_and_a_run_need_no_thread(catalog, monkeypatch):
    def busy(self, function):
        @functools.wraps(function)
        async def refuse(*_, **__):
            raise TooBusyError

        return refuse

    monkeypatch.setattr(Lane, "__call__", busy)
    with client_of(catalog) as client:
        for path in ("/healthz", "/static/page.css", "/api/index", "/openapi.json"):
            assert client.get(path).status_code == 200, path
        for path in ("/", "/api/status", "/metrics", "/api/thumbnail/1", "/pictures/1"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2"), path


def test_pictures_that_were_sent_and_take_long_keep_no_thumbnail_waiting(catalog, monkeypatch, tmp_path):
    begun, go = tmp_path / "begun", tmp_path / "go"
    (tmp_path / "slow_worker.py").write_text(
        "import pathlib, time\n"
        "import clipsearch.images.reading as reading\n"
        "import clipsearch.images.worker as worker\n"
        "decode = reading.LocalPicture.decode\n"
        "def wait_and_decode(self):\n"
        f"    pathlib.Path({str(begun)!r}).touch()\n"
        f"    while not pathlib.Path({str(go)!r}).exists():\n"
        "        time.sleep(0.01)\n"
        "    return decode(self)\n"
        "reading.LocalPicture.decode = wait_and_decode\n"
        "worker.main()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    command = processes.command
    monkeypatch.setattr(processes, "command", lambda arguments: command(["-m", "slow_worker", *arguments[2:]]))
    picture = next(SAMPLES.rglob("*.png")).read_bytes()
    with client_of(catalog) as client, ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(client.post, "/api/pictures", files={"file": picture}) for _ in range(4)]
        while not begun.exists():
            time.sleep(0.01)
        found = [client.get(f"/api/thumbnail/{number}").status_code for number in range(1, 6)]
        waiting = [each.done() for each in sent]
        go.touch()
        assert (found, waiting) == ([200] * 5, [False] * 4)
        assert [each.result().status_code for each in sent] == [201] * 4
