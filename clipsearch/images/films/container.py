"""Open the container of a film with FFmpeg, within limits and without access to anything but its file.

FFmpeg knows formats that name other files and addresses (playlists, concatenations), and hundreds of rare codecs. Only
the formats and codecs listed here are used, no protocol is, and a container that refers to another file gets none.
"""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from clipsearch.errors import ImageReadError, MissingExtraError, TransientReadError
from clipsearch.files import open_regular_file
from clipsearch.images.films.film import FilmLimits
from clipsearch.images.reasons import one_line, too_large

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Source: TypeAlias = bytes | str | Path | BinaryIO

# FFmpeg's names of demuxers, with what they are called here.
FORMATS = {
    "mov": "MP4",
    "matroska": "Matroska",
    "avi": "AVI",
    "mpegts": "MPEG-TS",
    "mpeg": "MPEG-PS",
    "asf": "ASF",
    "flv": "FLV",
    "ogg": "Ogg",
    "mxf": "MXF",
    "dv": "DV",
}
# FFmpeg's names of decoders: what cameras, telephones and editors write, and have written.
_CODECS = frozenset(
    {
        *("h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "prores"),
        *("h263", "h263p", "flv", "msmpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2", "wmv3", "vc1"),
        *("theora", "dvvideo", "dnxhd", "cfhd", "huffyuv", "ffvhuff", "ffv1", "svq1", "svq3", "cinepak", "rawvideo"),
        *("vp6", "vp6f", "indeo3", "indeo5", "qtrle", "rpza", "utvideo", "mjpegb", "png"),
    }
)

_CODEC_NAMES = {"libdav1d": "av1"}

# Bytes and microseconds that are read to find out what a container holds.
_PROBE = {"probesize": "5000000", "analyzeduration": "5000000", "formatprobesize": "1048576"}
# Of MP4 and QuickTime: the packet gets the tag "xmp".
_WITH_XMP = {"export_xmp": "1"}
_BUFFER_BYTES = 1 << 16

# Corrupt packets in a row after which the rest of a film is given up.
_MAX_FAILURES = 200


class Budget:
    """What is left of the limits of one film, over all its containers.

    Attributes:
        is_spent: a limit was reached: reading ends with what it has.
    """

    def __init__(self, limits: FilmLimits) -> None:
        self.limits = limits
        self.is_spent = False
        self._packets = limits.max_packets
        self._bytes = limits.max_bytes
        self._megapixels = limits.max_decoded_megapixels
        self._end = time.thread_time() + limits.max_seconds

    @property
    def has_half(self) -> bool:
        """Whether half of the time and of the decoded pixels is left: what is not needed for the rest of a film."""
        limits = self.limits
        seconds_left = self._end - time.thread_time()
        return 2 * self._megapixels > limits.max_decoded_megapixels and 2 * seconds_left > limits.max_seconds

    def take_packet(self) -> None:
        self._packets -= 1
        self._check()

    def take_bytes(self, count: int) -> None:
        self._bytes -= count
        self._check()

    def take_frame(self, megapixels: float) -> None:
        self._megapixels -= megapixels
        self._check()

    def _check(self) -> None:
        if min(self._packets, self._bytes, self._megapixels) < 0 or time.thread_time() > self._end:
            self.is_spent = True


class _View(io.RawIOBase):
    """A file with a position of its own: a film may be open twice. Once the budget is spent it ends."""

    def __init__(self, file: BinaryIO, budget: Budget) -> None:
        self._file = file
        self._budget = budget
        self._place = 0
        self._size = file.seek(0, io.SEEK_END)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self._budget.is_spent:
            return b""
        self._file.seek(self._place)
        content = self._file.read(size)
        self._place += len(content)
        self._budget.take_bytes(len(content))
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def tell(self) -> int:
        return self._place


class Container:
    """An open film: its largest video stream, and packets and frames of it by time.

    Attributes:
        stream: PyAV's stream.
        time_base: seconds per unit of packets' times.
        megapixels: of one frame as stored.
        duration_s: seconds; None where the container does not say it.
    """

    def __init__(self, container: "InputContainer", budget: Budget) -> None:
        """Choose the stream.

        Raises:
            ImageReadError: there is none that can be decoded.
        """
        self._container = container
        self._budget = budget
        self.stream = _choose_stream(container)
        context = self.stream.codec_context
        self.megapixels = context.width * context.height / 1e6
        if self.megapixels > budget.limits.max_frame_megapixels:
            raise too_large(self.megapixels, budget.limits.max_frame_megapixels)
        context.thread_count = 1
        context.options = {"max_pixels": str(_max_pixels(budget.limits))}
        _discard_others(container, self.stream)
        self.time_base = self.stream.time_base or Fraction(1, 1_000_000)
        self._start = self.stream.start_time or 0
        self.duration_s = self._read_duration()

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec, not of one of its decoders."""
        return _CODEC_NAMES.get(self.stream.codec_context.name, self.stream.codec_context.name)

    @property
    def format_names(self) -> list[str]:
        return self._container.format.name.split(",")

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the container, and those of the stream that it does not have."""
        return {**self.stream.metadata, **self._container.metadata}

    def packets(self, from_s: float | None = None) -> Iterator["Packet[Any]"]:
        """Yield the stream's packets in order of decoding, until the end, damage or a limit; an empty one at the end.

        Args:
            from_s: start at the key frame at or before this time, as far as the container can; None: at the start.
        """
        if from_s is not None:
            self._seek(from_s)
        try:
            for packet in self._container.demux(self.stream):
                self._budget.take_packet()
                if self._budget.is_spent:
                    return
                yield packet
        except _ffmpeg_errors():
            return

    def decode(self, packet: "Packet[Any]") -> list["VideoFrame"]:
        """Decode a packet to the frames that are ready, in order of display; none where it is damaged."""
        try:
            frames = list(packet.decode())
        except MemoryError:
            raise
        except _ffmpeg_errors():
            return []
        for frame in frames:
            self._budget.take_frame(frame.width * frame.height / 1e6)
        return frames

    def frames(self, from_s: float | None = None) -> Iterator[tuple[float, "VideoFrame"]]:
        """Yield (second, frame) of all frames from the key frame at or before a time on, as `packets` does."""
        failures = 0
        for packet in self.packets(from_s):
            frames = self.decode(packet)
            failures = 0 if frames else failures + 1
            if failures > _MAX_FAILURES or self._budget.is_spent:
                return
            for frame in frames:
                second = self.second_of(frame)
                if second is not None:
                    yield second, frame

    def key_frame(self, second: float) -> tuple[float, "VideoFrame"] | None:
        """Decode the key frame at a time, or the next one, alone: (its second, frame); None where damaged."""
        for packet in self.packets(second):
            # Some containers are sought only roughly.
            if packet.size and (not packet.is_keyframe or (self.second_of(packet) or 0.0) < second):
                continue
            frames = self.decode(packet) or self._drain()
            shown_s = self.second_of(frames[0]) if frames else None
            return None if shown_s is None else (shown_s, frames[0])
        return None

    def _drain(self) -> list["VideoFrame"]:
        """Return the frames that the decoder holds; it takes packets again after a seek."""
        try:
            return list(self.stream.codec_context.decode(None))
        except _ffmpeg_errors():
            return []

    def skip_unreferenced(self) -> None:
        """Leave out frames that no other needs, from now on: they may be half of the work."""
        self.stream.codec_context.skip_frame = "NONREF"

    def second_of(self, timed: "VideoFrame | Packet[Any]") -> float | None:
        """Return the time of a frame or packet in seconds from the start of the film, at least 0; None without one."""
        stamp = timed.pts if timed.pts is not None else timed.dts
        return None if stamp is None else max(0.0, float((stamp - self._start) * self.time_base))

    def _seek(self, second: float) -> None:
        stamp = self._start + int(Fraction(second) / self.time_base)
        try:
            self._container.seek(max(-(1 << 62), min(stamp, 1 << 62)), stream=self.stream)
        except _ffmpeg_errors():  # before the first, or no index
            try:
                self._container.seek(self._start, stream=self.stream, any_frame=True)
            except _ffmpeg_errors():
                return

    def _read_duration(self) -> float | None:
        stream = self.stream
        lengths = []
        if stream.duration is not None:
            lengths.append(float(stream.duration * self.time_base))
        elif self._container.duration is not None:
            lengths.append(self._container.duration / 1e6)
        return next((length for length in lengths if 0 < length < 1e9), None)


@contextmanager
def open_source(source: Source) -> Iterator[BinaryIO]:
    """Open a film's file, or use the one that is open.

    Raises:
        OSError: it can't be opened, or is not a regular file.
    """
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, str | Path):
        with open_regular_file(source) as file:
            yield file
    else:
        yield source


