"""Define the tasks that Ray runs on the machines of a cluster: reading and decoding, and encoding.

Ray retries a task when its process or its machine dies. So that it does so for nothing else, an error of a file or a
model is returned as data, not raised, and a decoder that may crash runs in a process of its own.

A block of files, as NumPy arrays:

    number      int64     of the file in its wave
    task        bytes     `Task`, pickled
      ──► read_files ──►
    number
    picture     bytes     `ReadPicture` without its crop, pickled; with those of its other parts
    is_decoded  bool
    has_parts   bool      the picture has crops of other parts
    crop        uint8     (n, height, width, 3), zeros where it was not decoded
      ──► EncodeCrops ──►
    number, picture
    embedding   float32   (n, dim) unit-norm, zeros where it was not decoded
    parts       bytes     float32 (k, dim) unit-norm of the other parts, b"" without any
    failure     str       why nothing could be encoded, else ""
"""

import math
import os
import pickle
import platform
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, TypeAlias

import numpy as np
import ray
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder
from clipsearch.encoders.spec import EncoderRecipe
from clipsearch.errors import ClipSearchError, ImageReadError
from clipsearch.images.decode import DecodingLimits
from clipsearch.images.file_stamp import FileStamp
from clipsearch.images.find import UNKNOWN_SIZE, FoundImage
from clipsearch.images.picture_reader import PictureReader, ReadFiles, ReadPicture, Task, take_list, too_large_to_read
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.remote.files import fetched_file
from clipsearch.images.shared_crops import files_at_once
from clipsearch.images.worker_pool import WorkerPool
from clipsearch.indexing.batches import encode_parts
from clipsearch.indexing.ray.digest_set import KnownContents

Block: TypeAlias = dict[str, NDArray[Any]]

# Lists of files that a thread reads of a block, so that no thread ends much later than the others.
_LISTS_A_THREAD = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """Configuration of reading.

    Attributes:
        preprocess: of the model that the pictures are for.
        known: references to the `KnownContents` that already have an embedding.
        unmeasured: reference to those that are stored without their measures.
        threads: number of lists of files that one task reads concurrently.
    """

    preprocess: Preprocess
    limits: DecodingLimits
    known: Sequence[Any]
    unmeasured: Any
    threads: int


@cache
def worker_pool(preprocess: Preprocess, limits: DecodingLimits) -> WorkerPool:
    """Return the worker pool of this process, shared by all its tasks."""
    return WorkerPool(preprocess, limits=limits)


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="ray-reading")


def read_files(block: Block, *, reading: Reading) -> Block:
    """Read and decode the files of a block; errors of a file are returned, never raised."""
    known: list[KnownContents] = ray.get(list(reading.known))
    unmeasured: KnownContents = ray.get(reading.unmeasured)
    limits, spec = reading.limits, reading.preprocess
    reader = PictureReader(
        spec,
        find_stored=lambda digests: {digest for digest in digests if any(digest in part for part in known)},
        find_unmeasured=lambda digests: {digest for digest in digests if digest in unmeasured},
        open_list=worker_pool(spec, limits).open_list,
        max_bytes=limits.max_bytes,
    )
    tasks = [pickle.loads(task) for task in block["task"]]  # noqa: S301 (pickled by the process that runs the index)
    crops = np.zeros((len(tasks), spec.height, spec.width, 3), dtype=np.uint8)

    def read(rows: range) -> list[ReadPicture]:
        return _read_list([tasks[row] for row in rows], reader, limits.max_bytes, crops=crops[rows.start : rows.stop])

    most_files = min(files_at_once(spec), math.ceil(len(tasks) / (_LISTS_A_THREAD * reading.threads)))
    lists = _threads(reading.threads).map(read, _rows_of_lists(tasks, most_files))
    found = [picture for pictures in lists for picture in pictures]
    return {
        "number": block["number"],
        "picture": _object_array([pickle.dumps(_resolve_duplicate(picture, reader)) for picture in found]),
        "is_decoded": np.array([picture.outcome == "decoded" for picture in found], dtype=bool),
        "has_parts": np.array([picture.part_crops is not None for picture in found], dtype=bool),
        "crop": crops,
    }


