"""What indexing costs beside another version: python -m tests.benchmarks.two_versions OTHER/bin/clipsearch FOLDER

Both index the folder with the starter model into catalogs of their own, in turns. Compared is the processor time of all
their processes, which a busy machine disturbs less than the time by the clock.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.measuring import print_table


def measure(command: str, folder: str, cache: str) -> tuple[float, float]:
    """Seconds of processor time, and by the clock, of one index run into a new catalog."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        own = {"CLIPSEARCH_CACHE": cache, "CLIPSEARCH_CONFIG": f"{place}/config", "HF_HUB_OFFLINE": "1"}
        arguments = [command, "index", folder, "--model", "starter", "--catalog", f"{place}/catalog"]
        subprocess.run(arguments, env=os.environ | own, check=True, capture_output=True)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", help="the console script of the other version")
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    commands = {"this": str(Path(sys.executable).with_name("clipsearch")), "other": chosen.other}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as this_cache, tempfile.TemporaryDirectory() as other_cache:
        caches = {"this": this_cache, "other": other_cache}
        for name, command in commands.items():  # what is cached from the first run on is made now
            measure(command, chosen.folder, caches[name])
        for number in range(chosen.rounds):
            for name in sorted(commands, reverse=number % 2 == 0):
                found[name].append(measure(commands[name], chosen.folder, caches[name]))
    ratios = [this[0] / other[0] for this, other in zip(found["this"], found["other"], strict=True)]
    rows = [[name, *(f"{statistics.median(each[n] for each in found[name]):.1f} s" for n in (0, 1))] for name in found]
    print_table(["version", "processor time", "by the clock"], rows)
    print(f"median of each round's ratio of processor time: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
