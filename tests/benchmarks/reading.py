"""CPU of the main process a picture while indexing: python -m tests.benchmarks.reading [--count 12000] [--large]

Small pictures are indexed into a fresh catalog with worker processes and an encoder that does nothing, so that what is
left is what no number of cores can hide. It does not depend on the size of the pictures, and hardly on other load.
"""

import argparse
import resource
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.encoders.base import Crops, ProbabilityHead
from clipsearch.images.decode import default_limits
from clipsearch.images.picture_reader import PictureReader
from clipsearch.images.preprocess import Preprocess
from clipsearch.indexing import index_folders, pipeline
from clipsearch.indexing.options import IndexOptions
from clipsearch.store import Store
from clipsearch.types import IndexReport
from clipsearch.vectors import normalise
from tests.benchmarks import photos
from tests.benchmarks.measuring import note, print_table, workplace

_STAGES = ("listing", "reading", "collecting", "encoding", "storing")


class NoEncoder:
    """Rows of 512 numbers that have nothing to do with the pictures, which are those of CLIP ViT-B/32."""

    name = "none"
    fingerprint = "00" * 32
    dim = 512
    context_length = 77
    batch_size = 64
    preprocess = Preprocess(224, 224, 224, 3, 1 / 255, (0.48, 0.46, 0.41), (0.27, 0.26, 0.28))
    head = ProbabilityHead("softmax", 100.0)
    _rows = normalise(np.random.default_rng(0).standard_normal((batch_size, dim)))

    def encode_images(self, crops: Crops) -> NDArray[np.float32]:
        return self._rows[: len(crops)]

    def encode_texts(self, texts: list[str]) -> NDArray[np.float32]:
        return self._rows[: len(texts)]

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        pass


@dataclass
class Costs:
    """CPU seconds of the main process.

    Attributes:
        stages: by what was done.
        cpu_s: of the whole process, the rest included: the threads' own work and the starts of workers.
        wall_s: from start to end.
    """

    stages: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_STAGES, 0.0))
    cpu_s: float = 0.0
    wall_s: float = 0.0


def index(folder: Path, directory: Path, encoder: Any) -> tuple[IndexReport, Costs]:
    """Indexes a folder into a fresh catalog, and removes that."""
    shutil.rmtree(directory, ignore_errors=True)
    costs = Costs()
    with Store(directory, create=True) as store:
        model = store.models.add(name=encoder.name, fingerprint=encoder.fingerprint, dim=encoder.dim)
        scope = store.roots.add(str(folder.resolve()))
        undo = _watch(store, costs.stages)
        start, cpu_s, main_s = perf_counter(), process_time(), thread_time()
        try:
            report = index_folders(
                [scope],
                store=store,
                encoder=encoder,
                model_id=model.model_id,
                options=IndexOptions(limits=default_limits()),
            )
        finally:
            undo()
        costs.wall_s, costs.cpu_s = perf_counter() - start, process_time() - cpu_s
        costs.stages["collecting"] = thread_time() - main_s - costs.stages["storing"]
    shutil.rmtree(directory)
    return report, costs


def _watch(store: Store, stages: dict[str, float]) -> Callable[[], None]:
    """Notes the CPU time of a run's stages, each of which has threads of its own; returns what ends it."""
    before: list[tuple[Any, str, Any]] = []

    def watch(holder: Any, name: str, stage: str) -> None:
        work = getattr(holder, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            start = thread_time()
            try:
                return work(*arguments, **options)
            finally:
                stages[stage] += thread_time() - start

        before.append((holder, name, work))
        setattr(holder, name, watched)

    find_changes = pipeline.find_changes

    def listed(*arguments: Any, **options: Any) -> Iterator[Any]:
        start = thread_time()
        for changes in find_changes(*arguments, **options):
            stages["listing"] += thread_time() - start
            yield changes
            start = thread_time()

    before.append((pipeline, "find_changes", find_changes))
    pipeline.find_changes = listed
    watch(PictureReader, "read_list", "reading")
    watch(pipeline, "encode_batch", "encoding")
    watch(pipeline, "store_batch", "storing")

    def undo() -> None:
        for holder, name, work in reversed(before):
            setattr(holder, name, work)

    return undo


def costs_row(what: str, report: IndexReport, costs: Costs) -> list[str]:
    each = 1000 / report.embedded
    rest = costs.cpu_s - sum(costs.stages.values())
    return [
        what,
        f"{report.embedded / costs.wall_s:.0f}",
        f"{costs.cpu_s * each:.3f}",
        *(f"{costs.stages[stage] * each:.3f}" for stage in _STAGES),
        f"{rest * each:.3f}",
    ]


COSTS_HEAD = ["", "pictures/s", "main-process CPU, ms a picture", *_STAGES, "the rest"]


def _tiny(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        colours = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        path = folder / f"IMG_{number:06d}.jpg"
        if not path.exists():
            colours.resize((80, 60)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=12_000, help="pictures of 80 × 60, %(default)s by default")
    parser.add_argument("--rounds", type=int, default=3, help="of which the least counts, %(default)s by default")
    parser.add_argument("--large", action="store_true", help="photographs of 12 megapixels too, a hundredth as many")
    parser.add_argument("--folder", type=Path, help="where the pictures are kept")
    chosen = parser.parse_args()
    rows = []
    with workplace(chosen.folder) as place:
        sets = [("80 × 60", place / "tiny", lambda folder: _tiny(folder, chosen.count))]
        if chosen.large:
            sets.append(("4000 × 3000", place / "large", lambda folder: photos.large(folder, chosen.count // 100)))
        for what, folder, make in sets:
            note(f"making pictures of {what}")
            make(folder)
            runs = [index(folder, place / "catalog", NoEncoder()) for _ in range(chosen.rounds)]
            report, costs = min(runs, key=lambda run: run[1].cpu_s)
            rows.append(costs_row(f"{report.embedded:,} of {what}", report, costs))
    print_table(COSTS_HEAD, rows)
    print(f"most memory of the main process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
