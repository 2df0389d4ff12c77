"""`clipsearch index` in a process of its own: the real command, or a light one that is forked and embeds colours."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

# What a process of a server of forks has imported before it is forked: that takes longer than a run.
_PRELOAD = ["tests.faults.light"]


@dataclass(frozen=True, slots=True)
class Fault:
    """When a process meets its fault; None: never.

    Attributes:
        file_bytes: no file may grow beyond (RLIMIT_FSIZE).
        is_killed: the write that would do so kills the process, after it has written the part that fits.
        statements: the process is killed (SIGKILL) before that SQL statement or commit.
    """

    file_bytes: int | None = None
    is_killed: bool = False
    statements: int | None = None

    def limit_files(self) -> None:
        """Set the limit of this process."""
        import resource  # of POSIX

        if self.file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_bytes, self.file_bytes))
        if self.is_killed:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which Python ignores


class Running(Protocol):
    """A process that was started."""

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""

    def wait(self) -> int:
        """Wait for its end, and return its exit code."""

    def kill(self) -> None:
        """Kill it (SIGKILL), unless it has ended."""

    def errors(self) -> str:
        """Return what it wrote to stderr, after its end."""


class Program(Protocol):
    """Starts `clipsearch index` of a folder."""

    def start(self, catalog: Path, photos: Path, *options: str, fault: Fault = Fault()) -> Running: ...


def index_command(catalog: Path, photos: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "clipsearch", "index", str(photos), "--catalog", str(catalog), *options]


def start_index(catalog: Path, photos: Path, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        index_command(catalog, photos, "--model", "starter", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Command:
    """The real command with the starter model and its worker processes; statements are not counted."""

    def start(self, catalog: Path, photos: Path, *options: str, fault: Fault = Fault()) -> Running:
        output = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        process = subprocess.Popen(
            index_command(catalog, photos, "--model", "starter", *options),
            stdout=output,
            stderr=output,
            preexec_fn=fault.limit_files,  # noqa: PLW1509
        )
        return _Started(process, output)


@dataclass(slots=True)
class _Started:
    process: "subprocess.Popen[bytes]"
    output: IO[str]

    def poll(self) -> int | None:
        return self.process.poll()

    def wait(self) -> int:
        return self.process.wait(300)

    def kill(self) -> None:
        self.process.kill()

    def errors(self) -> str:
        self.output.seek(0)
        with self.output:
            return self.output.read()


class Light:
    """The command line in a fork of a process that has imported all, with a model of colours, which decodes itself."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)
        first = self._context.Process(target=os.getpid)
        first.start()  # the server is up when it has ended: times of runs are theirs alone
        first.join()

    def start(self, catalog: Path, photos: Path, *options: str, fault: Fault = Fault()) -> Running:
        from tests.faults.light import run

        arguments: Sequence[str] = ["index", str(photos), "--catalog", str(catalog), "--model", "colours", *options]
        handle, output = tempfile.mkstemp(dir=photos.parent)
        os.close(handle)
        process = self._context.Process(target=run, args=(arguments, dict(os.environ), output, fault))
        process.start()
        return _Forked(process, Path(output))


@dataclass(slots=True)
class _Forked:
    process: multiprocessing.process.BaseProcess
    output: Path

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self) -> int:
        self.process.join(300)
        if self.process.exitcode is None:
            raise TimeoutError
        return self.process.exitcode

    def kill(self) -> None:
        self.process.kill()

    def errors(self) -> str:
        try:
            return self.output.read_text(encoding="utf-8")
        finally:
            self.output.unlink()
