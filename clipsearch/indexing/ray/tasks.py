"""Define the tasks that Ray runs on the machines of a cluster: reading and decoding, and encoding.

Ray retries a task when its process or its machine dies. So that it does so for nothing else, an error of a file or a
model is returned as data, not raised, and a decoder that may crash runs in a process of its own.

A block of files, as NumPy arrays:

    number      int64     of the file in its wave
    task        bytes     `Task`, pickled
      ──► read_files ──►
    number
    picture     bytes     `ReadPicture` without its crop, pickled
    is_decoded  bool
    crop        uint8     (n, height, width, 3), zeros where it was not decoded
      ──► EncodeCrops ──►
    number, picture
    embedding   float32   (n, dim) unit-norm, zeros where it was not decoded
    failure     str       why nothing could be encoded, else ""
"""

import os
import pickle
import platform
from collections.abc import Sequence
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
from clipsearch.images.find import UNKNOWN_SIZE
from clipsearch.images.picture_reader import PictureReader, ReadPicture, Task, too_large_to_read
from clipsearch.images.preprocess import Preprocess
from clipsearch.images.remote.files import fetched_file
from clipsearch.images.worker_pool import WorkerPool
from clipsearch.indexing.ray.digest_set import KnownContents

Block: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Reading:
    """Configuration of reading.

    Attributes:
        preprocess: of the model that the pictures are for.
        known: references to the `KnownContents` that already have an embedding.
        unmeasured: reference to those that are stored without their measures.
        threads: number of files that one task reads concurrently.
    """

    preprocess: Preprocess
    limits: DecodingLimits
    known: Sequence[Any]
    unmeasured: Any
    threads: int


@cache
def _worker_pool(preprocess: Preprocess, limits: DecodingLimits) -> WorkerPool:
    """Return the worker pool of this process, shared by all its tasks."""
    return WorkerPool(preprocess, limits=limits)


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="clipsearch")


def read_files(block: Block, *, reading: Reading) -> Block:
    """Read and decode the files of a block; errors of a file are returned, never raised."""
    known: list[KnownContents] = ray.get(list(reading.known))
    unmeasured: KnownContents = ray.get(reading.unmeasured)
    limits, spec = reading.limits, reading.preprocess
    reader = PictureReader(
        spec,
        find_stored=lambda digests: {digest for digest in digests if any(digest in part for part in known)},
        find_unmeasured=lambda digests: {digest for digest in digests if digest in unmeasured},
        open_list=_worker_pool(spec, limits).open_list,
        max_bytes=limits.max_bytes,
    )
    tasks = [pickle.loads(task) for task in block["task"]]  # noqa: S301 (pickled by the process that runs the index)
    found = list(_threads(reading.threads).map(lambda task: _read(task, reader, limits.max_bytes), tasks))
    crops = np.zeros((len(tasks), spec.height, spec.width, 3), dtype=np.uint8)
    pictures: list[bytes] = []
    for row, picture in enumerate(found):
        if picture.crop is not None:
            crops[row] = picture.crop
        pictures.append(pickle.dumps(replace(_resolve_duplicate(picture, reader), crop=None)))
    return {
        "number": block["number"],
        "picture": _object_array(pictures),
        "is_decoded": np.array([picture.outcome == "decoded" for picture in found], dtype=bool),
        "crop": crops,
    }


def _resolve_duplicate(picture: ReadPicture, reader: PictureReader) -> ReadPicture:
    """Resolve a duplicate of another picture of the same block, which is stored in the same transaction."""
    if picture.outcome != "duplicate":
        return picture
    return reader.outcome(picture) or replace(picture, outcome="stored")


def _read(task: Task, reader: PictureReader, max_bytes: int) -> ReadPicture:
    listed = task.listed
    if listed is None:
        return reader.read(task)
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
        if self._encoder is not None and is_decoded.any():
            crops = block["crop"]
            try:
                embeddings[is_decoded] = self._encoder.encode_images(crops if is_decoded.all() else crops[is_decoded])
            except ClipSearchError as error:
                failure = str(error)
        return {
            "number": block["number"],
            "picture": block["picture"],
            "embedding": embeddings,
            "failure": _object_array([failure] * len(is_decoded)),
        }


def _object_array(values: Sequence[object]) -> NDArray[Any]:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
