"""Python started again finds the same clipsearch, and nothing in the current folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

import clipsearch
from clipsearch import processes
from clipsearch.processes import available_bytes, core_count, run_python, start_python, watch_memory

CODE = "import sys, json, clipsearch; print(clipsearch.__file__, *sys.argv[1:])"


@pytest.mark.parametrize("entry", ["", ".", "absolute", "link"])
def test_modules_of_the_current_folder_are_not_found(tmp_path, monkeypatch, entry):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("json", "clipsearch"):
        (pictures / f"{name}.py").write_text("raise SystemExit(7)")
    (tmp_path / "link").symlink_to(pictures)
    monkeypatch.chdir(pictures)
    entry = {"absolute": str(pictures), "link": str(tmp_path / "link")}.get(entry, entry)
    monkeypatch.setattr(sys, "path", [entry, *sys.path])
    monkeypatch.setenv("PYTHONPATH", entry)
    done = run_python(["-c", CODE, "ä b"])
    assert (done.returncode, done.stdout) == (0, f"{clipsearch.__file__} ä b\n"), done.stderr


def test_a_clipsearch_in_the_current_folder_is_found(monkeypatch, repository):
    monkeypatch.chdir(repository)
    monkeypatch.setattr(sys, "path", ["", *(entry for entry in sys.path if Path(entry) != repository)])
    assert run_python(["-c", CODE]).stdout == f"{clipsearch.__file__}\n"


def test_modules_found_elsewhere_are_found_again(tmp_path, monkeypatch):
    (tmp_path / "one_of_mine.py").touch()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert run_python(["-c", "import one_of_mine"]).returncode == 0


@pytest.mark.parametrize(
    ("order", "least", "most"), [("{hoard}; {start}", 120e6, 250e6), ("{start}; {hoard}", 60e6, 118e6)]
)
def test_memory_of_a_process_and_those_it_starts(order, least, most):
    hoard = "import time; hoard = bytearray(60_000_000); time.sleep(0.5)"
    start = f"subprocess.run([sys.executable, '-c', {hoard!r}])"
    code = "import subprocess, sys; " + order.format(hoard=hoard, start=start)
    process = start_python(["-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert least < watch_memory(process) < most  # one after the other they have less than at once
    assert process.returncode == 0


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory of a process is read from /proc, which is not here"
)
def test_a_process_that_ended_before_it_was_looked_at_is_not_counted():
    code = (
        "import os, subprocess, sys, time; ended = subprocess.Popen([sys.executable, '-c', '']); "
        "os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT); print('ended', flush=True); "
        "time.sleep(0.3); hoard = bytearray(60_000_000); time.sleep(0.3)"
    )
    with start_python(["-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ended\n"
        assert 60e6 < watch_memory(process) < 125e6


@pytest.mark.parametrize("peak", ["peak_wset", "rss"])
def test_memory_where_the_system_is_not_linux(monkeypatch, peak):
    """Windows keeps the highest point, macOS tells the present one: as psutil gives them there."""
    real = psutil.Process.memory_info
    fields = {"rss": 0, peak: 0}

    def memory_info(process: psutil.Process) -> SimpleNamespace:
        return SimpleNamespace(**fields | {peak: real(process).rss})

    monkeypatch.setattr(processes.sys, "platform", "another")
    monkeypatch.setattr(psutil.Process, "memory_info", memory_info)
    code = "import time; hoard = bytearray(60_000_000); time.sleep(0.5)"
    process = start_python(["-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert 60e6 < watch_memory(process) < 125e6


def test_cores_and_memory_are_those_of_this_process(monkeypatch):
    assert 0 < core_count() <= os.cpu_count()
    assert 0 < available_bytes() <= psutil.virtual_memory().total
    expected = core_count()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on Windows
    assert core_count() == expected


def test_memory_that_the_system_does_not_tell_is_none(monkeypatch):
    def fail() -> None:
        raise NotImplementedError

    monkeypatch.setattr(psutil, "virtual_memory", fail)
    assert available_bytes() is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows can not interrupt a process by SIGINT")
def test_ctrl_c_ends_the_watching_and_what_is_watched():
    interrupt = "import os, signal, time; time.sleep(0.2); os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"
    code = (
        "import signal, subprocess; from clipsearch.processes import start_python, watch_memory\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"process = start_python(['-c', {interrupt!r}], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "try: watch_memory(process)\n"
        "except KeyboardInterrupt: print(process.returncode)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == (f"{-signal.SIGKILL}\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_deaf_process_does_not_get_ctrl_c_from_its_first_moment_on():
    program = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    for is_deaf in (True, False):
        process = processes.start_python(
            ["-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, is_deaf=is_deaf
        )
        assert process.communicate(timeout=60)[0].decode().strip() == str(is_deaf)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
