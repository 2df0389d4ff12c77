"""All that writes to a catalog, and a server with visitors, at the same time and for long: python -m tests.faults.soak

Four loops change the catalog, each in a process of its own every time: `index` (of a folder in which pictures come, go
and change), `gc`, `backup` and `model use` (the starter and a small random CLIP in turns). Meanwhile eight visitors ask
`clipsearch serve` one thing after another. Counted are answers of 5xx that are no "try again later", what a command
prints of locks, tracebacks, and what is missing at the end: every picture in the folder has to be stored, every backup
has to be sound, and `doctor --full` has to find nothing.
"""

import argparse
import contextlib
import http.client
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from tests.benchmarks.measuring import print_table
from tests.benchmarks.serving import memory_mb, serving
from tests.faults.checks import stored_contents
from tests.faults.programs import index_command
from tests.support.tiny_models import make_clip

VISITORS = 8
PICTURES = 60

# Not a fault: another process may be at work, the server may be full for a moment, and a picture may be gone again.
_BUSY = "another clipsearch is changing"
_FINE = (200, 303, 404, 429, 503)


@dataclass(slots=True)
class Soak:
    """What happened so far, counted by several threads.

    Attributes:
        rounds: times that a writer was done, by its name.
        busy: times that it stopped because another was at work.
        answers: of the server, by status.
        faults: in a line each.
    """

    rounds: Counter[str] = field(default_factory=Counter)
    busy: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, fault: str) -> None:
        with self.lock:
            self.faults.append(fault)


def change_folder(photos: Path, rng: random.Random) -> None:
    """A few pictures come, go, change, and are renamed."""
    files = sorted(photos.glob("*.png"))
    for _ in range(6):
        colour = tuple(rng.randrange(256) for _ in range(3))
        Image.new("RGB", (64, 48), colour).save(photos / f"{rng.randrange(10**9):09}.png")
    for path in rng.sample(files, min(3, len(files))):
        path.unlink()
    for path in rng.sample(sorted(photos.glob("*.png")), 2):
        path.rename(path.with_name(f"moved-{path.name[-13:]}"))


