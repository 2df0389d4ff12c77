"""Choose which frames of a film are decoded: key frames, and others where key frames are far apart."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from clipsearch.errors import ImageReadError
from clipsearch.images.films.container import Budget, Container

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

Reopen: TypeAlias = Callable[[], AbstractContextManager[Container]]
"""Opens the film once more, with a position of its own."""

# Seconds between two frames where the film changes: of films up to five minutes, and from twenty minutes on.
_SHORT_STEP_S, _LONG_STEP_S = 0.5, 2.0
_SHORT_FILM_S = 600

# Seconds between two frames where it does not: most of the time goes into decoding key frames, 20 ms each at 1080p.
_CALM_STEP_S = 4.0

# Share of the longest time between two key frames so far. Encoders that look for cuts place one there, so that it comes
# earlier.
_EARLY = 0.75

# Seconds without a key frame after which other frames are decoded. Encoders place one at every cut and, at 24 frames a
# second, at least every 10.4 seconds. Source: x264, keyint 250.
_MAX_GAP_S = 12.0

# Seconds without a key frame in which packets are looked through for a change that has none, as a cross-fade: bytes
# in `_BURST_S` seconds above the median by this factor. Pans had up to 2.5, cross-fades of x264 4 to 10.
_SUSPECT_GAP_S, _BURST_S, _BURST_FACTOR = 3.0, 0.5, 3.0
_MAX_BURSTS = 20_000

# Share of the decoded megapixels that key frames may take.
_KEY_SHARE = 0.25


class Sampler:
    """Yields frames of a film in order of time.

    Attributes:
        read_s: seconds of the film that were read so far.
    """

    def __init__(self, container: Container, reopen: Reopen, budget: Budget, stack: ExitStack) -> None:
        """Take an open film.

        Args:
            stack: closes what is opened once more.
        """
        self.read_s = 0.0
        self._bursts = _Bursts()
        self._passed_over: list[float] = []  # times of key frames that were not decoded
        self._stack = stack
        self._other: Container | None = None
        self._container = container
        self._reopen = reopen
        self._budget = budget

    def frames(self) -> Iterator[tuple[float, "VideoFrame"]]:
        """Yield (second, frame), each later than the one before, whatever a damaged film says."""
        last_s: float | None = None
        for second, frame in self._key_frames():
            if last_s is not None and second <= last_s:
                continue
            for between in self._between(last_s or 0.0, second):
                self._forget(between[0])
                yield between
            yield second, frame
            last_s = second
            self._forget(second)
        if last_s is None:
            return
        # Of a film that breaks off, as no empty packet brought it.
        last = self.key_frame(self._passed_over[-1]) if self._passed_over else None
        if last is not None and last[0] > last_s:
            yield last
            last_s = last[0]
        yield from self._between(last_s, self.read_s, is_end=True)

    def passed_over(self, second: float) -> list[float]:
        """Return the times of the key frames before a time that were passed over since the frame before."""
        times = [each for each in self._passed_over if each < second]
        self._forget(second)
        return times

    def key_frame(self, second: float) -> tuple[float, "VideoFrame"] | None:
        """Decode the key frame at a time once `frames` has passed it; None where damage, or a limit, prevents it."""
        with suppress(ImageReadError):
            return None if self._budget.is_spent else self._again().key_frame(second)
        return None

    def _forget(self, second: float) -> None:
        self._passed_over = [each for each in self._passed_over if each > second]

    def _again(self) -> Container:
        """Return the film, opened once more.

        Raises:
            ImageReadError: damage, or a limit, does not let it be.
        """
        if self._other is None:
            self._other = self._stack.enter_context(self._reopen())
            self._other.skip_unreferenced()
        return self._other

    def _key_frames(self) -> Iterator[tuple[float, "VideoFrame"]]:
        last_s = 0.0
        for packet in self._chosen_packets():
            for frame in self._container.decode(packet):
                shown_s = self._container.second_of(frame)
                # Without times, as some AVI files are, one step after the other.
                last_s = last_s + self._step(last_s) if shown_s is None else shown_s
                yield last_s, frame

    def _chosen_packets(self) -> Iterator["Packet[Any]"]:
        """Yield the key frames to decode: those that `_Steps` takes and the last one, then the empty packet."""
        steps, last = _Steps(), None
        for packet in self._container.packets():
            second = self._container.second_of(packet)
            if second is not None:
                length_s = float((packet.duration or 0) * self._container.time_base)
                self.read_s = max(self.read_s, second + max(0.0, length_s))
                self._bursts.add(second, packet.size, is_key=packet.is_keyframe)
            if packet.size and not packet.is_keyframe:
                continue
            choice = steps.choose(second, self._step(second)) if packet.size and second is not None else "take"
            if choice == "take":
                if not packet.size and last is not None:
                    yield last
                # The empty packet at the end brings the frames that the decoder still holds.
                yield packet
                last = None
            elif choice == "pass over":
                self._passed_over.append(second or 0.0)
                last = packet

    def _step(self, second: float) -> float:
        """Return the least time between two frames."""
        length_s = max(second, self._container.duration_s or 0.0)
        frames = _KEY_SHARE * self._budget.limits.max_decoded_megapixels / self._container.megapixels
        step_s = min(_LONG_STEP_S, max(_SHORT_STEP_S, length_s / _SHORT_FILM_S))
        return max(step_s, length_s / frames)

    def _between(self, start_s: float, end_s: float, *, is_end: bool = False) -> Iterator[tuple[float, "VideoFrame"]]:
        """Yield frames after one time and before another, if they are far apart or much changes.

        Args:
            is_end: no key frame follows: all of the budget may be spent.
        """
        next_s = self._first_between(start_s, end_s)
        if next_s is None or not self._may_fill(is_end=is_end):
            return
        step_s, last_s = self._step(end_s), start_s
        with suppress(ImageReadError):
            for second, frame in self._again().frames(start_s):
                if second >= end_s or not self._may_fill(is_end=is_end):
                    break
                if second >= next_s:
                    next_s = second + step_s
                    yield second, frame
                last_s = second
        if self._budget.is_spent:
            self.read_s = last_s

    def _first_between(self, start_s: float, end_s: float) -> float | None:
        """Return the time from which frames between two are needed; None where they are not."""
        step_s = self._step(end_s)
        changes = self._bursts.take(end_s)
        if end_s - start_s > max(_MAX_GAP_S, 2 * step_s):
            return start_s + step_s
        if step_s > _LONG_STEP_S:
            return None
        return next((each for each in changes if start_s < each < end_s), None)

    def _may_fill(self, *, is_end: bool) -> bool:
        return not self._budget.is_spent if is_end else self._budget.has_half


class _Steps:
    """Chooses key frames: few where they come regularly, and those that come early."""

    def __init__(self) -> None:
        self._last_s = self._taken_s = self._known_s = -math.inf
        self._longest_s = 0.0

    def choose(self, second: float, step_s: float) -> Literal["take", "pass over", "leave out"]:
        """Choose what to do with the next key frame: passed over is one that may be wanted later."""
        gap_s = second - self._last_s
        self._last_s = second
        if math.isfinite(gap_s):
            self._longest_s = max(self._longest_s, gap_s)
        is_early = gap_s < _EARLY * self._longest_s
        is_wanted = second >= self._taken_s + max(_CALM_STEP_S, step_s)
        if is_wanted or (is_early and second >= self._taken_s + step_s):
            self._taken_s = self._known_s = second
            return "take"
        if second < self._known_s + step_s:
            return "leave out"
        self._known_s = second
        return "pass over"


class _Bursts:
    """Finds times between key frames at which much changes, from the sizes of packets alone."""

    def __init__(self) -> None:
        self._start_s = 0.0
        self._sizes: dict[int, int] = {}  # bytes in each _BURST_S since the last key frame
        self._found: list[float] = []

    def add(self, second: float, size: int, *, is_key: bool) -> None:
        """Count a packet, in order of decoding."""
        if is_key:
            self._close(second)
            self._start_s, self._sizes = second, {}
        elif len(self._sizes) < _MAX_BURSTS:
            number = int((second - self._start_s) / _BURST_S)
            self._sizes[number] = self._sizes.get(number, 0) + size

    def take(self, end_s: float) -> list[float]:
        """Return the times before one at which a change was over, and forget them."""
        if end_s > self._start_s:  # the end of the film, which no key frame follows
            self._close(end_s)
        found = [second for second in self._found if second < end_s]
        self._found = [second for second in self._found if second >= end_s]
        return found

    def _close(self, end_s: float) -> None:
        if end_s - self._start_s >= _SUSPECT_GAP_S and len(self._sizes) > 2:
            limit = _BURST_FACTOR * median(self._sizes.values())
            numbers = [number for number, size in self._sizes.items() if size > limit]
            # The last of a row of bursts.
            ends = [number for number in numbers if number + 1 not in numbers]
            self._found += [self._start_s + (number + 1) * _BURST_S for number in sorted(ends)]
        self._sizes = {}
