"""A run over unchanged files: python -m tests.benchmarks.rescan [--sizes 200000] [--folder FOLDER] [--a-folder 1000]

It lists a folder of that many files and compares them with a catalog that knows them all, as every index run does
before anything else. Seconds are the least of several rounds, of the process's CPU and of the clock. With --sidecars
each file has an XMP sidecar of a kilobyte: they are read once, which is shown too, and compared in each round.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import Any

from clipsearch.indexing.scan import find_changes
from clipsearch.indexing.sidecars import update_sidecars
from clipsearch.store import Scope, Store
from tests.benchmarks import material
from tests.benchmarks.measuring import note, print_table, workplace

# Small rows: a rescan reads no embedding, and a million are made sooner.
_MODEL: Any = SimpleNamespace(name="rescan", fingerprint="5" * 64, dim=8)


_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    "<rdf:Description "
    'rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmp:Rating="%d">'
    "<dc:subject><rdf:Bag>%s</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def write_sidecars(pictures: Path) -> None:
    """Write an XMP sidecar beside each file."""
    for folder, _, names in os.walk(pictures):
        for number, name in enumerate(names):
            if not name.endswith(".xmp"):
                words = "".join(f"<rdf:li>word {(number * step) % 997}</rdf:li>" for step in range(1, 20))
                Path(folder, f"{name}.xmp").write_text(_XMP % (number % 6, words))


def rescan(store: Store, scope: Scope, model_id: int) -> tuple[float, float, int]:
    """CPU and clock seconds of a listing, and the number of files that it found unchanged."""
    begin, start, unchanged = process_time(), perf_counter(), 0
    for changes in find_changes([scope], store=store, model_id=model_id):
        assert not changes.to_read, changes.to_read[0]
        unchanged += changes.unchanged
        if changes.change_times:
            store.pictures.set_change_times(changes.change_times)
        if changes.is_last:
            for _ in update_sidecars(changes, store=store, again=False):
                pass
    return process_time() - begin, perf_counter() - start, unchanged


def measure(place: Path, count: int, *, rounds: int, files_a_folder: int, sidecars: bool) -> Sequence[str]:
    pictures, directory = place / "pictures", place / "catalog"
    material.tree(pictures, count, files_a_folder=files_a_folder)
    material.catalog(directory, pictures, encoder=_MODEL)
    if sidecars:
        write_sidecars(pictures)
    with Store(directory) as store:
        model, scope = store.reader.find_current_model(), store.roots.find_scope(os.path.realpath(pictures))
        assert model is not None
        assert scope is not None
        first_s, _, _ = rescan(store, scope, model.model_id)  # stores the ctimes and inodes, and reads the sidecars
        note(f"the first run took {first_s:.1f} s")
        found = [rescan(store, scope, model.model_id) for _ in range(rounds)]
    assert {unchanged for _, _, unchanged in found} == {count}
    cpu_s, clock_s = min(cpu_s for cpu_s, _, _ in found), min(clock_s for _, clock_s, _ in found)
    return f"{count:,}", f"{cpu_s:.2f} s", f"{clock_s:.2f} s", f"{1e6 * cpu_s / count:.1f} µs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="200000", help="numbers of files, with commas")
    parser.add_argument("--a-folder", type=int, default=1_000, help="files of a folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sidecars", action="store_true", help="each file has one")
    parser.add_argument("--folder", type=Path, help="keep what is made here, and use it again")
    chosen = parser.parse_args()
    rows: list[Sequence[str]] = []
    with workplace(chosen.folder) as place:
        for size in map(int, chosen.sizes.split(",")):
            note(f"{size:,} files")
            at = place / f"rescan-{size}"
            rows.append(
                measure(at, size, rounds=chosen.rounds, files_a_folder=chosen.a_folder, sidecars=chosen.sidecars)
            )
    print_table(("files", "CPU", "clock", "CPU a file"), rows)


if __name__ == "__main__":
    main()
