"""Made bursts that become stacks, and what does not: python -m tests.benchmarks.stacks [CAPTIONS] [--half N]

Photographs with the name of what they show (.jsonl with "image" and "caption"; by default sample_data/captions.jsonl)
become bursts of two to eight frames, 0.1 to 2 seconds apart: a window moves over the photograph and zooms, and the
exposure, the noise, the sharpness and the quality of the JPEG change from frame to frame. Between the bursts, 1 to 3
seconds apart, are single photographs of other things, and photographs of one name in a row; and each photograph that
became a burst is one again, days later. Precision, recall and F1 count the pairs of pictures that are, and should be,
in one stack.

`--half` takes every other name only, from 0 or from 1: the thresholds were chosen on half 0 of another set. `--speed
COUNT` measures the processor time of a catalog of COUNT contents, three in ten of them in bursts and one in ten a
camera raw file: all at once, and for 1,000 new ones.
"""

import argparse
import io
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import load_encoder
from clipsearch.images.decode import decode_image
from clipsearch.images.measures import measure
from clipsearch.images.perceptual_hash import perceptual_hash
from clipsearch.images.preprocess import resize_and_crop
from clipsearch.indexing.stacks import find_stacks
from clipsearch.paths import sample_data_folder
from clipsearch.settings import STARTER
from clipsearch.store import ContentRecord, FileRecord, Store
from clipsearch.types import ImageMetadata, ModelOptions
from clipsearch.vectors import normalise
from tests.benchmarks.measuring import print_table, workplace

_BATCH = 32
_DIM, _NEW, _RECORDS = 512, 1_000, 2_000
_START = datetime(2024, 5, 1, 9)


@dataclass(frozen=True, slots=True)
class Shot:
    """A made photograph, and the burst that it belongs to; each single one is a burst of its own."""

    image: Image.Image
    taken_at: datetime
    burst: int


def read_photographs(captions: Path, half: int | None) -> dict[str, list[Path]]:
    """Photographs by name, in the order of the file; of every other name, or of all."""
    found: dict[str, list[Path]] = {}
    for line in captions.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        found.setdefault(entry["caption"], []).append(captions.parent / entry["image"])
    return {name: paths for number, (name, paths) in enumerate(found.items()) if half is None or number % 2 == half}


def make_shots(named: dict[str, list[Path]], rng: np.random.Generator) -> Iterator[Shot]:
    """Two visits to all names, the second some days later: a burst, a single photograph, and photographs of a kind."""
    numbers = itertools.count()
    names = list(named)
    for day in (0, 3):
        now = _START + timedelta(days=day)
        order = rng.permutation(len(names))
        for place, other in zip(order, np.roll(order, 1), strict=True):
            first, *rest = named[names[place]]
            image, burst = decode_image(first).image, next(numbers)
            for frame in draw_burst(image, int(rng.integers(2, 9)), rng):
                yield Shot(frame, now, burst)
                now += timedelta(seconds=float(rng.uniform(0.1, 2)))
            singles = [*rest, named[names[other]][-1]] if day == 0 else []
            for path in singles:
                now += timedelta(seconds=float(rng.uniform(1, 3)))
                (frame,) = draw_burst(decode_image(path).image, 1, rng)
                yield Shot(frame, now, next(numbers))
            now += timedelta(seconds=float(rng.uniform(1, 3)))


def draw_burst(image: Image.Image, count: int, rng: np.random.Generator) -> Iterator[Image.Image]:
    """Frames that a hand would take one after the other."""
    zoom, (left, top) = rng.uniform(0.8, 0.95), rng.uniform(0, 1, 2)
    speed = rng.normal(0, 0.15, 2)
    exposure = 1.0
    for _ in range(count):
        width, height = (zoom * side for side in image.size)
        x, y = left * (image.width - width), top * (image.height - height)
        frame = image.resize((round(width), round(height)), Image.Resampling.BICUBIC, (x, y, x + width, y + height))
        if rng.random() < 0.2:
            frame = frame.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 1.5))))
        pixels = np.asarray(frame, dtype=np.float32) * exposure + rng.normal(
            0, rng.uniform(0, 6), (*frame.size[::-1], 1)
        )
        file = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=int(rng.integers(70, 96)))
        yield Image.open(file).convert("RGB")
        zoom = float(np.clip(zoom * rng.normal(1, 0.02), 0.75, 0.98))
        left = float(np.clip(rng.normal(left + speed[0], 0.08), 0, 1))
        top = float(np.clip(rng.normal(top + speed[1], 0.08), 0, 1))
        exposure = float(np.clip(exposure * rng.normal(1, 0.08), 0.7, 1.4))


def embed(shots: Sequence[Shot], encoder: Encoder) -> NDArray[np.float32]:
    rows = [
        encoder.encode_images(
            np.stack([resize_and_crop(shot.image, encoder.preprocess) for shot in shots[first : first + _BATCH]])
        )
        for first in range(0, len(shots), _BATCH)
    ]
    return np.concatenate(rows)


