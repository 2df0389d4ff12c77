"""Decoding in processes of their own: the same answers, and whatever breaks one is a reason to skip a file."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from clipsearch import processes
from clipsearch.errors import ClipSearchNotice, ImageReadError, TransientReadError
from clipsearch.images import decode as images_decode
from clipsearch.images import reading, worker_process
from clipsearch.images.decode import DecodingLimits
from clipsearch.images.picture_reader import PictureReader, Task
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.worker_pool import WorkerPool
from clipsearch.paths import sample_data_folder
from tests.support.breaking_workers import prepare_breaking

SPEC = Preprocess(32, 48, None, 3, 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def reader(pool: WorkerPool | None) -> PictureReader:
    return PictureReader(SPEC, find_stored=lambda _: (), open_list=None if pool is None else pool.open_list)


def read(pool: WorkerPool, path) -> object:
    return reader(pool).read(Task(1, os.path.basename(path), str(path)))


@pytest.fixture
def pool():
    with closing(WorkerPool(SPEC, limits=DecodingLimits())) as pool:
        yield pool


@pytest.fixture
def breaking(monkeypatch, tmp_path):
    return prepare_breaking(monkeypatch, tmp_path)


def squares(folder, *names: str) -> list:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (60, 40), (number, 2, 3)).save(folder / name, format="PNG")
    return [folder / name for name in names]


def test_a_worker_that_is_at_work_when_the_pool_is_closed_ends_when_it_is_done(tmp_path, monkeypatch):
    [path] = squares(tmp_path / "pictures", "one.png")
    started = []

    def start(*arguments, **options):
        started.append(processes.start_python(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(worker_process, "start_python", start)
    pool = WorkerPool(SPEC, limits=DecodingLimits())
    with pool.open_path(str(path)) as picture:
        pool.close()
        assert picture.decode()[0].shape == (SPEC.height, SPEC.width, 3)
        assert [process.poll() for process in started] == [None]
    assert [process.returncode for process in started] == [0]


def test_describing_gives_the_metadata_alone(pool):
    for path in (sample_data_folder() / "food").glob("*.*"):
        with pool.open_path(str(path)) as picture:
            described = picture.describe()
        decoded = reader(None).read(Task(1, path.name, str(path))).metadata
        assert described == replace(decoded, phash=None, sharpness=None, brightness=None)
        assert None not in (decoded.phash, decoded.sharpness, decoded.brightness)


def test_the_same_as_in_this_process(pool):
    paths = sorted(path for path in sample_data_folder().rglob("*.*") if path.suffix not in (".md", ".jsonl"))
    assert len(paths) >= 40
    here = [reader(None).read(Task(1, path.name, str(path))) for path in paths]
    with ThreadPoolExecutor(3) as threads:
        there = list(threads.map(lambda path: read(pool, path), paths))
    for one, other in zip(here, there, strict=True):
        assert replace(one, crop=None) == replace(other, crop=None)
        assert one.outcome == "decoded"
        np.testing.assert_array_equal(one.crop, other.crop)


def test_failures_are_the_same_too(pool, tmp_path):
    good = squares(tmp_path / "p", "good.png")[0]
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:50])
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("cut.png", "empty.png", "folder.png", "pipe.png", "missing.png"):
        one = reader(None).read(Task(1, name, str(tmp_path / name)))
        assert one.outcome == "failed"
        assert read(pool, tmp_path / name) == one
    assert read(pool, good).outcome == "decoded"


def test_a_twin_is_not_decoded_and_the_next_file_is(pool, tmp_path):
    one, two, three = squares(tmp_path, "one.png", "two.png", "three.png")
    two.write_bytes(one.read_bytes())
    same = reader(pool)
    outcomes = [same.read(Task(1, path.name, str(path))).outcome for path in (one, two, three)]
    assert outcomes == ["decoded", "duplicate", "decoded"]


def test_names_that_are_not_unicode(pool, tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9\n.png")
    Image.new("RGB", (9, 9)).save(path)
    assert read(pool, os.fsdecode(path)).outcome == "decoded"


@posix
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGILL"])
def test_a_decoder_that_crashes_costs_one_file(pool, tmp_path, breaking, name):
    breaking(
        "import os, signal\n"
        "def decode_or_crash(self):\n"
        "    if self.stamp.size_bytes > 1000: os.kill(os.getpid(), signal." + name + ")\n"
        "    return decode(self)\n"
        "reading.LocalPicture.decode = decode_or_crash"
    )
    paths = squares(tmp_path / "p", "a.png", "evil.png", "b.png")
    paths[1].write_bytes(os.urandom(2000))
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda path: read(pool, path), paths))
    assert [picture.outcome for picture in found] == ["decoded", "failed", "decoded"]
    assert found[1].reason == f"its decoder crashed ({name})"
    assert found[1].is_lasting


@posix
def test_a_crash_that_does_not_come_again_costs_nothing(pool, tmp_path, breaking):
    mark = tmp_path / "was here"
    breaking(
        "import os, pathlib\n"
        f"mark = pathlib.Path({str(mark)!r})\n"
        "def decode_or_crash(self):\n"
        "    if not mark.exists(): mark.touch(); os.abort()\n"
        "    return decode(self)\n"
        "reading.LocalPicture.decode = decode_or_crash"
    )
    assert read(pool, squares(tmp_path / "p", "a.png")[0]).outcome == "decoded"
    assert mark.exists()


@posix
def test_a_crash_while_a_file_is_read(pool, tmp_path, breaking):
    breaking("import os\nreading.open_picture = lambda *a, **o: os.abort()")
    found = read(pool, squares(tmp_path / "p", "a.png")[0])
    assert (found.outcome, found.is_lasting) == ("failed", False)
    assert found.reason == "its decoder crashed (SIGABRT)"


@posix
def test_a_decoder_that_does_not_end_is_ended(tmp_path, breaking):
    breaking(
        "def decode_or_work(self):\n"
        "    while self.stamp.size_bytes > 1000: pass\n"
        "    return decode(self)\n"
        "reading.LocalPicture.decode = decode_or_work"
    )
    paths = squares(tmp_path / "p", "a.png", "slow.png", "b.png")
    paths[1].write_bytes(os.urandom(2000))
    start = time.monotonic()
    with closing(WorkerPool(SPEC, limits=DecodingLimits(max_seconds=1))) as pool, ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda path: read(pool, path), paths))
    assert time.monotonic() - start < 60
    assert [picture.outcome for picture in found] == ["decoded", "failed", "decoded"]
    assert found[1].reason == "it took longer than 1 s to decode"
    assert found[1].is_lasting
    assert found[1].limit == ("seconds", 1)


@posix
def test_a_loop_in_a_library_is_ended_too(tmp_path, breaking):
    """A signal handler of Python would not run as long as the library does not come back."""
    breaking(
        "import collections, itertools\n"
        "reading.LocalPicture.decode = lambda self: collections.deque(itertools.repeat(0), maxlen=0)"
    )
    with closing(WorkerPool(SPEC, limits=DecodingLimits(max_seconds=1))) as pool:
        assert read(pool, squares(tmp_path / "p", "a.png")[0]).reason == "it took longer than 1 s to decode"


@posix
def test_the_threads_of_a_decoder_count_together(tmp_path, breaking):
    breaking(
        "import threading\n"
        "from blake3 import blake3\n"
        "def work():\n"
        "    while True: blake3(bytes(1 << 20))\n"
        "def decode(self):\n"
        "    for _ in range(2): threading.Thread(target=work, daemon=True).start()\n"
        "    threading.Event().wait()\n"
        "reading.LocalPicture.decode = decode"
    )
    with closing(WorkerPool(SPEC, limits=DecodingLimits(max_seconds=1))) as pool:
        assert read(pool, squares(tmp_path / "p", "a.png")[0]).limit == ("seconds", 1)


@posix
def test_waiting_for_a_busy_machine_is_not_decoding(tmp_path, breaking):
    breaking(
        "import time\n"
        "def decode_late(self):\n"
        "    time.sleep(1.2)\n"
        "    return decode(self)\n"
        "reading.LocalPicture.decode = decode_late"
    )
    with closing(WorkerPool(SPEC, limits=DecodingLimits(max_seconds=1))) as pool:
        assert read(pool, squares(tmp_path / "p", "a.png")[0]).outcome == "decoded"


@posix
def test_a_decoder_that_waits_for_ever_is_ended_and_tried_another_time(tmp_path, breaking, monkeypatch):
    monkeypatch.setattr(images_decode, "_WALL_SECONDS", 1)
    breaking("import threading\nreading.LocalPicture.decode = lambda self: threading.Event().wait()")
    with closing(WorkerPool(SPEC, limits=DecodingLimits(max_seconds=1))) as pool:
        found = read(pool, squares(tmp_path / "p", "a.png")[0])
    assert found.reason == "it took longer than 1 s to decode, most of them waiting for its turn"
    assert (found.is_lasting, found.limit) == (False, None)


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL", "SIGXCPU", "SIGUSR1"])
def test_a_worker_that_is_ended_from_outside_says_nothing_of_the_file(pool, tmp_path, breaking, name):
    breaking(f"import os, signal\nreading.LocalPicture.decode = lambda self: os.kill(os.getpid(), signal.{name})")
    found = read(pool, squares(tmp_path / "p", "a.png")[0])
    assert (found.outcome, found.is_lasting, found.limit) == ("failed", False, None)


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of Linux")
def test_a_decoder_that_eats_memory_is_stopped(tmp_path, breaking):
    breaking(
        "def decode_or_eat(self):\n"
        "    hoard = [bytearray(1 << 28) for _ in range(64)]\n"
        "    return decode(self)\n"
        "reading.LocalPicture.decode = decode_or_eat"
    )
    with closing(WorkerPool(SPEC, limits=DecodingLimits(max_megapixels=1))) as pool:
        found = read(pool, squares(tmp_path / "p", "a.png")[0])
    assert (found.outcome, found.reason, found.is_lasting) == ("failed", "not enough memory to decode it", False)


def test_a_file_that_is_too_large_for_memory_while_it_is_read(pool, tmp_path, breaking):
    breaking("def open_picture(*a, **o): raise MemoryError\nreading.open_picture = open_picture")
    found = read(pool, squares(tmp_path / "p", "a.png")[0])
    assert (found.outcome, found.reason, found.is_lasting) == ("failed", "not enough memory to decode it", False)


def test_memory_may_run_out_in_this_process_too(tmp_path, monkeypatch):
    def open_regular_file(path):
        raise MemoryError

    monkeypatch.setattr(reading, "open_regular_file", open_regular_file)
    found = reader(None).read(Task(1, "a.png", str(tmp_path / "a.png")))
    assert (found.outcome, found.reason, found.is_lasting) == ("failed", "not enough memory to read it", False)


def test_a_decoder_that_leaks_until_memory_is_full_costs_one_file(pool, tmp_path, breaking):
    breaking(
        "decoded = []\n"
        "def decode_and_leak(self):\n"
        "    if decoded: raise MemoryError\n"
        "    decoded.append(self)\n"
        "    return decode(self)\n"
        "reading.LocalPicture.decode = decode_and_leak"
    )
    paths = squares(tmp_path / "p", "a.png", "b.png", "c.png")
    assert [read(pool, path).outcome for path in paths] == ["decoded", "failed", "decoded"]


def test_a_picture_beyond_the_limit(tmp_path):
    with closing(WorkerPool(SPEC, limits=DecodingLimits(max_megapixels=0.002))) as pool:
        found = read(pool, squares(tmp_path / "p", "a.png")[0])
    assert found.reason.startswith("too large")
    assert found.is_lasting
    assert found.limit == ("megapixels", 0.002)


@posix
def test_a_worker_killed_from_outside_is_replaced(pool, tmp_path):
    one, two = squares(tmp_path, "one.png", "two.png")
    assert read(pool, one).outcome == "decoded"
    (worker,) = pool._idle
    os.kill(worker._process.pid, signal.SIGKILL)
    worker._process.wait()
    assert read(pool, two).outcome == "decoded"


def test_without_workers_pictures_are_decoded_here_after_a_notice(pool, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    one, two = squares(tmp_path, "one.png", "two.png")
    with pytest.warns(ClipSearchNotice, match="no process could be started"):
        assert read(pool, one).outcome == "decoded"
    assert read(pool, two).outcome == "decoded"  # and no second notice


def test_workers_that_run_go_on_when_no_more_can_be_started(pool, tmp_path, monkeypatch, breaking):
    breaking("import os\nreading.LocalPicture.decode = lambda self: os.abort()")
    one, two = squares(tmp_path / "p", "one.png", "two.png")
    with pool.open_path(str(one)):
        monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
        pool._files_given = 100  # enough for a second worker
        with pytest.warns(ClipSearchNotice, match="no process could be started"):
            assert read(pool, two).outcome == "decoded"
    (running,) = [each for each in pool._idle if each.is_running]
    pool._idle = [running]
    assert read(pool, two).reason.startswith("no process could be started")  # it has crashed in the one that runs


def test_large_pictures_are_decoded_one_at_a_time(pool, tmp_path, breaking):
    log = tmp_path / "log"
    breaking(
        "import contextlib, time\n"
        "import clipsearch.images.decode as images\n"
        "images._BIG_MEGAPIXELS = 0.001\n"
        f"log = open({str(log)!r}, 'a', buffering=1)\n"
        "def decode_and_say(self):\n"
        "    turn = self.turn\n"
        "    @contextlib.contextmanager\n"
        "    def said():\n"
        "        with turn():\n"
        "            log.write('in\\n'); time.sleep(0.05); yield; log.write('out\\n')\n"
        "    object.__setattr__(self, 'turn', said)\n"
        "    return decode(self)\n"
        "reading.LocalPicture.decode = decode_and_say"
    )
    paths = squares(tmp_path / "p", *(f"{number}.png" for number in range(24)))
    with ThreadPoolExecutor(3) as threads:
        assert {picture.outcome for picture in threads.map(lambda path: read(pool, path), paths)} == {"decoded"}
    assert len(pool._idle) > 1, "several workers took part"
    assert log.read_text().split() == ["in", "out"] * len(paths)


def test_a_handful_of_files_starts_one_worker(pool, tmp_path):
    paths = squares(tmp_path, *(f"{number}.png" for number in range(6)))
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda path: read(pool, path), paths))
    assert len(pool._idle) == 1


@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="environments of processes are read from /proc")
@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "CLIPSEARCH_TOKEN",
        "CLIPSEARCH_MILVUS_TOKEN",
        "PGPASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "DATABASE_URL",
        "https_proxy",
        "PYTHON_API_TOKEN",
    ],
)
def test_workers_are_told_no_secrets_of_the_environment(tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, "not-for-decoders")
    monkeypatch.setenv("TZ", "UTC")
    started = []
    monkeypatch.setattr(
        worker_process,
        "start_python",
        lambda *arguments, **options: started.append(processes.start_python(*arguments, **options)) or started[-1],
    )
    with closing(WorkerPool(SPEC, limits=DecodingLimits())) as pool:
        assert read(pool, squares(tmp_path, "a.png")[0]).outcome == "decoded"
        with open(f"/proc/{started[0].pid}/environ", "rb") as environment:
            content = environment.read()
    assert b"not-for-decoders" not in content and b"TZ=UTC" in content


@posix
def test_no_process_is_left(tmp_path):
    pool = WorkerPool(SPEC, limits=DecodingLimits())
    read(pool, squares(tmp_path, "one.png")[0])
    process = pool._idle[0]._process
    pool.close()
    assert process.returncode == 0
    # And when the program dies without closing anything.
    code = (
        "import os, sys\n"
        "from clipsearch.images.decode import DecodingLimits\n"
        "from clipsearch.images.worker_pool import WorkerPool\n"
        "from clipsearch.images.preprocess import Preprocess\n"
        f"pool = WorkerPool({SPEC!r}, limits=DecodingLimits())\n"
        "with pool.open_path(sys.argv[1]) as picture:\n"
        "    print(picture._opened._worker._process.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "one.png")], capture_output=True, text=True, check=False
    )
    pid = int(done.stdout)
    end = time.monotonic() + 20
    while time.monotonic() < end and _is_running(pid):
        time.sleep(0.05)
    assert not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_errors_of_the_protocol_keep_their_kind(pool, tmp_path):
    path = squares(tmp_path, "one.png")[0]
    with pytest.raises(FileNotFoundError), pool.open_path(str(tmp_path / "nothing")):
        pass
    path.write_bytes(path.read_bytes()[:60])
    with pool.open_path(str(path)) as picture, pytest.raises(ImageReadError, match="truncated") as caught:
        picture.decode()
    assert not isinstance(caught.value, TransientReadError)
