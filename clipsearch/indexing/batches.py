"""Collect pictures that were read into batches that are encoded and stored together."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder
from clipsearch.images.picture_reader import PictureReader, ReadPicture
from clipsearch.store import ContentRecord, FileRecord
from clipsearch.types import ImageMetadata, PartialFile, SkippedFile

# Files that need no embedding are stored when there are this many, at the latest.
_MAX_FILES = 500

# Batches are smaller where encoding a full one takes longer: a batch in flight is lost when the process is killed.
_MAX_ENCODING_S = 5.0


@dataclass(slots=True)
class Batch:
    """Pictures and files that are stored in one transaction.

    Attributes:
        to_encode: pictures to encode.
        crops: uint8 (height, width, 3), their crops in that order, wherever they lie.
        releases: what releases these crops, see `release`.
        files: files whose content needs no embedding, or that can't be read.
        skipped: files that can't be read.
        partial: files among the pictures to encode that are truncated.
        reused: blake3 of each file with a known content that was not its own before.
        unchanged: number of files that were read and still have the same content.
        measured: metadata of stored contents that were decoded for their measures, by blake3.
        part_count: parts besides the covers of the pictures to encode.
        contents: contents of the pictures, once they are encoded.
        is_stored: whether the batch was stored and counted.
        seconds: time that encoding took.
    """

    to_encode: list[ReadPicture] = field(default_factory=list)
    crops: list[NDArray[np.uint8]] = field(default_factory=list)
    releases: list[Callable[[], None]] = field(default_factory=list)
    files: list[FileRecord] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    partial: list[PartialFile] = field(default_factory=list)
    reused: list[bytes] = field(default_factory=list)
    unchanged: int = 0
    measured: dict[bytes, ImageMetadata] = field(default_factory=dict)
    part_count: int = 0
    contents: list[ContentRecord] = field(default_factory=list)
    is_stored: bool = False
    seconds: float = 0.0

    @property
    def is_empty(self) -> bool:
        return not (self.to_encode or self.files or self.skipped)

    def room(self, batch_size: int) -> int:
        """Return how many pictures can be added, whatever they are; 0 when the batch is full."""
        n_files = len(self.files) + len(self.skipped)  # a failure may count twice
        n_crops = len(self.to_encode) + self.part_count
        return max(0, min(batch_size - n_crops, (_MAX_FILES - n_files + 1) // 2))

    def release(self) -> None:
        """Release the crops, once they are encoded."""
        self.crops.clear()
        while self.releases:
            self.releases.pop()()

    def take(self, picture: ReadPicture) -> None:
        """Add a picture that was read; duplicates must be resolved before."""
        match picture.outcome:
            case "decoded":
                self.to_encode.append(picture)
                self.part_count += 0 if picture.part_crops is None else len(picture.part_crops)
                if picture.crop is not None:
                    self.crops.append(picture.crop)
                    picture.crop = None
                metadata = picture.metadata
                if metadata is not None and metadata.decoded_share is not None:
                    self.partial.append(PartialFile(picture.task.path, metadata.decoded_share, metadata.is_coarse))
            case "stored":
                self.files.append(_file_record(picture))
                if picture.metadata is not None and picture.blake3 is not None:
                    self.measured[picture.blake3] = picture.metadata
                if picture.is_unchanged:
                    self.unchanged += 1
                elif picture.blake3 is not None:
                    self.reused.append(picture.blake3)
            case "failed":
                kind = None if picture.limit is None else picture.limit[0]
                self.skipped.append(SkippedFile(picture.task.path, picture.reason, kind))
                # Only failures of the file itself are stored, and exceeded limits with their value: what the system
                # refuses today may work on the next run.
                if picture.is_lasting:
                    self.files.append(_file_record(picture))


class Collector:
    """Collects pictures into batches. Deduplicates: duplicates of a picture in flight wait until it is stored."""

    def __init__(self, reader: PictureReader, encoder: Encoder) -> None:
        self._reader = reader
        self._encoder = encoder
        self._batch = Batch()
        self._duplicates: deque[ReadPicture] = deque()
        self._max_to_encode: float = math.inf

    def take_all(self, pictures: deque[ReadPicture]) -> None:
        """Take pictures that were read from a queue, as far as the batch has room.

        Their crops are not copied: they have to stay until the batch is encoded, see `release_later`.
        """
        while pictures and (room := self._room):
            for _ in range(min(room, len(pictures))):
                self.take(pictures.popleft())

    def take(self, picture: ReadPicture) -> None:
        """Add a picture that was read."""
        known = self._reader.outcome(picture) if picture.outcome == "duplicate" else picture
        if known is None:
            self._duplicates.append(picture)
        else:
            self._batch.take(known)

    def release_later(self, release: Callable[[], None]) -> None:
        """Release crops when the batch that took the last of them is encoded: those before it are encoded earlier."""
        self._batch.releases.append(release)

    @property
    def _batch_size(self) -> int:
        # The encoder may change its batch size while it runs.
        return int(min(self._encoder.batch_size, self._max_to_encode))

    @property
    def _room(self) -> int:
        return self._batch.room(self._batch_size)

    @property
    def is_full(self) -> bool:
        return not self._room

    def note_speed(self, batch: Batch) -> None:
        """Limit the number of pictures per batch by the speed at which this batch was encoded."""
        if batch.contents and batch.seconds:
            n_crops = len(batch.contents) + batch.part_count
            self._max_to_encode = max(1.0, _MAX_ENCODING_S / (batch.seconds / n_crops))

    @property
    def is_due(self) -> bool:
        """Whether the batch should go now: also when many duplicates wait, perhaps for a picture in it."""
        return self.is_full or (len(self._duplicates) >= _MAX_FILES and not self._batch.is_empty)

    @property
    def is_empty(self) -> bool:
        return self._batch.is_empty and not self._duplicates

    def settle_duplicates(self) -> None:
        """Move waiting duplicates to the next batch, as far as it has room; call it after a batch was stored."""
        for _ in range(len(self._duplicates)):
            if self.is_full:
                return
            self.take(self._duplicates.popleft())

    def next_batch(self) -> Batch | None:
        """Return the collected batch; None when there are only duplicates."""
        if self._batch.is_empty:
            return None
        batch, self._batch = self._batch, Batch()
        self.settle_duplicates()
        return batch


def encode_batch(batch: Batch, encoder: Encoder) -> Batch:
    """Encode the pictures of a batch, set its contents and release its crops.

    The encoder is not called for a batch without pictures.
    """
    if batch.to_encode:
        start = perf_counter()
        embeddings = encoder.encode_images(batch.crops)
        parts = encode_parts(batch.to_encode, encoder)
        batch.seconds = perf_counter() - start
        batch.contents = [
            content_record(picture, embedding, parts.get(row))
            for row, (picture, embedding) in enumerate(zip(batch.to_encode, embeddings, strict=True))
        ]
    batch.release()
    return batch


def encode_parts(pictures: list[ReadPicture], encoder: Encoder) -> dict[int, NDArray[np.float32]]:
    """Encode the parts besides the covers, and drop their crops; return embeddings (n, dim) by row of the picture."""
    crops = {row: picture.part_crops for row, picture in enumerate(pictures) if picture.part_crops is not None}
    if not crops:
        return {}
    size, together = max(1, encoder.batch_size), [crop for each in crops.values() for crop in each]
    embeddings = np.concatenate(
        [encoder.encode_images(together[start : start + size]) for start in range(0, len(together), size)]
    )
    for row in crops:
        pictures[row].part_crops = None
    ends = np.cumsum([len(each) for each in crops.values()])
    return dict(zip(crops, np.split(embeddings, ends[:-1]), strict=True))


def file_records(batch: Batch) -> list[FileRecord]:
    return [*batch.files, *map(_file_record, batch.to_encode)]


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


def content_record(
    picture: ReadPicture, embedding: NDArray[np.float32], part_embeddings: NDArray[np.float32] | None = None
) -> ContentRecord:
    """Make the record of a decoded picture with its embedding (dim,), and those of its other parts (n, dim)."""
    metadata = picture.metadata
    if metadata is None or picture.blake3 is None:
        raise ValueError(f"{picture.task.path} was not decoded")
    return ContentRecord(picture.blake3, picture.size_bytes, metadata, embedding, picture.parts, part_embeddings)