@contextmanager
def open_container(file: BinaryIO, budget: Budget) -> Iterator[Container]:
    """Open the container in a file.

    Args:
        file: seekable; its position changes. It may be open several times.

    Raises:
        ImageReadError: it is not a film of a known format, or has no video that can be decoded.
        MissingExtraError: PyAV is not installed.
    """
    av = _import_av()
    view = _View(file, budget)
    if not view.read(1):
        raise ImageReadError("empty file")
    view.seek(0)
    options = {
        **_PROBE,
        **_WITH_XMP,
        "format_whitelist": ",".join(FORMATS),
        "codec_whitelist": ",".join(sorted(_CODECS)),
        "protocol_whitelist": "none",
    }
    try:
        opened = av.open(
            view,
            options={"max_pixels": str(_max_pixels(budget.limits)), "threads": "1"},
            container_options=options,
            metadata_errors="replace",
            buffer_size=_BUFFER_BYTES,
            io_open=_refuse,
        )
    except MemoryError as error:
        raise TransientReadError("not enough memory to decode it") from error
    except _ffmpeg_errors() as error:
        raise _reason_of(error) from error
    with opened:
        yield Container(opened, budget)


def _max_pixels(limits: FilmLimits) -> int:
    """Return FFmpeg's own limit: above ours, so that a frame between them has a size that an error can name."""
    return int(4e6 * limits.max_frame_megapixels)


