"""What was read, gathered into what is encoded and stored together."""

import math
from collections import deque
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder
from clipsearch.images.reading import PictureReader, ReadPicture
from clipsearch.store import ContentRecord, FileRecord
from clipsearch.types import PartialFile, SkippedFile

# Files that cost no embedding are stored at the latest when they are so many.
_MAX_FILES = 500

# A batch is made smaller where encoding a full one takes longer: it is lost when the process is killed meanwhile.
_MAX_ENCODING_S = 5.0


@dataclass(slots=True)
class Batch:
    """What is stored in one transaction.

    Attributes:
        fresh: pictures that have a crop until they are encoded.
        files: files whose content needs no embedding, or that can't be read.
        skipped: files that can't be read.
        partial: files of the fresh ones whose end is missing.
        reused: blake3 of the files, each, that have a content that was known, but not as theirs.
        unchanged: number of files that were read and have the content that they had.
        contents: of the fresh ones, once they are encoded.
        is_stored: whether it was stored and counted.
        seconds: that encoding took.
    """

    fresh: list[ReadPicture] = field(default_factory=list)
    files: list[FileRecord] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    partial: list[PartialFile] = field(default_factory=list)
    reused: list[bytes] = field(default_factory=list)
    unchanged: int = 0
    contents: list[ContentRecord] = field(default_factory=list)
    is_stored: bool = False
    seconds: float = 0.0

    @property
    def is_empty(self) -> bool:
        return not (self.fresh or self.files or self.skipped)

    def is_full(self, batch_size: int) -> bool:
        return len(self.fresh) >= batch_size or len(self.files) + len(self.skipped) >= _MAX_FILES

    def take(self, picture: ReadPicture) -> None:
        """Adds what was read, twins aside."""
        match picture.outcome:
            case "decoded":
                self.fresh.append(picture)
                metadata = picture.metadata
                if metadata is not None and metadata.decoded_share is not None:
                    self.partial.append(PartialFile(picture.task.path, metadata.decoded_share, metadata.is_coarse))
            case "stored":
                self.files.append(_file_record(picture))
                if picture.is_as_before:
                    self.unchanged += 1
                elif picture.blake3 is not None:
                    self.reused.append(picture.blake3)
            case "failed":
                kind = None if picture.limit is None else picture.limit[0]
                self.skipped.append(SkippedFile(picture.task.path, picture.reason, kind))
                # What the system refused today it may allow tomorrow: only what the file itself holds is remembered,
                # and what was beyond a limit, with that limit.
                if picture.is_lasting:
                    self.files.append(_file_record(picture))


class Collector:
    """Gathers pictures into a batch; copies of a picture that is still on its way wait until it has arrived."""

    def __init__(self, reader: PictureReader, encoder: Encoder) -> None:
        self._reader = reader
        self._encoder = encoder
        self._batch = Batch()
        self._twins: deque[ReadPicture] = deque()
        self._max_fresh: float = math.inf

    def take(self, picture: ReadPicture) -> None:
        known = self._reader.outcome(picture) if picture.outcome == "twin" else picture
        if known is None:
            self._twins.append(picture)
        else:
            self._batch.take(known)

    @property
    def is_full(self) -> bool:
        # The encoder's own number may change once it has begun.
        return self._batch.is_full(int(min(self._encoder.batch_size, self._max_fresh)))

    def note_speed(self, batch: Batch) -> None:
        """Learns from a batch how many pictures can be encoded in one go."""
        if batch.contents and batch.seconds:
            self._max_fresh = max(1.0, _MAX_ENCODING_S / (batch.seconds / len(batch.contents)))

    @property
    def is_due(self) -> bool:
        """Whether the batch should go now: also when so many twins wait, perhaps for a picture in it."""
        return self.is_full or (len(self._twins) >= _MAX_FILES and not self._batch.is_empty)

    @property
    def is_empty(self) -> bool:
        return self._batch.is_empty and not self._twins

    def settle_twins(self) -> None:
        """To be called when a batch was stored: what waited for it goes into the next one, as far as that has room."""
        for _ in range(len(self._twins)):
            if self.is_full:
                return
            self.take(self._twins.popleft())

    def next_batch(self) -> Batch | None:
        """What was gathered; None when there is nothing but twins."""
        if self._batch.is_empty:
            return None
        batch, self._batch = self._batch, Batch()
        self.settle_twins()
        return batch


def encode_batch(batch: Batch, encoder: Encoder) -> Batch:
    """Fills in the contents; an encoder is not touched for a batch without fresh pictures."""
    if batch.fresh:
        crops = np.stack([picture.crop for picture in batch.fresh if picture.crop is not None])
        batch.fresh = [replace(picture, crop=None) for picture in batch.fresh]  # they are in `crops` now
        start = perf_counter()
        embeddings = encoder.encode_images(crops)
        batch.seconds = perf_counter() - start
        batch.contents = [
            content_record(picture, embedding) for picture, embedding in zip(batch.fresh, embeddings, strict=True)
        ]
    return batch


def file_records(batch: Batch) -> list[FileRecord]:
    return [*batch.files, *map(_file_record, batch.fresh)]


def _file_record(picture: ReadPicture) -> FileRecord:
    failed = picture.outcome == "failed"
    return FileRecord.of(
        picture.task.root_id,
        picture.task.relative_path,
        picture.stamp,
        blake3=None if failed else picture.blake3,
        skip_reason=picture.reason if failed else None,
        limit=picture.limit,
    )


def content_record(picture: ReadPicture, embedding: NDArray[np.float32]) -> ContentRecord:
    """Of a picture that was decoded, with its embedding (dim,)."""
    metadata = picture.metadata
    if metadata is None or picture.blake3 is None:
        raise ValueError(f"{picture.task.path} was not decoded")
    return ContentRecord(picture.blake3, picture.size_bytes, metadata, embedding)
