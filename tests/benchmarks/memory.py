"""Memory of a command with all processes that it starts: python -m tests.benchmarks.memory COMMAND...

    python -m tests.benchmarks.memory .venv/bin/python -m pytest -q

Once a second the proportional set sizes (PSS) of all of them are added: pages that several processes map, as those of
libraries and of forks, count once. Linux only.
"""

import subprocess
import sys
import time

import psutil

_EVERY_S = 1.0


def measure(command: list[str]) -> tuple[int, int, float]:
    """Run the command; return its exit code, the most bytes of any moment, and the seconds that it took."""
    most = 0
    began = time.perf_counter()
    process = subprocess.Popen(command)
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        most = max(most, _pss(watched))
        time.sleep(_EVERY_S)
    return process.returncode, most, time.perf_counter() - began


def _pss(parent: psutil.Process) -> int:
    total = 0
    try:
        processes = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0
    for each in processes:
        try:
            total += int(each.memory_full_info().pss)
        except (psutil.Error, OSError):  # it has ended meanwhile
            continue
    return total


def main() -> None:
    code, most, seconds = measure(sys.argv[1:])
    print(f"{most / 1e9:.2f} GB of memory at most, {seconds:.0f} s", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
