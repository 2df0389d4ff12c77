"""Pack and unpack the frames between a worker process and its parent: a kind (1 byte), a length (4 bytes), the content.

See `worker` for their order. Stamps are records of one size; metadata and failures are JSON, never pickles: a worker
reads hostile files.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from struct import Struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from clipsearch.description import pack, unpack
from clipsearch.errors import ImageReadError, TransientReadError
from clipsearch.images.file_stamp import FileStamp
from clipsearch.images.reading import Decoded
from clipsearch.images.thumbnails import Thumbnail
from clipsearch.ocr.lines import pack_lines, unpack_lines
from clipsearch.ocr.look import Look, ReadImage
from clipsearch.ocr.models import OcrModels, pack_models, unpack_models
from clipsearch.parts import Part, pack_parts, unpack_parts
from clipsearch.types import ImageMetadata

READY, READ, DECODE, SKIP, GO, HASHED, LARGE, SMALL, DECODED, FAILED = range(10)
SHRINK, SHRUNK, DESCRIBE, DESCRIBED, VIEW, VIEWED, NEXT, READ_TEXT, TEXT = range(10, 19)

SIDE = Struct("<I")
_HEADER = Struct("<BI")
_LENGTH = Struct("<I")
_SIZE = Struct("<II")

# A file that was hashed: its kind, the numbers of its stamp, its blake3.
_HASHED = Struct("<B4q32s")
_FAILED_TO_READ, _WITHOUT_INODE, _WITH_INODE = range(3)
_NOT_HASHED = _HASHED.pack(_FAILED_TO_READ, 0, 0, 0, 0, b"")

_FIELDS = tuple(field.name for field in fields(ImageMetadata))
_values_of = attrgetter(*_FIELDS)
_TAKEN_AT, _DESCRIPTION = _FIELDS.index("taken_at"), _FIELDS.index("description")

HashedFile = tuple[FileStamp, bytes]
"""Stamp and blake3 of a file that was read."""


def write_frame(stream: BinaryIO, kind: int, content: bytes = b"") -> None:
    stream.write(_HEADER.pack(kind, len(content)) + content)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[int, bytes]:
    """Read one frame: its kind and its content.

    Raises:
        EOFError: the other end has closed the pipe.
    """
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise EOFError
    kind, length = _HEADER.unpack(header)
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return kind, content


def pack_paths(paths: Sequence[str]) -> bytes:
    return os.fsencode("\0".join(paths))


def unpack_paths(content: bytes) -> list[str]:
    return os.fsdecode(content).split("\0")


def pack_hashed(files: Sequence[HashedFile | Exception]) -> bytes:
    """Pack the files of a list: a record of one size for each, then the failures."""
    records = b"".join(_NOT_HASHED if isinstance(file, Exception) else _hashed_record(file) for file in files)
    failures = [_failure(file) for file in files if isinstance(file, Exception)]
    return _LENGTH.pack(len(records)) + records + _pack_json(failures)


def _hashed_record(file: HashedFile) -> bytes:
    (size_bytes, mtime_ns, ctime_ns, inode), digest = file
    if ctime_ns is None or inode is None:
        return _HASHED.pack(_WITHOUT_INODE, size_bytes, mtime_ns, 0, 0, digest)
    return _HASHED.pack(_WITH_INODE, size_bytes, mtime_ns, ctime_ns, inode, digest)


def unpack_hashed(content: bytes) -> list[HashedFile | Exception]:
    """Unpack the files of a list in its order; an OSError or ImageReadError stands for one that can't be read."""
    end = _LENGTH.size + _LENGTH.unpack_from(content)[0]
    failures = map(_error, json.loads(content[end:]))
    found: list[HashedFile | Exception] = []
    for kind, size_bytes, mtime_ns, ctime_ns, inode, digest in _HASHED.iter_unpack(content[_LENGTH.size : end]):
        if kind == _WITH_INODE:
            found.append((FileStamp(size_bytes, mtime_ns, ctime_ns, inode), digest))
        elif kind == _WITHOUT_INODE:
            found.append((FileStamp(size_bytes, mtime_ns), digest))
        else:
            found.append(next(failures))
    return found


def pack_request(rows: Sequence[int], slot: int | None) -> bytes:
    return _pack_json([slot, *rows])


def unpack_request(content: bytes) -> tuple[list[int], int | None]:
    """Unpack the positions in the list of what to decode, and the slot of the shared block for the crops, or None."""
    slot, *rows = json.loads(content)
    return rows, slot


def pack_decoded(pictures: Sequence[Decoded | Exception], *, with_crops: bool) -> bytes:
    """Pack the pictures of a list, with the crops of all parts besides the covers.

    Args:
        with_crops: and those of the covers: there is no shared block.
    """
    described: list[Any] = []
    crops: list[bytes] = []
    for each in pictures:
        if isinstance(each, Exception):
            described.append(_failure(each))
            continue
        described.append([*_described(each.metadata), *([pack_parts(each.parts)] if each.parts else [])])
        if with_crops:
            crops.append(each.crop.tobytes())
        if each.part_crops is not None:
            crops.append(each.part_crops.tobytes())
    text = _pack_json(described)
    return b"".join((_LENGTH.pack(len(text)), text, *crops))


