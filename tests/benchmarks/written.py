"""Search in what is written: python -m tests.benchmarks.written [--rows COUNT]

Of the sample pictures and, where they are here, the labelled photographs (../shared/labelled-photos), repeated with
small changes up to 2,000, a third gets a made title, caption or keyword. Measured: how often a query of words that are
written about a picture finds it first, and what the writing changes for queries of what pictures show. With --rows, a
catalog of that many documents instead: the time of the full-text part of a query, and of building its file.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from clipsearch import Catalog
from clipsearch.description import Description
from clipsearch.paths import index_folder, sample_data_folder
from clipsearch.query import words_query
from clipsearch.search.written import MOST_MATCHES
from clipsearch.session.written import CatalogWriting, refresh_written, written_path
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.store.sidecars import SidecarRecord
from clipsearch.types import ImageMetadata
from clipsearch.vectors import normalise
from clipsearch.written.documents import words_of
from clipsearch.written.words import WrittenWords

_PICTURES, _QUERIES = 2_100, 300

_SENTENCES = (
    "{name} at the {place} with friends",
    "our {thing} in {place}, the summer of {name}",
    "a rainy day in {place}: {name} and the {thing}",
    "{name}'s birthday",
    "the {thing} of {place}",
)
_PLACES = ("harbour", "beach", "old town", "mountains", "garden", "market", "station", "lake", "museum", "forest")
_THINGS = ("dog", "bicycle", "boat", "cake", "guitar", "tree", "bridge", "red car", "cat", "house")


def _rare(rng: random.Random) -> str:
    """A name that few pictures have."""
    syllables = ("ka", "lo", "mi", "ren", "tos", "bel", "du", "vi", "sar", "no", "el", "fri", "gen", "hau", "pek", "zu")
    return "".join(rng.choices(syllables, k=4)).capitalize()


def _describe(rng: random.Random) -> tuple[Description, str]:
    """Return a description, and a query of words that are in it."""
    name = _rare(rng)
    sentence = rng.choice(_SENTENCES).format(name=name, place=rng.choice(_PLACES), thing=rng.choice(_THINGS))
    kind = rng.choice(("title", "caption", "keywords", "people"))
    described = {
        "title": Description(title=sentence),
        "caption": Description(caption=f"{sentence}. It was great."),
        "keywords": Description(keywords=("holiday", name, rng.choice(_THINGS))),
        "people": Description(people=(f"{name} {_rare(rng)}",), caption=sentence),
    }[kind]
    words = sentence.replace(",", "").replace(":", "").split()
    at = next((place for place, word in enumerate(words) if name in word), 0)
    start = max(0, at - rng.randrange(3))
    phrase = " ".join(words[start : max(at, start + 1) + 1])
    query = {"keywords": name, "people": name}.get(kind, phrase if name in phrase else sentence)
    return described, rng.choice((query, query.lower(), f"a photo of {query}"))


def _photos(shared: Path) -> Iterator[tuple[Path, str]]:
    labels = shared / "labels.jsonl"
    if labels.exists():
        for line in labels.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield shared / row["image"], row["caption"]
    for line in (sample_data_folder() / "captions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield sample_data_folder() / row["image"], row.get("caption") or row["captions"][0]


def measure_quality(folder: Path, shared: Path) -> None:
    rng = random.Random(7)
    photos = list(_photos(shared))
    with Catalog.open(folder / "catalog", model="starter", create=True) as catalog:
        embeddings: list[np.ndarray] = [catalog.pictures.embed(str(path)) for path, _ in photos]
        model_id = catalog.model.model_id
    store_rows(folder / "catalog", embeddings, _PICTURES, model_id)
    wanted: dict[int, str] = {}
    with Store(folder / "catalog") as store:
        ids = [number for rows in store.column_rows.files() for number, *_ in rows]
        described = rng.sample(ids, len(ids) // 3)
        records = []
        for number in described:
            description, query = _describe(rng)
            wanted[number] = query
            records.append(SidecarRecord(number, "xmp", b"x.xmp", 1, 1, description))
        store.sidecars.record(records)
    with Catalog.open(folder / "catalog") as catalog:
        asked = rng.sample(sorted(wanted), _QUERIES)
        best = [catalog.search(words_query(wanted[each]), top_k=1)[0] for each in asked]
        first = sum(hit.content_id == each for hit, each in zip(best, asked, strict=True))
        # The same words may be written about several pictures.
        with_words = sum(hit.written is not None for hit in best)
        print(
            f"{len(wanted):,} of {_PICTURES:,} pictures are described; "
            f"first for {first / _QUERIES:.3f} of {_QUERIES} queries, any with the words {with_words / _QUERIES:.3f}"
        )
        without = set(ids) - wanted.keys()
        depths = (1, 5, 10)
        found = {is_written: dict.fromkeys(depths, 0) for is_written in (True, False)}
        labels = sorted({label for _, label in photos})
        fused = 0
        for label in labels:
            right = {number for number in without if photos[(number - 1) % len(photos)][1] == label}
            if not right:
                continue
            for is_written in (True, False):
                hits = catalog.search(words_query(label), top_k=_PICTURES, written=is_written)
                fused += is_written and any(hit.written for hit in hits)
                plain = [hit.content_id for hit in hits if hit.content_id in without]
                for k in depths:
                    found[is_written][k] += bool(right.intersection(plain[:k]))
        print(f"{len(labels)} labels, {fused} of them are in the writing of a picture; recall among those without any:")
        for k in depths:
            print(f"  recall@{k}: {found[False][k] / len(labels):.4f}, change {found[True][k] - found[False][k]:+g}")


def store_rows(directory: Path, embeddings: list[np.ndarray], count: int, model_id: int) -> None:
    """Store pictures with a file each, whose names say nothing; embeddings repeat with small changes."""
    noise = np.random.default_rng(3)
    with Store(directory) as store:
        root = store.roots.add("/photos").root_id
        records, files = [], []
        for number in range(count):
            row = embeddings[number % len(embeddings)]
            near = normalise((row + noise.normal(0, 0.01, row.shape)).astype(np.float32)[None])[0]
            blake3 = number.to_bytes(32, "big")
            records.append(ContentRecord(blake3, 1, ImageMetadata(width=1, height=1, format="JPEG"), near))
            files.append(FileRecord(root, f"{number:06}.jpg", 1, 0, blake3, None))
        store.pictures.record(records, files, model_id=model_id)


def measure_speed(folder: Path, rows: int, share: float) -> None:
    rng = random.Random(1)
    words = [_rare(rng).lower()[: rng.randrange(3, 9)] for _ in range(20_000)]
    weights = np.cumsum(1 / np.arange(10, 20_010)).tolist()

    def pick(count: int) -> str:
        return " ".join(rng.choices(words, cum_weights=weights, k=count))

    with Store(folder / "catalog", create=True) as store:
        model_id = store.models.add(name="m", fingerprint="0" * 64, dim=1).model_id
        root = store.roots.add("/photos").root_id
        for first in range(0, rows, 20_000):
            records, files = [], []
            for number in range(first, min(rows, first + 20_000)):
                described = Description()
                if rng.random() < share:
                    described = Description(title=pick(3), caption=pick(12), keywords=tuple(pick(4).split()))
                metadata = ImageMetadata(width=1, height=1, format="JPEG", description=described)
                blake3 = number.to_bytes(32, "big")
                records.append(ContentRecord(blake3, 1, metadata, np.ones(1, dtype=np.float32)))
                name = f"{2010 + number // 5_000 % 14}/Trip {number // 200}/IMG_{number % 10_000:04}.jpg"
                files.append(FileRecord(root, name, 1, 0, blake3, None))
            store.pictures.record(records, files, model_id=model_id)
        place = index_folder(folder / "catalog")
        start = perf_counter()
        refresh_written(store, place)
        size = written_path(place, store.uuid).stat().st_size
        print(f"{rows:,} rows, {share:.0%} described: built in {perf_counter() - start:.1f} s, {size / 1e6:.0f} MB")
        start = perf_counter()
        writing = CatalogWriting(store, place)
        writing.get()
        print(f"  opened in {1_000 * (perf_counter() - start):.1f} ms")
        kinds = {
            "two words": [pick(2) for _ in range(200)],
            "frequent words": [f"{words[rng.randrange(30)]} {words[rng.randrange(30)]}" for _ in range(100)],
            "a sentence": [f"a {words[rng.randrange(300)]} in the {pick(1)}" for _ in range(100)],
            "unknown": ["zebra crossing", "a giraffe", "xylophone players"] * 10,
        }
        for kind, queries in kinds.items():
            times = []
            for query in queries:
                wanted = words_of(query)
                start = perf_counter()
                if wanted is not None:
                    found = writing.ask(partial(WrittenWords.find, parts=wanted.words, most=MOST_MATCHES))
                    if len(found) <= MOST_MATCHES:
                        writing.ask(partial(WrittenWords.documents, ids=found.tolist()))
                times.append(1_000 * (perf_counter() - start))
            times.sort()
            print(f"  {kind}: {median(times):.1f} ms, 95 % below {times[int(0.95 * len(times))]:.1f} ms")
        start = perf_counter()
        writing.ask(partial(WrittenWords.find, parts=["猫"]))
        print(f"  one Chinese character: {1_000 * (perf_counter() - start):.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--described", type=float, default=1.0, help="share of the rows that are described")
    parser.add_argument("--photos", type=Path, default=Path(__file__).parents[3] / "shared" / "labelled-photos")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.rows:
            measure_speed(Path(folder), options.rows, options.described)
        else:
            measure_quality(Path(folder), options.photos)


if __name__ == "__main__":
    main()
