"""Store how long a picture takes with a compiled model on this machine, next to `model.json`.

A file of its own: `model.json` of the same format is read by versions that know no such figure, and a compiled model
without the file is complete.
"""

import json
import math
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch import processes
from clipsearch.encoders.base import Encoder
from clipsearch.files import read_regular_file

TIMING_NAME = "timing.json"
_MAX_BYTES = 10_000

# Of a measurement, at most; a slow model takes one round.
_SECONDS, _ROUNDS = 0.3, 5

# One inference request for each core: all are busy, and a large model is done within seconds.
_ROWS_PER_CORE = 8


def measure_image_ms(encoder: Encoder, crops: NDArray[np.uint8]) -> float:
    """Measure the time of a picture in bulk, in milliseconds: the median of a few rounds.

    Args:
        crops: some of the model's input, (n, height, width, 3).
    """
    batch = batch_of(crops)
    seconds: list[float] = []
    while sum(seconds) < _SECONDS and len(seconds) < _ROUNDS:
        began = time.perf_counter()
        encoder.encode_images(batch)
        seconds.append(time.perf_counter() - began)
    return 1000 * float(np.median(seconds)) / len(batch)


def batch_of(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat or cut crops (n, height, width, 3) to a batch that keeps all cores busy."""
    return np.resize(crops, (_ROWS_PER_CORE * processes.core_count(), *crops.shape[1:]))


def write_image_ms(directory: Path, image_ms: float) -> None:
    """Write the milliseconds of a picture, with the machine that they were measured on."""
    content = json.dumps({"image_ms": image_ms, **this_machine()}, indent=1) + "\n"
    (directory / TIMING_NAME).write_text(content, encoding="utf-8")


def read_image_ms(directory: Path) -> float | None:
    """Read the milliseconds of a picture; None when they are unknown, or were measured on another machine."""
    try:
        content = json.loads(read_regular_file(directory / TIMING_NAME, max_bytes=_MAX_BYTES))
        image_ms = float(content["image_ms"])
        is_from_here = {key: content[key] for key in ("processor", "cores")} == this_machine()
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None
    return image_ms if is_from_here and math.isfinite(image_ms) and image_ms > 0 else None


def this_machine() -> dict[str, object]:
    """Return what a measured time holds for: the processor and its cores."""
    return {"processor": processes.processor_name(), "cores": processes.core_count()}
