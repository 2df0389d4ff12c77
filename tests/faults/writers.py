"""Several runs over one catalog at once, with queries between them."""

from pathlib import Path

from clipsearch import Catalog
from tests.faults.checks import Outcome, check, squares, stored_contents
from tests.faults.programs import Command, Program

_PICTURES = 120
_PROCESSES = 3


def run_at_once(
    scratch: Path,
    *,
    rounds: int,
    pictures: int = _PICTURES,
    program: Program = Command(),  # noqa: B008
) -> Outcome:
    """Half of the processes wait for each other, the others stop and say so; queries see it grow."""
    catalog = scratch / "catalog"
    outcome = Outcome(f"{_PROCESSES} index runs at once, queries between", 0, 0, 0, [])
    seen = 0
    for number in range(1, rounds + 1):
        photos = squares(scratch / "photos", number * pictures)
        running = [
            program.start(catalog, photos, *(["--wait"] if process % 2 == 0 else [])) for process in range(_PROCESSES)
        ]
        outcome.faults += _PROCESSES
        while any(process.poll() is None for process in running):
            now = len(stored_contents(catalog))
            if now < seen:
                outcome.lost += seen - now
            seen = now
            if seen:
                with Catalog.open(catalog) as opened:
                    hits = opened.search("a blue square", top_k=10)
                    outcome.wrong += not 0 < len(hits) <= 10
        for process in running:
            code, errors = process.wait(), process.errors()
            is_told = code == 1 and "another clipsearch is changing" in errors
            if not (code == 0 or is_told):
                outcome.broken.append(f"ended with {code}: {errors[-200:]}")
        check(catalog, outcome, expected=number * pictures)
    return outcome