def unpack_decoded(
    content: bytes, crops: NDArray[np.uint8] | None, *, height: int, width: int
) -> list[Decoded | Exception]:
    """Unpack the pictures of a list in its order.

    Args:
        crops: (n, height, width, 3) in the shared block, by position; None: they follow in the content.

    Returns:
        ImageReadError for those that can't be decoded; fewer than requested when the worker had to stop.
    """
    start = _LENGTH.size + _LENGTH.unpack_from(content)[0]
    described = json.loads(content[_LENGTH.size : start])
    sent = np.frombuffer(content, dtype=np.uint8, offset=start).reshape(-1, height, width, 3)
    found: list[Decoded | Exception] = []
    for place, each in enumerate(described):
        if isinstance(each, dict):
            found.append(_error(each))
            continue
        if crops is None:
            crop, sent = sent[0], sent[1:]
        else:
            crop = crops[place]
        if len(each) == len(_FIELDS):
            found.append(Decoded(crop, _metadata(each)))
        else:
            parts = unpack_parts(each.pop())
            count = len(parts) - 1
            found.append(Decoded(crop, _metadata(each), parts, sent[:count] if count else None))
            sent = sent[count:]
    return found


def pack_metadata(metadata: ImageMetadata) -> bytes:
    return _pack_json(_described(metadata))


def unpack_metadata(content: bytes) -> ImageMetadata:
    return _metadata(json.loads(content))


def pack_shrink(side: int, part: Part | None) -> bytes:
    """Pack the side in pixels of a thumbnail, and the part that it is of."""
    return SIDE.pack(side) + pack_part(part)


def unpack_shrink(content: bytes) -> tuple[int, Part | None]:
    (side,) = SIDE.unpack_from(content)
    return side, unpack_part(content[SIDE.size :])


def pack_part(part: Part | None) -> bytes:
    return b"" if part is None else _pack_json(part.to_json())


def unpack_part(content: bytes) -> Part | None:
    return Part.from_json(json.loads(content)) if content else None


def pack_text_request(models: OcrModels, part: Part | None) -> bytes:
    return _pack_json([pack_models(models), None if part is None else part.to_json()])


def unpack_text_request(content: bytes) -> tuple[OcrModels, Part | None]:
    models, part = json.loads(content)
    return unpack_models(models), None if part is None else Part.from_json(part)


def pack_text(read: ReadImage) -> bytes:
    return _pack_json([pack_lines(read.lines), read.look])


def unpack_text(content: bytes) -> ReadImage:
    lines, look = json.loads(content)
    return ReadImage(unpack_lines(lines), None if look is None else Look(*look))


def pack_thumbnail(thumbnail: Thumbnail) -> bytes:
    return _SIZE.pack(thumbnail.width, thumbnail.height) + thumbnail.jpeg


def unpack_thumbnail(content: bytes) -> Thumbnail:
    return Thumbnail(content[_SIZE.size :], *_SIZE.unpack_from(content))


def pack_failure(error: Exception) -> bytes:
    return _pack_json(_failure(error))


def unpack_failure(content: bytes) -> Exception:
    return _error(json.loads(content))


def is_transient(error: Exception) -> bool:
    """Return whether memory ran out or the machine failed: a new process may do better."""
    return isinstance(error, TransientReadError | MemoryError)


def _pack_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _described(metadata: ImageMetadata) -> list[Any]:
    values = list(_values_of(metadata))
    if metadata.taken_at is not None:
        values[_TAKEN_AT] = metadata.taken_at.isoformat()
    if metadata.description is not None:
        values[_DESCRIPTION] = pack(metadata.description)
    return values


def _metadata(values: list[Any]) -> ImageMetadata:
    if values[_TAKEN_AT] is not None:
        values[_TAKEN_AT] = datetime.fromisoformat(values[_TAKEN_AT])
    if values[_DESCRIPTION] is not None:
        values[_DESCRIPTION] = unpack(values[_DESCRIPTION])
    return ImageMetadata(*values)


def _failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, MemoryError):
        reason = "not enough memory to decode it"
    elif isinstance(error, OSError):
        reason = error.strerror or str(error)
    else:
        reason = str(error)
    return {
        "reason": reason,
        "errno": error.errno if isinstance(error, OSError) else None,
        "is_system": isinstance(error, OSError),
        "is_transient": is_transient(error),
        "limit": getattr(error, "limit", None),
    }


def _error(described: dict[str, Any]) -> Exception:
    reason: str = described["reason"]
    if described["is_system"]:
        code = described["errno"]
        return OSError(reason) if code is None else OSError(code, reason)
    limit = described["limit"]
    failure = TransientReadError if described["is_transient"] else ImageReadError
    return failure(reason, limit=None if limit is None else tuple(limit))
