"""Start Python with the modules of this process but none from the current folder; tell cores and free memory."""

import os
import platform
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any, TypeAlias

_File: TypeAlias = int | IO[bytes]

# What Python, its libraries and the system's loader read; nothing else of an environment, which may hold keys.
_PLAIN_VARIABLES = re.compile(
    r"PATH|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|WINDIR|PYTHON[A-Z0-9]*|(LD|DYLD|COVERAGE|OMP|OPENBLAS|MALLOC)_\w+"
)

# How often memory is looked at; its highest point is kept by the system.
_WATCH_S = 0.05

# Parameter of mallopt. Source: glibc's malloc.h.
_M_MMAP_THRESHOLD = -3


def run_python(arguments: Sequence[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python to its end, without input, and capture its output.

    Args:
        variables: added to the environment.

    Raises:
        OSError: it can't be started.
    """
    return subprocess.run(  # noqa: S603
        command(arguments),
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def start_python(
    arguments: Sequence[str],
    *,
    stdout: "_File",
    stderr: "_File",
    stdin: "_File" = subprocess.DEVNULL,
    is_apart: bool = False,
    is_exposed: bool = False,
    is_deaf: bool = False,
    pass_fds: Sequence[int] = (),
    **variables: str,
) -> "subprocess.Popen[bytes]":
    """Start Python; variables and errors as in `run_python`.

    Args:
        is_apart: Ctrl-C in the terminal is for this process alone, which ends the other one.
        is_exposed: it reads what may be hostile: no keys and tokens of the environment are passed on.
        is_deaf: it does not get Ctrl-C, from the first moment on; but on Windows.
        pass_fds: descriptors that it inherits by the same numbers; none on Windows.
    """
    options: dict[str, Any] = {"pass_fds": pass_fds} if pass_fds else {}
    if is_apart and sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
    elif is_apart:
        options["process_group"] = 0
    passed_on = environment(**variables)
    if is_exposed:
        passed_on = {name: value for name, value in passed_on.items() if name in variables or _is_plain(name)}
    with _blocked_interrupt() if is_deaf else nullcontext():
        return subprocess.Popen(  # noqa: S603
            command(arguments), env=passed_on, stdin=stdin, stdout=stdout, stderr=stderr, **options
        )


@contextmanager
def _blocked_interrupt() -> Iterator[None]:
    """Block Ctrl-C for what this thread starts meanwhile: a new process inherits the mask of the thread."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def watch_memory(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a process to end; end it where the waiting is interrupted, as by Ctrl-C.

    Returns:
        The most memory of it and the processes started by it, in bytes: the largest sum, at any look, of the highest
        points so far of those that run. What they share is counted for each. Looks are 50 ms apart; where the system
        does not keep the highest point, it is that of a look.
    """
    sums = [0]
    has_ended = threading.Event()
    # In a thread of its own, so that the caller who measures time is not delayed.
    watcher = threading.Thread(target=_note_sums, args=(process.pid, sums, has_ended))
    watcher.start()
    try:
        process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        has_ended.set()
        watcher.join()
    return sums[0]


def _note_sums(parent: int, sums: list[int], has_ended: threading.Event) -> None:
    import psutil

    peaks: dict[int, int] = {}
    with suppress(psutil.Error):
        watched = psutil.Process(parent)
        while not has_ended.wait(_WATCH_S):
            running = [watched, *watched.children()]
            for each in running:
                with suppress(psutil.Error, OSError):
                    peaks[each.pid] = max(peaks.get(each.pid, 0), _peak_bytes(each))
            sums[0] = max(sums[0], sum(peaks.get(each.pid, 0) for each in running))


def _peak_bytes(process: Any) -> int:
    """Return the peak memory of a psutil.Process so far; 0 for a zombie."""
    if sys.platform == "linux":
        # psutil does not tell the highest point there. Not ru_maxrss, which counts the process that was forked from.
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8", errors="replace")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) * 1024 if found else 0
    memory = process.memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))  # peak_wset: Windows


def command(arguments: Sequence[str]) -> list[str]:
    # With -c and -m Python would look for modules in the current folder first, which may be one of pictures from
    # anywhere: a torch.py there would be run.
    return [sys.executable, "-P", *arguments]


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment, in which Python finds the same modules, with `variables`."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(_module_folders()), **variables}


def _is_plain(name: str) -> bool:
    return _PLAIN_VARIABLES.fullmatch(name.upper()) is not None


def _module_folders() -> list[str]:
    """sys.path, so that the same clipsearch is found; without the current folder unless clipsearch lies there."""
    own = Path(__file__).resolve().parents[1]
    try:
        here = Path.cwd().resolve()
    except FileNotFoundError:  # deleted meanwhile: nothing can be relative to it
        return [entry for entry in sys.path if Path(entry).is_absolute()]
    # An empty entry, too, means the current folder.
    folders = [Path(entry).absolute() for entry in sys.path]
    return [str(folder) for folder in folders if here == own or folder.resolve() != here]


def core_count() -> int:
    """Count the logical processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    if affinity is not None:  # Linux, where a query need not load psutil
        return len(affinity(0))
    import psutil

    process = psutil.Process()
    # macOS has no affinity.
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1


def return_freed_memory(*, from_bytes: int) -> None:
    """Have blocks of memory from a size on returned to the system when they are freed; without effect but on glibc.

    Else glibc raises that size with each block that is freed, and what is between smaller blocks stays with the
    process. Source: mallopt(3), M_MMAP_THRESHOLD.
    """
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, from_bytes)


def processor_name() -> str:
    """Return the processor's name as the system tells it, such as "AMD Ryzen 7 7840U"; "" when it does not."""
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", _cpu_info(), re.MULTILINE)
    return found[1].strip() if found else platform.processor()


def processor_flags() -> frozenset[str]:
    """Return the processor's features by their names in /proc/cpuinfo; empty where there is no such file."""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", _cpu_info(), re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


def _cpu_info() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return ""


def available_bytes() -> int | None:
    """Return the memory that can be had without swapping; None where the system does not tell."""
    import psutil

    with suppress(psutil.Error, OSError, NotImplementedError):
        return int(psutil.virtual_memory().available)
    return None
