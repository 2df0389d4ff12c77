"""Times, memory and tables, the same in every benchmark."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from clipsearch.processes import watch_memory

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class FinishedCommand:
    """What one process of clipsearch did.

    Attributes:
        seconds: from start to end, that of Python included.
        peak_bytes: the most memory it ever had, with the processes that it started, pages of mapped files included.
        private_bytes: memory that no other process shares, when its catalog was closed; 0 when it opened none. Pages
            of an index file that nobody else has mapped are among it, and the system can take those back at any time.
        anonymous_bytes: memory that is in no file, at the same moment.
    """

    stdout: str
    exit_code: int
    seconds: float
    peak_bytes: int
    private_bytes: int
    anonymous_bytes: int


def run_clipsearch(*arguments: str | Path) -> FinishedCommand:
    """Runs one command in a process of its own. Errors show on stderr.

    Raises:
        CalledProcessError: it failed; that some files were skipped is no failure.
    """
    command = [sys.executable, "-m", "tests.benchmarks.probe", *map(str, arguments)]
    with tempfile.TemporaryFile() as output:
        start = perf_counter()
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=output)
        peak_bytes = watch_memory(process)
        seconds = perf_counter() - start
        output.seek(0)
        if process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, command)
        stdout, _, last = output.read().decode().rstrip().rpartition("\n")
    return FinishedCommand(stdout=stdout, seconds=seconds, peak_bytes=peak_bytes, **json.loads(last))


def seconds_of(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def median_s(work: Callable[[], object], times: int) -> float:
    return median(seconds_of(work) for _ in range(times))


@contextmanager
def workplace(folder: Path | None) -> Iterator[Path]:
    """A folder for material, catalogs and clipsearch's own cache: the one given is kept, else one that goes again."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) if folder is None else folder.resolve()
        place.mkdir(parents=True, exist_ok=True)
        os.environ["CLIPSEARCH_CACHE"] = str(place / "cache")
        yield place


def note(text: str) -> None:
    """What goes on, for whoever waits; results go to stdout."""
    print(text, file=sys.stderr, flush=True)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A Markdown table, its first column to the left and the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    marks = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    for line in (head, marks, *rows):
        cells = [
            f"{cell:<{width}}" if column == 0 else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print(f"| {' | '.join(cells)} |")
    sys.stdout.flush()
