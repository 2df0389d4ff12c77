"""Text that is read in pictures: python -m tests.benchmarks.ocr [LABELS.jsonl] [--pictures 500] [--seed 0]

`--models FOLDER`: lines are read by the models of a folder, too.

Made pictures with known words (`text_pictures`) are indexed and read as `index --ocr` does. Found whole: the word
stands among those that were read, of Chinese and Japanese in a row of characters; found by a part: three neighbouring
characters of it, chosen at random, as `text:` finds them.

With labels (.jsonl with "image" and "caption"), the photographs are read, too: how many are said to have text
(`--list` names them and what was read, to look at them), the processor time of each, the memory of a process that
reads, and what the text changes for the captions as queries, with names of files that say nothing.
"""

import argparse
import json
import random
import resource
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import psutil
from numpy.typing import NDArray

from clipsearch import Catalog
from clipsearch.ocr.lines import TextLine
from clipsearch.query import words_query
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.store.texts import ReadText
from clipsearch.types import ImageMetadata, TextReport
from tests.benchmarks.measuring import note, print_table
from tests.benchmarks.photos import sample_paths
from tests.benchmarks.text_pictures import make_text_pictures

PART, LINES, LINES_A_PICTURE, QUERIES = 3, 10_000, 5, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path, nargs="?")
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", help="folder of models that read lines, too")
    parser.add_argument("--list", action="store_true", help="name the photographs that are said to have text")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = [] if options.labels is None else [json.loads(line) for line in options.labels.read_text().splitlines()]
        photos = [options.labels.parent / row["image"] for row in rows] or sample_paths()
        measure_words(folder / "made", photos, options.pictures, options.seed, options.models)
        if rows:
            captions = [row["caption"] for row in rows]
            measure_photos(folder / "photos", photos, captions, options.models, show=options.list)
        measure_speed(folder / "speed")


def read_folder(folder: Path, models: str | None) -> tuple[TextReport, float, float]:
    """Index a folder and read it; return what was read, CPU seconds of it, and megabytes of a process at most."""
    with Catalog.open(folder / "catalog", model="starter", create=True) as catalog:
        catalog.index(folder / "pictures")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with watching_children() as most:
            report = catalog.admin.read_texts(models=models)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return report, seconds, max(most.values(), default=0) / 1e6


@contextmanager
def watching_children() -> Iterator[dict[int, int]]:
    """Gather the most memory of each child process in bytes, looked at every 20 ms."""
    most: dict[int, int] = {}
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.02):
            for child in psutil.Process().children():
                with suppress(psutil.Error):
                    most[child.pid] = max(most.get(child.pid, 0), child.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        is_over.set()
        thread.join()


def measure_words(folder: Path, photos: list[Path], count: int, seed: int, models: str | None) -> None:
    note(f"making {count} pictures")
    (folder / "pictures").mkdir(parents=True)
    made = make_text_pictures(count, photos, seed)
    for number, picture in enumerate(made):
        picture.image.save(folder / "pictures" / f"{number}.png", compress_level=1)
    report, seconds, megabytes = read_folder(folder, models)
    rng = random.Random(seed)
    found: defaultdict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(4, dtype=np.int64))
    with Catalog.open(folder / "catalog") as catalog:
        hits = {Path(hit.path).stem: hit.content_id for hit in catalog.search("type:png", top_k=count)}
        for number, picture in enumerate(made):
            read = " ".join(line.text for line in catalog.pictures.text(hits[str(number)]))
            words, joined = set(read.split()), read.replace(" ", "")
            for word in picture.words:
                start = rng.randrange(max(1, len(word) - PART + 1))
                part = word[start : start + PART]
                whole = word in words if picture.script == "Latin" else word in joined
                for key in ("all", picture.script, picture.kind, picture.spoiler):
                    found[key] += (0, 1, whole, part in joined)
            for key in ("all", picture.script, picture.kind, picture.spoiler):
                found[key][0] += 1
    rows = [
        (key, str(n), f"{words:,}", f"{whole / words:.3f}", f"{part / words:.3f}")
        for key, (n, words, whole, part) in found.items()
    ]
    print_table(("made pictures", "number", "words", "found whole", "by a part"), rows)
    print(f"{seconds / count:.2f} s of CPU a picture; a process has {megabytes:.0f} MB at most; {report.skipped}")


