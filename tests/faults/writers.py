"""Several runs over one catalog at once, with queries between them."""

from pathlib import Path

from clipsearch import Catalog
from tests.faults.checks import Outcome, check, squares, start_index, stored_contents

_PICTURES = 120


def run_at_once(scratch: Path, *, rounds: int, processes: int = 3) -> Outcome:
    """Half of the processes wait for each other, the others stop and say so; queries see it grow."""
    catalog = scratch / "catalog"
    outcome = Outcome(f"{processes} index runs at once, queries between", 0, 0, 0, [])
    seen = 0
    for number in range(1, rounds + 1):
        photos = squares(scratch / "photos", number * _PICTURES)
        running = [
            start_index(catalog, photos, *(["--wait"] if process % 2 == 0 else [])) for process in range(processes)
        ]
        outcome.faults += processes
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
            _, errors = process.communicate()
            is_told = process.returncode == 1 and "another clipsearch is changing" in errors
            if not (process.returncode == 0 or is_told):
                outcome.broken.append(f"ended with {process.returncode}: {errors[-200:]}")
        check(catalog, outcome)
        if len(stored_contents(catalog)) != number * _PICTURES:
            outcome.broken.append(f"{len(stored_contents(catalog))} of {number * _PICTURES} pictures are stored")
    return outcome