def _rows_of_lists(tasks: Sequence[Task], most_files: int) -> Iterator[range]:
    """Yield the rows of files to read together; those behind URLs are fetched and read one by one."""
    waiting = deque(tasks)
    while waiting:
        start = len(tasks) - len(waiting)
        n_here = next((row for row, task in enumerate(waiting) if task.listed is not None), len(waiting))
        taken = take_list(waiting, max(1, min(n_here, most_files)))
        yield range(start, start + len(taken))


def _read_list(
    tasks: Sequence[Task], reader: PictureReader, max_bytes: int, *, crops: NDArray[np.uint8]
) -> list[ReadPicture]:
    """Read files together, or one behind a URL; move the crops of those that were decoded to the rows of `crops`."""
    if tasks[0].listed is None:
        found = reader.read_list(tasks)
    else:
        found = ReadFiles([_read_url(tasks[0], tasks[0].listed, reader, max_bytes)])
    for row, picture in enumerate(found.pictures):
        if picture.crop is not None:
            crops[row] = picture.crop
            picture.crop = None
        if picture.part_crops is not None:  # it may be memory that is released
            picture.part_crops = picture.part_crops.copy()
    found.release()
    return found.pictures


def _resolve_duplicate(picture: ReadPicture, reader: PictureReader) -> ReadPicture:
    """Resolve a duplicate of another picture of the same block, which is stored in the same transaction."""
    if picture.outcome != "duplicate":
        return picture
    return reader.outcome(picture) or replace(picture, outcome="stored")


def _read_url(task: Task, listed: FoundImage, reader: PictureReader, max_bytes: int) -> ReadPicture:
    """Fetch a file that was listed behind a URL, and read it."""
    # The stamp of the listing: the next run compares it with another listing.
    stamp = FileStamp(max(listed.size_bytes, 0), listed.mtime_ns)
    if listed.size_bytes > max_bytes:
        return too_large_to_read(task, stamp, max_bytes=max_bytes)
    failed = partial(ReadPicture, task, "failed", stamp)
    try:
        with fetched_file(task.path, max_bytes=max_bytes) as copy:
            picture = reader.read(replace(task, path=copy))
    except FileNotFoundError:
        return failed(reason="deleted before it could be read")
    except ImageReadError as error:
        return failed(reason=str(error), is_lasting=True, limit=error.limit)
    except (OSError, ClipSearchError) as error:
        return failed(reason=str(error))
    size_bytes = picture.size_bytes if listed.size_bytes == UNKNOWN_SIZE else listed.size_bytes
    return replace(picture, task=task, stamp=FileStamp(size_bytes, listed.mtime_ns))


class EncodeCrops:
    """Actor with one encoder, on the GPU that Ray assigned to this process, else on the CPU."""

    def __init__(self, recipe: EncoderRecipe) -> None:
        # Ray sets it to one thread, for a process that should use the whole machine.
        os.environ.pop("OMP_NUM_THREADS", None)
        self._encoder: Encoder | None = None
        self._failure = ""
        try:
            self._encoder = recipe.load()
        except ClipSearchError as error:
            self._failure = f"on {platform.node()}: {error}"

    def __call__(self, block: Block) -> Block:
        is_decoded, failure = block["is_decoded"], self._failure
        dim = 1 if self._encoder is None else self._encoder.dim
        embeddings = np.zeros((len(is_decoded), dim), dtype=np.float32)
        pictures, parts = block["picture"].tolist(), [b""] * len(is_decoded)
        if self._encoder is not None and is_decoded.any():
            crops = block["crop"]
            try:
                embeddings[is_decoded] = self._encoder.encode_images(crops if is_decoded.all() else crops[is_decoded])
                for row in np.flatnonzero(block["has_parts"]).tolist():
                    picture = pickle.loads(pictures[row])  # noqa: S301 (pickled by `read_files`)
                    parts[row] = encode_parts([picture], self._encoder)[0].tobytes()
                    pictures[row] = pickle.dumps(picture)
            except ClipSearchError as error:
                failure = str(error)
        return {
            "number": block["number"],
            "picture": _object_array(pictures),
            "embedding": embeddings,
            "parts": _object_array(parts),
            "failure": _object_array([failure] * len(is_decoded)),
        }


def _object_array(values: Sequence[object]) -> NDArray[Any]:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
