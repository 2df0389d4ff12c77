"""A Ray cluster of machines, as far as Ray can tell, and pictures for it."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clipsearch.processes import environment

BROKEN = 5
TURNED = 4
COPIES = 6

# A machine of one core, without the process that reads logs.
NODE = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_log_monitor": False}


@contextmanager
def running_cluster() -> Iterator[Any]:
    """One node; `add_node(**NODE)` adds another, and both share the work."""
    before = dict(os.environ)
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": environment()["PYTHONPATH"]}
    from ray.cluster_utils import Cluster

    # A node that is gone is missed sooner than is usual.
    health = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
    head = {**NODE, "include_dashboard": False, "no_monitor": True, "_system_config": health}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield cluster
    finally:
        cluster.shutdown()
        os.environ.clear()
        os.environ.update(before)


def paint(folder: Path, count: int, *, seed: int = 0) -> None:
    """So many different pictures, of them some turned by EXIF; and beside them copies and files that are none."""
    rng = np.random.default_rng(seed)
    (folder / "deep" / "er").mkdir(parents=True)
    for number in range(count):
        colours = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(colours).resize((48, 36), Image.Resampling.NEAREST)
        exif = Image.Exif()
        if number < TURNED:
            exif[0x0112] = 6
        place = folder if number % 2 else folder / "deep" / "er"
        picture.save(place / f"{number:04}.jpg", exif=exif, quality=90)
    first = sorted(folder.glob("*.jpg"))
    for number in range(COPIES):
        (folder / f"copy-{number}.jpg").write_bytes(first[number].read_bytes())
    for number in range(BROKEN):
        (folder / f"broken-{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes([number]) * 40)


def jpeg(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "JPEG")
    return file.getvalue()
