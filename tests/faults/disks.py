"""The disk is full at one moment after another."""

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.faults.checks import Outcome, check, squares, stored_contents
from tests.faults.programs import Command, Fault, Program

_PICTURES = 300


def fill_disk(
    scratch: Path,
    *,
    steps: int,
    is_killed: bool = False,
    pictures: int = _PICTURES,
    program: Program = Command(),  # noqa: B008
) -> Outcome:
    """Files may not grow beyond a limit (RLIMIT_FSIZE), which grows from run to run until all fits.

    Args:
        is_killed: the limit kills the run, amid a write.
    """
    photos, catalog = squares(scratch / "photos", pictures), scratch / "catalog"
    outcome = Outcome(f"files that may not grow, {pictures} pictures", 0, 0, 0, [])
    whole = _size_of_whole(program, photos, scratch / "whole")
    for step in range(1, steps + 1):
        if step % 3 == 1:  # from the beginning, or going on
            shutil.rmtree(catalog, ignore_errors=True)
        fault = Fault(file_bytes=int(whole * step / steps), is_killed=is_killed)
        _run(program, catalog, photos, outcome, fault=fault)
    return _finish(program, catalog, photos, outcome, pictures)


def fill_small_disk(
    scratch: Path,
    *,
    steps: int,
    pictures: int = _PICTURES,
    program: Program = Command(),  # noqa: B008
) -> Outcome:
    """A file system of its own (tmpfs) of a size that grows. Needs the right to mount, else there are 0 faults."""
    outcome = Outcome(f"a full disk, {pictures} pictures", 0, 0, 0, [])
    place = scratch / "disk"
    place.mkdir(exist_ok=True)
    try:
        with _mounted(place, 16_384):
            pass
    except (FileNotFoundError, subprocess.CalledProcessError):
        return outcome
    photos = squares(scratch / "photos", pictures)
    whole = _size_of_whole(program, photos, scratch / "whole")
    for step in range(1, steps + 1):
        with _mounted(place, 16_384 + int(1.5 * whole * step / steps)):
            # Even to look at it takes room: SQLite's shared memory is a file beside it.
            _run(program, place / "catalog", photos, outcome, then=["mount", "-o", "remount,size=64m", str(place)])
            _finish(program, place / "catalog", photos, outcome, pictures)
    return outcome


def _size_of_whole(program: Program, photos: Path, catalog: Path) -> int:
    """Bytes of the largest file of a catalog over all pictures."""
    assert program.start(catalog, photos).wait() == 0
    return max(path.stat().st_size for path in catalog.rglob("*") if path.is_file())


def _run(
    program: Program,
    catalog: Path,
    photos: Path,
    outcome: Outcome,
    *,
    fault: Fault = Fault(),  # noqa: B008
    then: list[str] | None = None,
) -> None:
    before = stored_contents(catalog)
    running = program.start(catalog, photos, fault=fault)
    code, errors = running.wait(), running.errors()
    outcome.faults += 1
    codes = (0, -signal.SIGXFSZ) if fault.is_killed else (0, 1)
    if code not in codes or "Traceback" in errors:
        outcome.broken.append(f"ended with {code}: {errors[-200:]}")
    if then is not None:
        subprocess.run(then, check=True)
    check(catalog, outcome, before=before)


def _finish(program: Program, catalog: Path, photos: Path, outcome: Outcome, pictures: int) -> Outcome:
    """With room again, the rest must follow."""
    program.start(catalog, photos).wait()
    check(catalog, outcome, expected=pictures)
    return outcome


@contextlib.contextmanager
def _mounted(place: Path, size_bytes: int) -> Iterator[None]:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "clipsearch", str(place)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
