"""What `dupes` finds, and what it takes for a copy wrongly: python -m tests.benchmarks.duplicates FOLDER [--part N]

Some of the folder's photographs (--originals) are saved again in 12 ways, or with --more in 10 others (see `copies`),
beside others that are left as they are, pages, chats, blanks, and versions that show something of their own
(`copies.NO_COPIES`); all are indexed in a temporary folder. Printed are the share of each kind of copy that is in one
group with its original, as a copy and as similar, and the pairs that are in one group and show something else;
--keep FOLDER leaves all there to be looked at.

With `--rows N`: how long it takes to compare N random rows of 512 dimensions; with `--hashes N`: N hashes; with
`--cost`: what a hash costs beside decoding.
"""

import argparse
import random
import tempfile
import time
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from clipsearch import Catalog
from clipsearch.formats import IMAGE_SUFFIXES
from clipsearch.gallery.duplicates import DuplicateGroup
from clipsearch.gallery.duplicates.candidates import near_by_hash
from clipsearch.images.decode import decode_image
from clipsearch.images.perceptual_hash import perceptual_hash
from clipsearch.indexes.flat import FaissIndex
from clipsearch.vectors import normalise
from tests.benchmarks.copies import DOCUMENTS, MORE_VARIANTS, NO_COPIES, REDUCED, VARIANTS, Change

DOCUMENTS_OF_EACH = 12


def name_of(kind: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in kind)


def make(folder: Path, out: Path, kinds: dict[str, Change], *, originals: int, others: int, part: int) -> None:
    """Files `NUMBER/KIND.SUFFIX`; what has the same number is made of one photograph."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    random.Random(0).shuffle(found)
    chosen = found[part * originals : (part + 1) * originals]
    left = [path for path in found if path not in chosen][:others]
    for number, path in enumerate(chosen + left):
        place = out / f"{number:04}"
        place.mkdir(parents=True)
        (place / f"original{path.suffix}").write_bytes(path.read_bytes())
        if number >= originals:
            continue
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        rng = random.Random(number)
        for kind, change in kinds.items():
            quality = int(kind[-2:]) if kind.startswith("JPEG") else 92
            made = picture if kind.startswith("JPEG") else change(picture, rng)
            made.save(place / f"{name_of(kind)}.jpg", quality=quality)
    for kind, draw in {**DOCUMENTS, **REDUCED}.items():
        for seed in range(DOCUMENTS_OF_EACH):
            place = out / f"{kind} {seed + part * DOCUMENTS_OF_EACH}"
            place.mkdir()
            draw(seed + part * DOCUMENTS_OF_EACH).save(place / "original.png")


def report(groups: list[DuplicateGroup], kinds: dict[str, Change], originals: int) -> None:
    copies, similar = defaultdict(set), defaultdict(set)
    wrong: dict[str, Counter[str]] = {"copy": Counter(), "similar": Counter()}
    for number, group in enumerate(groups):
        if group.kind == "similar":
            continue
        of = [names_of(each.path) for each in group.pictures]
        for each in of:
            copies[each].add(number)
            similar[each].add(of[0])
        if group.kind == "copy":
            for one, other in combinations(of, 2):
                if one[0] != other[0]:
                    wrong["copy"][" - ".join(sorted(map("/".join, (one, other))))] += 1
                for kind in NO_COPIES:
                    if name_of(kind) in (one[1], other[1]):
                        wrong["copy"][kind] += 1
    together = defaultdict(set)
    for number, group in enumerate(groups):
        if group.kind == "similar":
            of = [names_of(each.path) for each in group.pictures]
            for each in of:
                together[each].add(number)
            for one, other in combinations(of, 2):
                if one[0] != other[0]:
                    wrong["similar"][" - ".join(sorted(map("/".join, (one, other))))] += 1

    def groups_of(place: str, kind: str) -> set[int]:
        each = place, kind
        return set().union(*(together[best] for best in {each, *similar[each]}))

    shares = []
    for kind in kinds:
        places = [f"{number:04}" for number in range(originals)]
        as_copy = np.mean([bool(copies[each, "original"] & copies[each, name_of(kind)]) for each in places])
        as_similar = np.mean([bool(groups_of(each, "original") & groups_of(each, name_of(kind))) for each in places])
        if kind not in NO_COPIES:
            shares.append(as_copy)
        missed = [each for each in places if not copies[each, "original"] & copies[each, name_of(kind)]]
        if kind not in NO_COPIES and missed:
            print(f"{'':24} missed: {', '.join(missed)}")
        print(f"{kind:24} {as_copy:8.3f} as copies {as_similar:8.3f} as similar")
    print(f"{'copies, on average':24} {np.mean(shares):8.3f}")
    for kind, counted in wrong.items():
        print(f"{sum(counted.values())} wrong pairs in groups of kind {kind}: {dict(counted.most_common(20))}")


def names_of(path: str) -> tuple[str, str]:
    return Path(path).parent.name, Path(path).stem


def measure(options: argparse.Namespace, out: Path) -> None:
    kinds: dict[str, Change] = {**(MORE_VARIANTS if options.more else VARIANTS), **NO_COPIES}
    make(options.folder, out / "pictures", kinds, originals=options.originals, others=options.others, part=options.part)
    with Catalog.open(out / "catalog", model=options.model, create=True) as catalog:
        start = time.perf_counter()
        done = catalog.index(out / "pictures")
        print(f"{done.embedded:,} pictures indexed in {time.perf_counter() - start:.0f} s")
        start, cpu = time.perf_counter(), time.process_time()
        groups = catalog.duplicates(threshold=options.threshold)
        print(f"compared in {time.perf_counter() - start:.0f} s, {time.process_time() - cpu:.0f} s of CPU time")
    report(groups, kinds, options.originals)


def compare_rows(count: int) -> None:
    index = FaissIndex(512)
    index.add(np.arange(count), normalise(np.random.default_rng(0).standard_normal((count, 512)).astype(np.float32)))
    start = time.perf_counter()
    pairs = sum(len(part.first) for part in index.pairs_above(0.9, np.arange(count)))
    print(f"{count:,} rows: {pairs} pairs, {time.perf_counter() - start:.1f} s")


def compare_hashes(count: int) -> None:
    hashes = np.random.default_rng(0).integers(0, 1 << 64, count, dtype=np.uint64) & ~np.uint64(1)
    start = time.perf_counter()
    pairs = near_by_hash(hashes)
    print(f"{count:,} hashes, turned ones too: {len(pairs)} pairs, {time.perf_counter() - start:.1f} s")


def measure_cost(folder: Path) -> None:
    seconds = [0.0, 0.0]
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            start = time.process_time()
            decoded = decode_image(path, needed_side=224)
            middle = time.process_time()
            perceptual_hash(decoded.image, decoded.box)
            seconds = [seconds[0] + middle - start, seconds[1] + time.process_time() - middle]
    print(f"decoding {seconds[0]:.2f} s, hashing {seconds[1]:.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--originals", type=int, default=80)
    parser.add_argument("--others", type=int, default=482)
    parser.add_argument("--part", type=int, default=0, help="which originals: 0 the first ones, 1 the next, …")
    parser.add_argument("--more", action="store_true")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--hashes", type=int)
    parser.add_argument("--cost", action="store_true")
    options = parser.parse_args()
    if options.rows:
        compare_rows(options.rows)
    elif options.hashes:
        compare_hashes(options.hashes)
    elif options.cost:
        measure_cost(options.folder)
    elif options.keep:
        measure(options, options.keep)
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(options, Path(folder))


if __name__ == "__main__":
    main()