def write(name: str, command: list[str], soak: Soak) -> bool:
    """Runs one command; says whether it did its work."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        soak.note(f"{name}: not done after 600 s")
        return False
    said = done.stdout[-300:] + done.stderr[-600:]
    is_busy = done.returncode == 1 and _BUSY in done.stderr
    with soak.lock:
        (soak.busy if is_busy else soak.rounds)[name] += 1
    if is_busy:
        return False
    if done.returncode or "Traceback" in said or "locked" in said:
        soak.note(f"{name}: exit {done.returncode}: {' '.join(said.split())[-400:]}")
    return done.returncode == 0


def visit(port: int, soak: Soak, is_over: threading.Event, seed: int) -> None:
    rng = random.Random(seed)
    paths = ("/api/search?q={w}&k=20", "/?q={w}", "/pictures/{n}", "/api/status", "/healthz", "/pictures/{n}/words")
    words = ("a red square", "blue", "-green something", "taken:2024 dog", "cat + dog", "has:date", "")
    while not is_over.is_set():
        path = rng.choice(paths).format(
            w=rng.choice(words).replace(" ", "%20").replace("+", "%2B"), n=rng.randrange(1, 99)
        )
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        except OSError as error:
            soak.note(f"GET {path}: {error!r}")
            continue
        finally:
            connection.close()
        with soak.lock:
            soak.answers[answer.status] += 1
        if answer.status not in (*_FINE, 400, 422):
            soak.note(f"GET {path}: {answer.status} {body[:200]!r}")


def run(place: Path, *, minutes: float, rounds: int = 0) -> tuple[Soak, float, float]:
    """Soaks for some minutes, and until each writer was done so many times.

    Returns:
        What happened, and the memory of the server in MB after a first minute and at the end.
    """
    catalog, photos, backups = place / "catalog", place / "photos", place / "backups"
    photos.mkdir()
    backups.mkdir()
    other_model = make_clip(place / "clip")
    rng, soak, is_over = random.Random(7), Soak(), threading.Event()
    for _ in range(PICTURES // 6):
        change_folder(photos, rng)
    run_it = [sys.executable, "-m", "clipsearch"]
    at = ["--catalog", str(catalog)]
    assert write("index", [*index_command(catalog, photos), "--model", "starter"], soak), soak.faults
    models = ["starter", str(other_model)]

    def index() -> None:
        change_folder(photos, rng)
        write("index", index_command(catalog, photos, "--wait"), soak)

    def collect() -> None:
        write("gc", [*run_it, "gc", "--wait", *at], soak)

    def back_up() -> None:
        kept = backups / f"{soak.rounds['backup']:04}.sqlite3"
        if write("backup", [*run_it, "backup", str(kept), *at], soak):
            with contextlib.closing(sqlite3.connect(kept)) as connection:
                if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                    soak.note(f"backup: {kept.name} is damaged")
            kept.unlink()

    def use_model() -> None:
        models.reverse()
        write("model use", [*run_it, "model", "use", models[0], "--wait", *at], soak)

    def repeat(work: object) -> None:
        while not is_over.is_set():
            work()  # type: ignore[operator]

    with serving(catalog) as (port, server):
        threads = [threading.Thread(target=repeat, args=(work,)) for work in (index, collect, back_up, use_model)]
        threads += [threading.Thread(target=visit, args=(port, soak, is_over, seed)) for seed in range(VISITORS)]
        for thread in threads:
            thread.start()
        start, first_mb = time.monotonic(), 0.0
        names = ("index", "gc", "backup", "model use")
        while time.monotonic() < start + 60 * minutes or any(soak.rounds[name] < rounds for name in names):
            time.sleep(1)
            if not first_mb and time.monotonic() > start + min(60.0, 20 * minutes):
                first_mb = memory_mb(server)
        is_over.set()
        for thread in threads:
            thread.join()
        last_mb = memory_mb(server)
    write("index", index_command(catalog, photos), soak)
    missing = len(list(photos.glob("*.png"))) - _stored_files(catalog)
    if missing or not stored_contents(catalog):
        soak.note(f"{missing} pictures of the folder are not stored")
    found = subprocess.run([*run_it, "doctor", "--full", "--json", *at], capture_output=True, text=True, check=False)
    wrong = [each for each in json.loads(found.stdout)["findings"] if each["severity"] != "info"]
    for finding in wrong:
        soak.note(f"doctor: {finding['message']}")
    return soak, first_mb, last_mb


def _stored_files(catalog: Path) -> int:
    with contextlib.closing(sqlite3.connect(catalog / "catalog.sqlite3")) as connection:
        statement = "SELECT count(*) FROM files WHERE removed_at IS NULL AND content_id IS NOT NULL"
        count: int = connection.execute(statement).fetchone()[0]
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=50, help="of each writer, at least")
    chosen = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="clipsearch-soak-"))
    try:
        start = time.monotonic()
        soak, first_mb, last_mb = run(place, minutes=chosen.minutes, rounds=chosen.rounds)
        taken = (time.monotonic() - start) / 60
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(f"{taken:.0f} minutes; the server had {first_mb:.0f} MB after the first, {last_mb:.0f} MB at the end")
    rows = [[name, f"{soak.rounds[name]:,}", f"{soak.busy[name]:,}"] for name in sorted(soak.rounds)]
    print_table(["command", "done", "another was at work"], rows)
    print_table(["status", "answers"], [[str(status), f"{count:,}"] for status, count in sorted(soak.answers.items())])
    for fault, count in Counter(soak.faults).most_common(20):
        print(f"FAULT {count} ×: {fault}", file=sys.stderr)
    print(f"{len(soak.faults)} faults")
    return 1 if soak.faults else 0


if __name__ == "__main__":
    sys.exit(main())
