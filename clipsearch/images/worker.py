"""Decode files in a worker process: a decoder that crashes, hangs or exhausts memory takes only this process with it.

It reads paths from stdin and answers on stdout, in frames: a kind (1 byte), a length (4 bytes), and that many bytes.

    parent                    worker
                       ◄──    READY
    READ path          ──►    reads and hashes the file
                       ◄──    HASHED stamp, blake3                or FAILED
    DECODE | SHRINK | DESCRIBE | VIEW | SKIP ─► decodes it, or goes on to the next
                       ◄──    LARGE                               only if large, then waits
    GO                 ──►
                       ◄──    DECODED metadata, crop              or FAILED
                              SHRUNK width, height, JPEG          after SHRINK
                              DESCRIBED metadata                  after DESCRIBE
                              VIEWED view                         after VIEW
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from struct import Struct
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import ImageReadError, TransientReadError
from clipsearch.images.copies.views import pack_view
from clipsearch.images.preprocess import Preprocess, from_json
from clipsearch.images.reading import LocalPicture, open_picture
from clipsearch.images.thumbnails import Thumbnail
from clipsearch.types import ImageMetadata

READY, READ, DECODE, SKIP, GO, HASHED, LARGE, DECODED, FAILED, SHRINK, SHRUNK, DESCRIBE, DESCRIBED, VIEW, VIEWED = (
    range(15)
)

_HEADER = Struct("<BI")
_METADATA_LENGTH = Struct("<I")
SIDE = Struct("<I")
_SIZE = Struct("<II")


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


def pack_decoded(crop: NDArray[np.uint8], metadata: ImageMetadata) -> bytes:
    text = pack_metadata(metadata)
    return _METADATA_LENGTH.pack(len(text)) + text + crop.tobytes()


def unpack_decoded(content: bytes, *, height: int, width: int) -> tuple[NDArray[np.uint8], ImageMetadata]:
    """Unpack the crop (height, width, 3) and the metadata that `pack_decoded` packed."""
    start = _METADATA_LENGTH.size + _METADATA_LENGTH.unpack_from(content)[0]
    crop = np.frombuffer(content, dtype=np.uint8, offset=start).reshape(height, width, 3)
    return crop, unpack_metadata(content[_METADATA_LENGTH.size : start])


def pack_metadata(metadata: ImageMetadata) -> bytes:
    described = asdict(metadata)
    if metadata.taken_at is not None:
        described["taken_at"] = metadata.taken_at.isoformat()
    return json.dumps(described).encode("ascii")


def unpack_metadata(content: bytes) -> ImageMetadata:
    described: dict[str, Any] = json.loads(content)
    if described["taken_at"] is not None:
        described["taken_at"] = datetime.fromisoformat(described["taken_at"])
    return ImageMetadata(**described)


def pack_thumbnail(thumbnail: Thumbnail) -> bytes:
    return _SIZE.pack(thumbnail.width, thumbnail.height) + thumbnail.jpeg


def unpack_thumbnail(content: bytes) -> Thumbnail:
    return Thumbnail(content[_SIZE.size :], *_SIZE.unpack_from(content))


class Alarm(NamedTuple):
    """Timers that end the process with a signal, even inside a decoder: not on Windows.

    Attributes:
        cpu_seconds: CPU time of all threads together; then SIGPROF.
        wall_seconds: wall-clock time; then SIGALRM.
    """

    cpu_seconds: float
    wall_seconds: float

    def start(self) -> None:
        self._set(self.cpu_seconds, self.wall_seconds)

    def stop(self) -> None:
        self._set(0, 0)

    @staticmethod
    def _set(cpu_seconds: float, wall_seconds: float) -> None:
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            signal.setitimer(signal.ITIMER_REAL, wall_seconds)


def serve(requests: BinaryIO, answers: BinaryIO, *, spec: Preprocess, max_megapixels: float, alarm: Alarm) -> None:
    """Answer requests until the parent closes the pipe or exits."""

    @contextlib.contextmanager
    def turn() -> Iterator[None]:
        alarm.stop()  # waiting is not decoding
        write_frame(answers, LARGE)
        read_frame(requests)
        alarm.start()
        yield

    while True:
        try:
            _, path = read_frame(requests)
        except EOFError:
            return
        try:
            with open_picture(os.fsdecode(path), spec=spec, max_megapixels=max_megapixels, turn=turn) as picture:
                _answer(picture, requests, answers, alarm)
        except ImageReadError as error:
            _write_failure(answers, error, str(error))
        except MemoryError as error:
            _write_failure(answers, error, "not enough memory to decode it")
        except OSError as error:
            _write_failure(answers, error, error.strerror or str(error))


def _answer(picture: LocalPicture, requests: BinaryIO, answers: BinaryIO, alarm: Alarm) -> None:
    described = {"stamp": picture.stamp, "blake3": picture.blake3.hex()}
    write_frame(answers, HASHED, json.dumps(described).encode("ascii"))
    wanted, content = read_frame(requests)
    if wanted == SKIP:
        return
    alarm.start()
    try:
        if wanted == SHRINK:
            answer = SHRUNK, pack_thumbnail(picture.shrink(*SIDE.unpack(content)))
        elif wanted == DESCRIBE:
            answer = DESCRIBED, pack_metadata(picture.describe())
        elif wanted == VIEW:
            answer = VIEWED, pack_view(picture.view(*SIDE.unpack(content)))
        else:
            answer = DECODED, pack_decoded(*picture.decode())
    finally:
        alarm.stop()
    write_frame(answers, *answer)


def _write_failure(answers: BinaryIO, error: Exception, reason: str) -> None:
    described = {
        "reason": reason,
        "errno": error.errno if isinstance(error, OSError) else None,
        "is_system": isinstance(error, OSError),
        "is_transient": isinstance(error, TransientReadError | MemoryError),
        "limit": getattr(error, "limit", None),
    }
    write_frame(answers, FAILED, json.dumps(described).encode("ascii"))


def _limit_memory(limit_bytes: int) -> None:
    if sys.platform == "linux":
        import resource

        with contextlib.suppress(ValueError, OSError):  # a lower limit is set already
            resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def main() -> None:
    """Run `python -m clipsearch.images.worker OPTIONS`, as JSON; see `worker_pool`."""
    options = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whatever sends it: the parent ends this process
    _limit_memory(options["memory_bytes"])
    # Output of decoders must not get between the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    spec = from_json(options["preprocess"])
    with contextlib.suppress(BrokenPipeError, EOFError):
        write_frame(answers, READY)
        serve(
            sys.stdin.buffer,
            answers,
            spec=spec,
            max_megapixels=options["max_megapixels"],
            alarm=Alarm(options["max_seconds"], options["max_wall_seconds"]),
        )
    os._exit(0)  # nothing to clean up, and a parent that waits need not wait for it


if __name__ == "__main__":
    main()
