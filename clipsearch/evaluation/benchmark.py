"""Benchmark this machine: rates, latencies and memory, with the user's own model and catalog."""

import io
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch import paths, processes
from clipsearch.catalog import Catalog
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import load_chosen_encoder
from clipsearch.encoders.machine import processor_features
from clipsearch.encoders.plain_loop import PlainLoop
from clipsearch.errors import CatalogNotFoundError, ClipSearchError, InputError
from clipsearch.evaluation.links import link_image
from clipsearch.images.decode import default_limits
from clipsearch.images.find import find_images
from clipsearch.images.picture_reader import PictureReader, Task
from clipsearch.indexing import index_folders
from clipsearch.indexing.options import IndexOptions
from clipsearch.notices import muted
from clipsearch.prefetch import default_workers
from clipsearch.processes import run_python, start_python, watch_memory
from clipsearch.session.file_index import CatalogIndex
from clipsearch.store import Store
from clipsearch.types import ModelOptions
from clipsearch.vectors import normalise

# Passes per rate, of which the median counts; interleaved, so that other load does not affect one rate alone.
_ROUNDS = 3
_QUERIES = 50
_COLD_QUERIES = 5
_MAX_OWN_PICTURES = 200
_LOOP_PICTURES = 32

# (name, pictures, width, height) of the sets generated when no folder is named.
_GENERATED = (("small photos, 640 × 480", 200, 640, 480), ("photos of 12 megapixels", 24, 4000, 3000))

# Words of generated queries; more than a million combinations.
_LIKE = "black blue brown green grey large old orange pink red round small white wooden yellow young"
_THINGS = (
    "apple bicycle bird boat book bottle bridge camera car cat chair clock cow cup dog donut flower guitar hat horse "
    "house lamp man mountain pizza ship statue table train tree woman"
)
_PLACES = ("at night", "in the rain", "in the snow", "on the beach", "at sunset")

Stage = Callable[[str], None]
"""Callback with a short description of the next measurement."""


