"""Indexing beside the loop that anybody writes with transformers: python -m tests.benchmarks.peers [--count 1000]

The same photographs and the same model, one after the other in turns, medians of the rounds:

(a) the loop: Pillow opens, CLIP's image processor prepares, CLIPModel in float32 encodes 32 at a time;
(b) Catalog.index, from the folder to the embeddings in SQL, with the model loaded;
(c) its encoder alone, the crops in memory;
(d) its reading alone: file, hash, decoding, crop.

(b) does (c) and (d) at the same time on the same cores: 1 / (1/c + 1/d) is what it would reach if nothing else cost
anything.
"""

import argparse
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from clipsearch import Catalog
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.embed_image import picture_crop
from clipsearch.encoders.load import load_encoder
from clipsearch.images.picture_reader import PictureReader, Task
from clipsearch.prefetch import default_workers
from tests.benchmarks import material, photos
from tests.benchmarks.measuring import note, print_table, run_clipsearch, seconds_of, workplace

_LOOP_BATCH = 32
_ENCODED = 256


def measure(name: str, folder: Path, *, rounds: int, loop_count: int, scratch: Path) -> list[float]:
    """Pictures a second in each of the four ways."""
    paths = sorted(folder.iterdir())
    encoder = load_encoder(name)
    crops = np.stack([picture_crop(path, encoder.preprocess) for path in paths[:_ENCODED]])
    loop = _make_loop(name)
    ways: list[tuple[str, int, Callable[[], float]]] = [
        ("transformers loop", min(loop_count, len(paths)), lambda: seconds_of(lambda: loop(paths[:loop_count]))),
        ("Catalog.index", len(paths), lambda: _index_s(name, folder, scratch / "catalog")),
        ("encoder alone", len(crops), lambda: seconds_of(lambda: _encode(encoder, crops))),
        ("reading alone", len(paths), lambda: seconds_of(lambda: _read(encoder, paths))),
    ]
    loop(paths[:_LOOP_BATCH])
    _encode(encoder, crops[: encoder.batch_size])
    rates: list[list[float]] = [[] for _ in ways]
    for round_number in range(1, rounds + 1):
        for (way, count, work), found in zip(ways, rates, strict=True):
            found.append(count / work())
            note(f"  round {round_number}, {way:<18} {found[-1]:8.1f} a second over {count}")
    return [median(found) for found in rates]


def _make_loop(name: str) -> Callable[[list[Path]], NDArray[np.float32]]:
    import torch
    from PIL import Image
    from transformers import CLIPImageProcessor, CLIPModel

    model = CLIPModel.from_pretrained(name).eval()
    processor = CLIPImageProcessor.from_pretrained(name)

    def embed(paths: list[Path]) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(paths), _LOOP_BATCH):
            images = [Image.open(path) for path in paths[start : start + _LOOP_BATCH]]
            with torch.inference_mode():
                features = model.get_image_features(**processor(images=images, return_tensors="pt")).pooler_output
            parts.append(torch.nn.functional.normalize(features, dim=-1).numpy())
        return np.concatenate(parts)

    return embed


def _index_s(name: str, folder: Path, directory: Path) -> float:
    shutil.rmtree(directory, ignore_errors=True)
    with Catalog.open(directory, model=name, create=True) as catalog:
        spec = catalog.encoder.preprocess
        catalog.encoder.encode_images(np.zeros((1, spec.height, spec.width, 3), dtype=np.uint8))
        return seconds_of(lambda: catalog.index(folder))


def _encode(encoder: Encoder, crops: NDArray[np.uint8]) -> None:
    for start in range(0, len(crops), encoder.batch_size):
        encoder.encode_images(crops[start : start + encoder.batch_size])


def _read(encoder: Encoder, paths: list[Path]) -> None:
    """In as many threads as indexing takes, each picture forgotten at once."""
    reader = PictureReader(encoder.preprocess, find_stored=lambda blake3s: ())
    with ThreadPoolExecutor(default_workers()) as pool:
        outcomes = pool.map(lambda path: reader.read(Task(0, path.name, str(path))).outcome, paths)
    assert set(outcomes) == {"decoded"}


def _row(what: str, count: int, rates: list[float]) -> list[str]:
    loop, index, encoder, reading = rates
    bound = 1 / (1 / encoder + 1 / reading)
    return [
        f"{count:,} {what}",
        *(f"{rate:.1f}" for rate in (loop, index, encoder, reading, bound)),
        f"{index / bound:.0%}",
        f"{index / loop:.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000, help="small photographs")
    parser.add_argument("--large-count", type=int, default=200, help="photographs of 12 megapixels")
    parser.add_argument("--loop-count", type=int, default=128, help="as many of them for the loop, which is slow")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep what is made here, and use it again")
    chosen = parser.parse_args()
    with workplace(chosen.folder) as place:
        name = material.model_name(place, material.RANDOM_CLIP)
        load_encoder(name)  # compiles it
        kinds = (
            ("small", "of 640 × 480", chosen.count, photos.small),
            ("large", "of 4000 × 3000", chosen.large_count, photos.large),
        )
        table, memory = [], []
        for kind, what, count, make in kinds:
            note(f"{count:,} {what}")
            folder = place / f"{kind}-{count}"
            make(folder, count)
            rates = measure(name, folder, rounds=chosen.rounds, loop_count=chosen.loop_count, scratch=place)
            table.append(_row(what, count, rates))
            # The first time OpenVINO makes a file of its own of the compiled model.
            shutil.rmtree(place / "cache" / "openvino", ignore_errors=True)
            for run in ("first", "second"):
                shutil.rmtree(place / "catalog", ignore_errors=True)
                done = run_clipsearch("index", folder, "--catalog", place / "catalog", "--model", name)
                memory.append(
                    [f"{count:,} {what}, {run} run", f"{done.peak_bytes / 1e9:.2f} GB", f"{done.seconds:.1f} s"]
                )
    print(f"(a) over {chosen.loop_count} of the photographs, medians of {chosen.rounds} rounds, photographs a second\n")
    print_table(["", "a: loop", "b: index", "c: encoder", "d: reading", "1/(1/c + 1/d)", "b of that", "b / a"], table)
    print("\nclipsearch index as a process, with the model compiled before\n")
    print_table(["", "peak memory", "time"], memory)


if __name__ == "__main__":
    main()