def _refuse(url: str, flags: int, options: dict[str, str]) -> Any:
    raise PermissionError("a film may not refer to other files")


def _choose_stream(container: "InputContainer") -> "VideoStream":
    from av.stream import Disposition

    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        has_sound = bool(container.streams.audio)
        raise ImageReadError("not a film: it holds only sound" if has_sound else "not a film: it holds no pictures")
    known = [stream for stream in streams if stream.codec_context is not None and stream.codec_context.name in _CODECS]
    if not known:
        context = streams[0].codec_context
        name = "unknown" if context is None else one_line(context.name)
        raise ImageReadError(f"not supported: a film with an unusual codec ({name})")
    best = max(known, key=lambda stream: stream.codec_context.width * stream.codec_context.height)
    if not best.codec_context.width * best.codec_context.height:
        raise ImageReadError("damaged: none of its frames can be decoded")
    return best


def _discard_others(container: "InputContainer", chosen: "VideoStream") -> None:
    """Skip the packets of other streams, which most containers then do not even read."""
    from av.stream import Discard

    for stream in container.streams:
        if stream.index != chosen.index:
            stream.discard = Discard.all


def _reason_of(error: Exception) -> ImageReadError:
    import av.error

    if isinstance(error, av.error.InvalidDataError | av.error.ArgumentError | av.error.EOFError):
        return ImageReadError("not a film of a kind that can be read, or damaged")
    return ImageReadError(f"damaged: {one_line(str(getattr(error, 'strerror', None) or 'it cannot be read'))}")


def _ffmpeg_errors() -> tuple[type[Exception], ...]:
    import av.error

    # PyAV raises some of Python's own for values that it does not expect.
    return (av.error.FFmpegError, ValueError, OverflowError, RuntimeError)


def _import_av() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("a film", "av", "clipsearch[video]") from error
    return av