@dataclass(frozen=True, slots=True)
class IndexRate:
    """Index rate of one set of pictures, in pictures per second.

    Attributes:
        what: name of the set.
        pictures: number of pictures measured.
        decode_rate: reading, hashing, decoding and resizing alone, on all cores.
        encode_rate: the vision tower alone, on all cores.
        bound_rate: upper bound when both share the cores: 1 / (1 / decode_rate + 1 / encode_rate).
        index_rate: the whole index run, including storage.
        loop_rate: the plain loop of transformers, see `PlainLoop`, over up to 32 of them; None when not measured.
    """

    what: str
    pictures: int
    decode_rate: float
    encode_rate: float
    bound_rate: float
    index_rate: float
    loop_rate: float | None

    @property
    def share_of_bound(self) -> float:
        return self.index_rate / self.bound_rate


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Results of `clipsearch bench`.

    Attributes:
        model: model name.
        processor: its name; "" when unknown.
        features: of the processor, such as "AVX2", "VNNI", "bf16"; empty when unknown.
        cores: number of cores available to this process.
        rates: one for each set of pictures.
        peak_memory_bytes: of an index process; None where the system does not report it.
        searched_pictures: number of pictures in the searched catalog.
        search_ms: median latency of an exact search in the index alone.
        query_p50_ms: median latency of `Catalog.search` with words in a running process, words to hits.
        query_p95_ms: 95th percentile of the same.
        cold_query_s: median duration of a `clipsearch query` process, from start to end.
    """

    model: str
    processor: str
    features: tuple[str, ...]
    cores: int
    rates: tuple[IndexRate, ...]
    peak_memory_bytes: int | None
    searched_pictures: int
    search_ms: float
    query_p50_ms: float
    query_p95_ms: float
    cold_query_s: float


def measure(
    directory: Path,
    model: ModelOptions,
    *,
    folder: Path | None = None,
    with_loop: bool = False,
    on_stage: Stage | None = None,
) -> BenchReport:
    """Measure index rates, query latencies and memory; takes about a minute.

    Read-only for the user's catalog: pictures are indexed into temporary catalogs.

    Args:
        directory: the catalog to search, with its model; without one, the catalog of the measured pictures is searched.
        model: the model to measure; without a name, the catalog's.
        folder: pictures to index, at most 200 of them; None for generated pictures.
        with_loop: measure the plain loop of transformers too.

    Raises:
        InputError: the folder has no pictures.
        ModelError: `with_loop`, and the model has no files for transformers.
    """
    tell = on_stage or (lambda what: None)
    has_catalog = _has_pictures(directory)
    with ExitStack() as opened:
        if has_catalog:
            catalog = opened.enter_context(_open(directory, model))
            encoder = catalog.encoder
        else:
            encoder = load_chosen_encoder(model)
            opened.callback(encoder.close)
        loop = PlainLoop(encoder.name) if with_loop else None
        named = {
            "--model": model.name or encoder.name,
            "--device": model.device,
            "--runtime": model.runtime,
            "--precision": model.precision,
        }
        options = [part for option, value in named.items() if value is not None for part in (option, value)]
        scratch = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="clipsearch-bench-")))
        rates: list[IndexRate] = []
        indexed = scratch / "catalog"
        peak_bytes = 0
        for what, pictures in _picture_sets(folder, scratch, tell):
            tell(f"indexing {what}")
            rates.append(_measure_rate(what, pictures, encoder, scratch, loop))
            peak_bytes = max(peak_bytes, _peak_bytes(["index", str(pictures), "--catalog", str(indexed), *options]))
        tell("queries")
        searched = directory if has_catalog else indexed
        cold_s = statistics.median(_cold_query(searched, options) for _ in range(_COLD_QUERIES))
        # Muted: each text is longer than some models take.
        with _open(searched, model) as catalog, muted():
            catalog.search("a photo")
            warm_ms = [1000 * _seconds(partial(catalog.search, new_text())) for _ in range(_QUERIES)]
        search_ms, count = _measure_search(searched)
        return BenchReport(
            model=encoder.name,
            processor=processes.processor_name(),
            features=processor_features(),
            cores=processes.core_count(),
            rates=tuple(rates),
            peak_memory_bytes=peak_bytes or None,
            searched_pictures=count,
            search_ms=search_ms,
            query_p50_ms=statistics.median(warm_ms),
            query_p95_ms=statistics.quantiles(warm_ms, n=20)[-1],
            cold_query_s=cold_s,
        )


def _open(directory: Path, model: ModelOptions) -> Catalog:
    return Catalog.open(
        directory, model=model.name, device=model.device, runtime=model.runtime, precision=model.precision
    )


def _has_pictures(directory: Path) -> bool:
    try:
        with Store(directory) as store:
            return store.reader.find_current_model() is not None and store.pictures.counts()[0] > 0
    except CatalogNotFoundError:
        return False


def _picture_sets(folder: Path | None, scratch: Path, tell: Stage) -> Iterator[tuple[str, Path]]:
    if folder is not None:
        target = scratch / "pictures"
        target.mkdir()
        found = find_images(folder).images
        if not found:
            raise InputError(f"no pictures in {folder}")
        chosen = found[:: -(-len(found) // _MAX_OWN_PICTURES)]
        for number, image in enumerate(chosen):
            link_image(folder / image.relative_path, target / f"{number}{Path(image.relative_path).suffix}")
        yield f"{len(chosen)} of your pictures", target
        return
    for number, (what, count, width, height) in enumerate(_GENERATED):
        tell(f"generating {count} {what}")
        target = scratch / f"pictures-{number}"
        target.mkdir()
        rng = np.random.default_rng(number)
        for name in range(count):
            (target / f"{name}.jpg").write_bytes(_generate_photo(rng, width, height))
        yield what, target


def _generate_photo(rng: np.random.Generator, width: int, height: int) -> bytes:
    """Return a JPEG of soft shapes and grain, with about as many bytes as a photo of that size."""
    shapes = Image.fromarray(rng.integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8))
    grain = rng.integers(-12, 13, (256, 256, 1), dtype=np.int16)
    tiles = np.tile(grain, (height // 256 + 1, width // 256 + 1, 1))[:height, :width]
    pixels = np.asarray(shapes.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16) + tiles
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _measure_rate(what: str, folder: Path, encoder: Encoder, scratch: Path, loop: PlainLoop | None) -> IndexRate:
    tasks = [Task(0, image.relative_path, str(folder / image.relative_path)) for image in find_images(folder).images]
    encoder.encode_images(_read_first(tasks, encoder))  # warm-up: loads what is loaded once
    looped = [Path(task.path) for task in tasks[:_LOOP_PICTURES]]
    read_s, encode_s, index_s, loop_s = [], [], [], []
    for number in range(_ROUNDS):
        start = perf_counter()
        crops = _read_all(tasks, encoder)
        read_s.append(perf_counter() - start)
        encode_s.append(_seconds(partial(_encode_all, crops, encoder)))
        index_s.append(_seconds(partial(_index, folder, encoder, scratch / f"{folder.name}-{number}")))
        if loop is not None:
            loop_s.append(_seconds(partial(loop.embed, looped)))
    decode_rate, encode_rate = len(tasks) / statistics.median(read_s), len(crops) / statistics.median(encode_s)
    return IndexRate(
        what=what,
        pictures=len(tasks),
        decode_rate=decode_rate,
        encode_rate=encode_rate,
        bound_rate=1 / (1 / decode_rate + 1 / encode_rate),
        index_rate=len(tasks) / statistics.median(index_s),
        loop_rate=len(looped) / statistics.median(loop_s) if loop_s else None,
    )


def _read_first(tasks: Sequence[Task], encoder: Encoder) -> NDArray[np.uint8]:
    """Return the crop (1, height, width, 3) of the first readable picture."""
    reader = PictureReader(encoder.preprocess, find_stored=lambda blake3s: ())
    for task in tasks:
        crop = reader.read(task).crop
        if crop is not None:
            return crop[np.newaxis]
    raise InputError("none of the pictures can be read")


def _read_all(tasks: Sequence[Task], encoder: Encoder) -> NDArray[np.uint8]:
    """Return the crops (n, height, width, 3) of readable pictures, with as many threads as indexing uses."""
    reader = PictureReader(encoder.preprocess, find_stored=lambda blake3s: ())
    with ThreadPoolExecutor(default_workers()) as pool:
        return np.stack([picture.crop for picture in pool.map(reader.read, tasks) if picture.crop is not None])


def _encode_all(crops: NDArray[np.uint8], encoder: Encoder) -> None:
    for start in range(0, len(crops), encoder.batch_size):
        encoder.encode_images(crops[start : start + encoder.batch_size])


def _index(folder: Path, encoder: Encoder, directory: Path) -> None:
    with Store(directory, create=True) as store:
        model = store.models.add(name=encoder.name, fingerprint=encoder.fingerprint, dim=encoder.dim)
        scope = store.roots.add(str(folder.resolve()))
        index_folders(
            [scope],
            store=store,
            encoder=encoder,
            model_id=model.model_id,
            options=IndexOptions(limits=default_limits()),
        )


def _peak_bytes(arguments: Sequence[str]) -> int:
    """Run a clipsearch command; return the peak memory of its process tree, 0 where the system does not report it."""
    with tempfile.TemporaryFile() as errors:
        process = start_python(["-m", "clipsearch", *arguments], stdout=subprocess.DEVNULL, stderr=errors)
        peak_bytes = watch_memory(process)
        errors.seek(0)
        if process.returncode != 0:
            raise ClipSearchError(f"the index process failed: {errors.read().decode(errors='replace')[-300:]}")
    return peak_bytes


def _cold_query(directory: Path, options: Sequence[str]) -> float:
    """Run `clipsearch query` as a process and return its duration in seconds."""
    text = new_text()
    start = perf_counter()
    done = run_python(["-m", "clipsearch", "query", "--text", text, "--catalog", str(directory), *options])
    if done.returncode != 0:
        raise ClipSearchError(f"the query process failed: {done.stderr.strip()[-300:]}")
    return perf_counter() - start


def new_text() -> str:
    """Return random query words, about a dozen tokens, that miss the text cache with near certainty.

    Without numbers, which CLIP tokenises digit by digit.
    """
    rng = np.random.default_rng()
    likes, things = (rng.choice(words.split(), 2) for words in (_LIKE, _THINGS))
    return f"a photo of a {likes[0]} {things[0]} beside a {likes[1]} {things[1]} {rng.choice(_PLACES)}"


def _measure_search(directory: Path) -> tuple[float, int]:
    """Return the median latency in ms of a search in the image index alone, and the number of pictures."""
    with Store(directory) as store:
        model = store.reader.find_current_model()
        if model is None:
            raise CatalogNotFoundError(f"nothing is indexed in {directory}")
        folder = paths.index_folder(directory)
        index = CatalogIndex("images", store=store, model_id=model.model_id, folder=folder).get()
        rows = normalise(np.random.default_rng(0).standard_normal((_QUERIES, model.dim)))
        index.search(rows[:1], 10)
        seconds = [_seconds(partial(index.search, row[np.newaxis], 10)) for row in rows]
        return 1000 * statistics.median(seconds), index.count


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
