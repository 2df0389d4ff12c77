"""Store how long a picture takes with a compiled model on this machine, next to `model.json`.

A file of its own: `model.json` of the same format is read by versions that know no such figure, and a compiled model
without the file is complete.
"""

import json
import math
from pathlib import Path

from clipsearch import processes
from clipsearch.files import read_regular_file

TIMING_NAME = "timing.json"
_MAX_BYTES = 10_000


def write_image_ms(directory: Path, image_ms: float) -> None:
    """Write the milliseconds of a picture, with the machine that they were measured on."""
    content = json.dumps({"image_ms": image_ms, **_machine()}, indent=1) + "\n"
    (directory / TIMING_NAME).write_text(content, encoding="utf-8")


def read_image_ms(directory: Path) -> float | None:
    """Read the milliseconds of a picture; None when they are unknown, or were measured on another machine."""
    try:
        content = json.loads(read_regular_file(directory / TIMING_NAME, max_bytes=_MAX_BYTES))
        image_ms = float(content["image_ms"])
        is_from_here = {key: content[key] for key in ("processor", "cores")} == _machine()
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None
    return image_ms if is_from_here and math.isfinite(image_ms) and image_ms > 0 else None


def _machine() -> dict[str, object]:
    return {"processor": processes.processor_name(), "cores": processes.core_count()}
