"""The disk is full at one moment after another."""

import contextlib
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.faults.checks import Outcome, check, index_command, squares, stored_contents

_PICTURES = 300


def fill_disk(scratch: Path, *, steps: int) -> Outcome:
    """Files may not grow beyond a limit (RLIMIT_FSIZE), which grows from run to run until all fits."""
    photos, catalog = squares(scratch / "photos", _PICTURES), scratch / "catalog"
    outcome = Outcome(f"files that may not grow, {_PICTURES} pictures", 0, 0, 0, [])
    whole = _size_of_whole(photos, scratch / "whole")
    for step in range(1, steps + 1):
        limit = int(whole * step / steps)
        if step % 3 == 1:  # from the beginning, or going on
            shutil.rmtree(catalog, ignore_errors=True)
        _run(catalog, photos, outcome, limit=limit)
    return _finish(catalog, photos, outcome)


def fill_small_disk(scratch: Path, *, steps: int) -> Outcome:
    """A file system of its own (tmpfs) of a size that grows. Needs the right to mount, else there are 0 faults."""
    outcome = Outcome(f"a full disk, {_PICTURES} pictures", 0, 0, 0, [])
    place = scratch / "disk"
    place.mkdir(exist_ok=True)
    try:
        with _mounted(place, 16_384):
            pass
    except (FileNotFoundError, subprocess.CalledProcessError):
        return outcome
    photos = squares(scratch / "photos", _PICTURES)
    whole = _size_of_whole(photos, scratch / "whole")
    for step in range(1, steps + 1):
        with _mounted(place, 16_384 + int(1.5 * whole * step / steps)):
            # Even to look at it takes room: SQLite's shared memory is a file beside it.
            _run(place / "catalog", photos, outcome, then=["mount", "-o", "remount,size=64m", str(place)])
            _finish(place / "catalog", photos, outcome)
    return outcome


def _size_of_whole(photos: Path, catalog: Path) -> int:
    """Bytes of the largest file of a catalog over all pictures."""
    subprocess.run(index_command(catalog, photos, "--model", "starter"), check=True, capture_output=True)
    return max(path.stat().st_size for path in catalog.rglob("*") if path.is_file())


def _run(
    catalog: Path, photos: Path, outcome: Outcome, *, limit: int | None = None, then: list[str] | None = None
) -> None:
    before = stored_contents(catalog)
    done = subprocess.run(
        index_command(catalog, photos, "--model", "starter"),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        preexec_fn=None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    outcome.faults += 1
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        outcome.broken.append(f"ended with {done.returncode}: {done.stderr[-200:]}")
    if then is not None:
        subprocess.run(then, check=True)
    check(catalog, outcome, before=before)


def _finish(catalog: Path, photos: Path, outcome: Outcome) -> Outcome:
    """With room again, the rest must follow."""
    subprocess.run(index_command(catalog, photos, "--model", "starter"), check=False, capture_output=True)
    check(catalog, outcome, expected=_PICTURES)
    return outcome


@contextlib.contextmanager
def _mounted(place: Path, size_bytes: int) -> Iterator[None]:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "clipsearch", str(place)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
