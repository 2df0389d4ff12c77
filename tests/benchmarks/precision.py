"""How fast each precision is, and how near its rows: python -m tests.benchmarks.precision [--model NAME] [--isa avx2]

Pictures in bulk and a single text, as the encoder runs them, for CLIP ViT-B/32 with random weights and the starter.
Times are CPU time of all cores, the least of some rounds, the precisions in turn: on a machine that does other work
too, the clock says little. `--isa avx2` lets OpenVINO use no newer instructions, as on processors that have none.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from clipsearch import processes
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.embed_image import picture_crop
from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.openvino.agreement import Agreement, compare_rows
from clipsearch.encoders.openvino.timing import batch_of
from clipsearch.errors import ModelError
from clipsearch.settings import STARTER
from clipsearch.types import ModelOptions
from tests.benchmarks import material
from tests.benchmarks.figures import sample_captions
from tests.benchmarks.measuring import note, print_table, workplace
from tests.benchmarks.photos import sample_paths

_ROUNDS, _TEXT_ROUNDS = 4, 20
_FEATURES = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimddp")


def measure(name: str) -> None:
    import numpy as np

    encoders: dict[str, Encoder] = {}
    for precision in ("f32", "bf16", "int8"):
        try:
            encoders[precision] = load_encoder(ModelOptions(name, device="cpu", precision=precision))
        except ModelError as error:
            note(str(error))
    paths, captions = sample_paths(), list(sample_captions().values())
    crops = np.stack([picture_crop(path, encoders["f32"].preprocess) for path in paths])
    batch = batch_of(crops)
    image_ms = _least_ms([lambda e=e: e.encode_images(batch) for e in encoders.values()], _ROUNDS)
    text_ms = _least_ms([lambda e=e: e.encode_texts(captions[:1]) for e in encoders.values()], _TEXT_ROUNDS)
    exact = encoders["f32"]
    rows = []
    for (precision, encoder), image, text in zip(encoders.items(), image_ms, text_ms, strict=True):
        pictures = compare_rows(encoder.encode_images(crops), exact.encode_images(crops))
        texts = compare_rows(encoder.encode_texts(captions), exact.encode_texts(captions))
        speed = 1000 * len(batch) * processes.core_count() / image
        rows.append([precision, f"{speed:.1f}", f"{text:.1f}", *_shown(pictures), *_shown(texts)])
    print(f"\n{name}, {len(crops)} pictures and {len(captions)} captions")
    print_table(
        [
            "precision",
            "pictures/s",
            "text ms",
            *("worst", "mean", "neighbours"),
            *("texts: worst", "mean", "neighbours"),
        ],
        rows,
    )


def _shown(found: Agreement) -> list[str]:
    return [f"{found.worst:.4f}", f"{found.mean:.4f}", f"{found.neighbours:.2f}"]


def _least_ms(works: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """CPU milliseconds of each work, the works in turn; the first round warms up."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(rounds + 1):
        for work, found in zip(works, seconds, strict=True):
            began = time.process_time()
            work()
            found.append(time.process_time() - began)
    return [1000 * min(found[1:]) for found in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help=f"{material.MODEL_HELP}; default: random-clip and starter")
    parser.add_argument("--folder", type=Path, help="keep what is made here, and use it again")
    parser.add_argument("--isa", choices=["avx2"], help="use no newer instructions")
    chosen = parser.parse_args()
    if chosen.isa is not None and "ONEDNN_MAX_CPU_ISA" not in os.environ:  # read when OpenVINO is loaded
        os.environ["ONEDNN_MAX_CPU_ISA"] = chosen.isa.upper()
        os.execv(sys.executable, [sys.executable, "-m", "tests.benchmarks.precision", *sys.argv[1:]])
    features = [name for name in _FEATURES if name in processes.processor_flags()]
    limit = "" if chosen.isa is None else f", limited to {chosen.isa}"
    print(f"{processes.processor_name()}, {processes.core_count()} cores, {' '.join(features)}{limit}")
    with workplace(chosen.folder) as place:
        for model in chosen.model or [material.RANDOM_CLIP, STARTER]:
            measure(material.model_name(place, model))


if __name__ == "__main__":
    main()