def measure_photos(folder: Path, photos: list[Path], captions: list[str], models: str | None, *, show: bool) -> None:
    (folder / "pictures").mkdir(parents=True)
    for number, photo in enumerate(photos):
        shutil.copyfile(photo, folder / "pictures" / f"{number}{photo.suffix}")
    report, seconds, megabytes = read_folder(folder, models)
    print(
        f"{report.with_text} of {len(photos)} photographs are said to have text; {seconds / len(photos):.3f} s of CPU "
        f"each, the start of the processes included; {megabytes:.0f} MB at most"
    )
    with Catalog.open(folder / "catalog") as catalog:
        if show:
            for hit in catalog.search("has:text", top_k=len(photos)):
                lines = [line.text for line in catalog.pictures.text(hit.content_id)]
                print(f"  {photos[int(Path(hit.path).stem)].name}: {' · '.join(lines)[:100]}")
        numbers = {int(Path(hit.path).stem): hit.content_id for hit in catalog.search("w:>0", top_k=len(photos))}
        right: dict[str, set[int]] = defaultdict(set)
        for number, caption in enumerate(captions):
            right[caption].add(numbers[number])
        found = {is_read: dict.fromkeys((1, 5, 10), 0) for is_read in (False, True)}
        for caption, wanted in right.items():
            for is_read, of_depth in found.items():
                hits = [hit.content_id for hit in catalog.search(words_query(caption), top_k=10, written=is_read)]
                for k in of_depth:
                    of_depth[k] += bool(wanted.intersection(hits[:k]))
    rows = [(f"recall@{k}", *(f"{found[is_read][k] / len(right):.3f}" for is_read in found)) for k in found[True]]
    print_table((f"{len(right)} names", "pictures alone", "with what was read"), rows)


def measure_speed(folder: Path) -> None:
    rng, count = random.Random(1), LINES // LINES_A_PICTURE
    words = ["".join(rng.choices("abcdefghijklmnoprstuvwz", k=rng.randrange(3, 10))) for _ in range(5_000)]
    with Store(folder, create=True) as store:
        root_id = store.roots.add("/photos").root_id
        model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=4).model_id
        digests = [number.to_bytes(32, "big") for number in range(1, count + 1)]
        store.models.set_current(model_id)
        metadata, row = ImageMetadata(width=1, height=1, format="JPEG"), np.eye(4, dtype=np.float32)[0]
        store.pictures.record(
            [ContentRecord(digest, 1, metadata, row) for digest in digests],
            [FileRecord(root_id, f"{number}.jpg", 1, 1, digest) for number, digest in enumerate(digests)],
            model_id=model_id,
        )
        box = (0.1, 0.1, 0.5, 0.2)
        lines = [
            [TextLine(" ".join(rng.choices(words, k=6)), 0.99, box) for _ in range(LINES_A_PICTURE)] for _ in digests
        ]
        store.texts.record([ReadText(number, each) for number, each in enumerate(lines, start=1)], reader="made")
    with Catalog.open(folder) as catalog:
        times: dict[str, list[float]] = defaultdict(list)
        for number in range(QUERIES):
            word = rng.choice(words)
            queries = {
                "a word": f"text:{word}",
                "three characters": f"text:{word[:3]}",
                "a number": f"text:{number:04}",
            }
            for name, query in queries.items():
                start = perf_counter()
                catalog.search(query, top_k=20)
                times[name].append(1e3 * (perf_counter() - start))
    rows = [(name, f"{median(each):.1f}", f"{max(each[1:]):.1f}") for name, each in times.items()]
    print_table((f"search in {LINES:,} lines, ms", "median", "most"), rows)


if __name__ == "__main__":
    main()
