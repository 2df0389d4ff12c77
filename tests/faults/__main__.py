"""All faults, many of each, as a table: python -m tests.faults [--kills 50] … (about half an hour)"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from clipsearch.notices import LOGGER, WarningsHandler
from tests.benchmarks.measuring import print_table
from tests.faults import disks, kills, snapshots, writers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--disk-steps", type=int, default=20)
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=8, help="of several runs at once")
    chosen = parser.parse_args()
    LOGGER.addHandler(WarningsHandler())
    works = [
        lambda place: kills.kill_index(place, kills=chosen.kills),
        lambda place: disks.fill_disk(place, steps=chosen.disk_steps),
        lambda place: disks.fill_small_disk(place, steps=chosen.disk_steps),
        lambda place: writers.run_at_once(place, rounds=chosen.rounds),
        lambda place: snapshots.damage_snapshots(place, flips=chosen.flips),
    ]
    rows, is_clean = [], True
    for work in works:
        with tempfile.TemporaryDirectory(prefix="clipsearch-faults-") as place:
            start = time.monotonic()
            outcome = work(Path(place))
            taken = time.monotonic() - start
        rows.append([outcome.what, f"{outcome.faults:,}", f"{taken:.0f} s", str(outcome.lost), str(outcome.wrong)])
        is_clean &= outcome.is_clean
        for broken in outcome.broken:
            print(f"{outcome.what}: {broken}", file=sys.stderr)
    print_table(["fault", "times", "took", "pictures lost", "wrong answers"], rows)
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
