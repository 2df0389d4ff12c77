"""A real `clipsearch index` is killed at random moments, again and again, and must always go on from there."""

import random
import shutil
import signal
import time
from pathlib import Path

from tests.faults.checks import Outcome, check, squares, start_index, stored_contents

_PICTURES = 400


def kill_index(scratch: Path, *, kills: int, seed: int = 1) -> Outcome:
    """Each run is killed (SIGKILL, to it and not to its workers) at a moment spread over a whole run's time."""
    rng = random.Random(seed)
    photos, catalog = squares(scratch / "photos", _PICTURES), scratch / "catalog"
    outcome = Outcome(f"index killed (SIGKILL), {_PICTURES} pictures", 0, 0, 0, [])
    start = time.monotonic()
    running = start_index(catalog, photos)
    if running.wait(300) != 0:
        outcome.broken.append("a run without a fault fails")
    running.communicate()
    whole_s = time.monotonic() - start
    while outcome.faults < kills:
        shutil.rmtree(catalog)
        is_whole = False
        while not is_whole and outcome.faults < kills:
            is_whole = _run_and_kill(catalog, photos, rng.uniform(0.1, 1.1) * whole_s, outcome)
    running = start_index(catalog, photos)
    if running.wait(300) != 0:
        outcome.broken.append(f"the last run fails: {running.stderr.read()[-200:]}")
    running.communicate()
    check(catalog, outcome, expected=_PICTURES)
    return outcome


def _run_and_kill(catalog: Path, photos: Path, after_s: float, outcome: Outcome) -> bool:
    """Whether the run came to its end before."""
    running = start_index(catalog, photos)
    end = time.monotonic() + after_s
    before: set[bytes] = set()
    while time.monotonic() < end and running.poll() is None:
        before = stored_contents(catalog)
        time.sleep(min(0.05, max(0.0, end - time.monotonic())))
    is_over = running.poll() is not None
    running.send_signal(signal.SIGKILL)
    running.communicate()
    if is_over and running.returncode != 0:
        outcome.broken.append(f"a run after a kill ends with {running.returncode}")
    if not is_over:
        outcome.faults += 1
    check(catalog, outcome, before=before)
    return is_over
