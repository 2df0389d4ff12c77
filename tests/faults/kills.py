"""A `clipsearch index` is killed again and again, and must always go on from there."""

import random
import shutil
import signal
import time
from itertools import count
from pathlib import Path

from tests.faults.checks import Outcome, check, squares, stored_contents
from tests.faults.programs import Command, Fault, Program

_PICTURES = 400


def kill_index(
    scratch: Path,
    *,
    kills: int,
    seed: int = 1,
    pictures: int = _PICTURES,
    program: Program = Command(),  # noqa: B008
) -> Outcome:
    """Each run is killed (SIGKILL, to it and not to its workers) at a moment spread over a whole run's time."""
    rng = random.Random(seed)
    photos, catalog = squares(scratch / "photos", pictures), scratch / "catalog"
    outcome = Outcome(f"index killed (SIGKILL), {pictures} pictures", 0, 0, 0, [])
    start = time.monotonic()
    if program.start(catalog, photos).wait() != 0:
        outcome.broken.append("a run without a fault fails")
    whole_s = time.monotonic() - start
    while outcome.faults < kills:
        shutil.rmtree(catalog)
        is_whole = False
        while not is_whole and outcome.faults < kills:
            is_whole = _run_and_kill(program, catalog, photos, rng.uniform(0.1, 1.1) * whole_s, outcome)
    _finish(program, catalog, photos, outcome, pictures)
    return outcome


def kill_at_statements(scratch: Path, *, every: int, pictures: int = _PICTURES, program: Program) -> Outcome:
    """Each run is killed some statements later than the one before, until one comes to its end."""
    photos, catalog = squares(scratch / "photos", pictures), scratch / "catalog"
    outcome = Outcome(f"index killed (SIGKILL) at one statement after another, {pictures} pictures", 0, 0, 0, [])
    for statements in count(1, every):
        before = stored_contents(catalog)
        code = program.start(catalog, photos, fault=Fault(statements=statements)).wait()
        check(catalog, outcome, before=before)
        if code != -signal.SIGKILL:
            break
        outcome.faults += 1
    if code != 0:
        outcome.broken.append(f"a run after a kill ends with {code}")
    _finish(program, catalog, photos, outcome, pictures)
    return outcome


def _run_and_kill(program: Program, catalog: Path, photos: Path, after_s: float, outcome: Outcome) -> bool:
    """Whether the run came to its end before."""
    running = program.start(catalog, photos)
    end = time.monotonic() + after_s
    before: set[bytes] = set()
    while time.monotonic() < end and running.poll() is None:
        before = stored_contents(catalog)
        time.sleep(min(0.05, max(0.0, end - time.monotonic())))
    is_over = running.poll() is not None
    running.kill()
    code = running.wait()
    if is_over and code != 0:
        outcome.broken.append(f"a run after a kill ends with {code}")
    if not is_over:
        outcome.faults += 1
    check(catalog, outcome, before=before)
    return is_over


def _finish(program: Program, catalog: Path, photos: Path, outcome: Outcome, pictures: int) -> None:
    running = program.start(catalog, photos)
    if running.wait() != 0:
        outcome.broken.append(f"the last run fails: {running.errors()[-200:]}")
    check(catalog, outcome, expected=pictures)
