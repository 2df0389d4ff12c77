"""Store what was measured of a model in int8 on this machine: how near its rows are, and how fast it is."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clipsearch.encoders.openvino.agreement import Agreement
from clipsearch.encoders.openvino.timing import this_machine
from clipsearch.files import atomic_write, read_regular_file

RECORD_NAME = "int8.json"
_MAX_BYTES = 10_000

MIN_GAIN = 1.3
"""How many times as fast as the best other precision int8 must be to be taken unasked."""


@dataclass(frozen=True, slots=True)
class Int8Record:
    """What was measured of a model in int8.

    Attributes:
        image_ms: CPU time of a picture in bulk, all cores together.
        other_ms: that of the best other precision, `other`.
        images: how near the rows of pictures are to float32.
        texts: those of texts; None: the text model stays in floating point.
        kept_layers: of the image model's `layers`, those that stay in floating point.
    """

    image_ms: float
    other_ms: float
    other: str
    images: Agreement
    texts: Agreement | None
    kept_layers: int
    layers: int

    @property
    def gain(self) -> float:
        return self.other_ms / self.image_ms

    @property
    def is_worth_it(self) -> bool:
        """Whether int8 is so much faster that it is taken unasked."""
        return self.gain >= MIN_GAIN


def write_record(directory: Path, record: Int8Record) -> None:
    content = json.dumps({**asdict(record), "machine": this_machine()}, indent=1)
    (directory / RECORD_NAME).write_text(content + "\n", encoding="utf-8")


def read_record(directory: Path) -> Int8Record | None:
    """Read what was measured; None when there is nothing, it is damaged, or was measured on another machine."""
    content = _read(directory)
    try:
        if content is None or content["machine"] != this_machine():
            return None
        texts = content["texts"]
        record = Int8Record(
            image_ms=float(content["image_ms"]),
            other_ms=float(content["other_ms"]),
            other=str(content["other"]),
            images=Agreement(**content["images"]),
            texts=None if texts is None else Agreement(**texts),
            kept_layers=int(content["kept_layers"]),
            layers=int(content["layers"]),
        )
    except (LookupError, TypeError, ValueError, OverflowError):
        return None
    is_valid = all(math.isfinite(value) and value > 0 for value in (record.image_ms, record.other_ms))
    return record if is_valid else None


def write_refusal(directory: Path, reason: str, versions: dict[str, str]) -> None:
    """Write why a model can't be had in int8 with these versions of the libraries."""
    content = json.dumps({"reason": reason, "versions": versions, "machine": this_machine()})
    atomic_write(directory / RECORD_NAME, content.encode("utf-8"))


def read_refusal(directory: Path, versions: dict[str, str]) -> str | None:
    """Read why a model can't be had in int8; None when that is not known of this machine and these versions."""
    content = _read(directory)
    try:
        if content is None or content["machine"] != this_machine() or content["versions"] != versions:
            return None
        return str(content["reason"])
    except (LookupError, TypeError):
        return None


def _read(directory: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(read_regular_file(directory / RECORD_NAME, max_bytes=_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
