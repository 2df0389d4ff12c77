"""The processes that a process has started, where /proc tells."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="child processes are looked up in /proc")


def workers_of(pid: int) -> list[int]:
    """The processes that decode pictures for a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text(encoding="ascii").split()):
                if b"clipsearch.images.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(child)
    return found


def await_worker(pid: int) -> int:
    """The first of them, once it is there."""
    while not (found := workers_of(pid)):
        os.kill(pid, 0)  # it has not ended
    return found[0]