def measure_f1(captions: Path, half: int | None, seed: int) -> None:
    shots = list(make_shots(read_photographs(captions, half), np.random.default_rng(seed)))
    rows = embed(shots, load_encoder(ModelOptions(STARTER)))
    with workplace(None) as folder, closing(Store(folder / "catalog", create=True)) as store:
        model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=rows.shape[1]).model_id
        root_id = store.roots.add("/made").root_id
        records = [
            ContentRecord(number.to_bytes(32, "big"), 1, _metadata(shot), rows[number])
            for number, shot in enumerate(shots)
        ]
        files = [FileRecord(root_id, f"{number}.jpg", 1, 1, each.blake3) for number, each in enumerate(records)]
        store.pictures.record(records, files, model_id=model_id)
        find_stacks(store, model_id=model_id, dim=rows.shape[1])
        ids = store.pictures.find_contents([each.blake3 for each in records])
        stack_ids = store.reader.stacks.all_stack_ids()
    stacks = [stack_ids.get(ids[each.blake3], -number) for number, each in enumerate(records)]
    found, expected = (_pairs(keys) for keys in (stacks, [shot.burst for shot in shots]))
    right = len(found & expected)
    precision, recall = right / max(1, len(found)), right / max(1, len(expected))
    print_table(
        ("pictures", "bursts", "pairs", "found", "precision", "recall", "F1"),
        [
            (
                f"{len(shots):,}",
                f"{sum(count > 1 for count in Counter(shot.burst for shot in shots).values()):,}",
                f"{len(expected):,}",
                f"{len(found):,}",
                f"{precision:.4f}",
                f"{recall:.4f}",
                f"{2 * precision * recall / max(1e-9, precision + recall):.4f}",
            )
        ],
    )


def _metadata(shot: Shot) -> ImageMetadata:
    phash, sharpness = perceptual_hash(shot.image), measure(shot.image).sharpness
    return ImageMetadata(*shot.image.size, "JPEG", shot.taken_at, "Camera", phash=phash, sharpness=sharpness)


def _pairs(keys: Sequence[int]) -> set[tuple[int, int]]:
    members: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        members.setdefault(key, []).append(place)
    return {pair for each in members.values() for pair in itertools.combinations(each, 2)}


def measure_speed(count: int) -> None:
    rng = np.random.default_rng(0)
    with workplace(None) as folder, closing(Store(folder / "catalog", create=True)) as store:
        model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=_DIM).model_id
        root_id = store.roots.add("/made").root_id
        _fill(store, range(count), root_id, model_id, rng)
        rows = [("all", f"{count:,}", *_find(store, model_id, count))]
        _fill(store, range(count, count + _NEW), root_id, model_id, rng)
        rows.append(("new", f"{_NEW:,}", *_find(store, model_id, _NEW)))
        rows.append(("none new", "0", *_find(store, model_id, 1)))
    print_table(("contents", "number", "in stacks that changed", "s", "ms each"), rows)


def _find(store: Store, model_id: int, count: int) -> tuple[str, str, str]:
    start = time.process_time()
    moved = find_stacks(store, model_id=model_id, dim=_DIM)
    seconds = time.process_time() - start
    return f"{moved:,}", f"{seconds:.2f}", f"{1000 * seconds / count:.3f}"


def _fill(store: Store, numbers: range, root_id: int, model_id: int, rng: np.random.Generator) -> None:
    """Contents an hour apart; of ten, three are a burst and one is the raw file of another."""
    for start in range(numbers.start, numbers.stop, _RECORDS):
        part = range(start, min(start + _RECORDS, numbers.stop))
        scenes = rng.normal(size=(len(part), _DIM)).astype(np.float32)
        hashes = rng.integers(1, 1 << 62, len(part)).tolist()
        contents, files = [], []
        for row, number in enumerate(part):
            place = number % 10
            scene = row - place if 0 < place < 3 and row >= place else row
            taken_at = _START + timedelta(hours=number - (place if place < 3 else 0), seconds=place)
            is_raw = place == 9
            metadata = ImageMetadata(
                4, 3, "NEF" if is_raw else "JPEG", taken_at, "C", phash=hashes[scene], sharpness=50
            )
            if is_raw:
                metadata = replace(metadata, taken_at=_START + timedelta(hours=number - 1, seconds=8))
            blake3 = number.to_bytes(32, "big")
            contents.append(ContentRecord(blake3, 1, metadata, normalise(scenes[scene])))
            name = f"{number // 1000}/{number - is_raw}.{'nef' if is_raw else 'jpg'}"
            files.append(FileRecord(root_id, name, 1, 1, blake3))
        store.pictures.record(contents, files, model_id=model_id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path, nargs="?", default=sample_data_folder() / "captions.jsonl")
    parser.add_argument("--half", type=int, choices=(0, 1))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", type=int, metavar="COUNT")
    options = parser.parse_args()
    if options.speed:
        measure_speed(options.speed)
    else:
        measure_f1(options.captions, options.half, options.seed)


if __name__ == "__main__":
    main()
