"""Choose which frames of a film are decoded: key frames, and others where key frames are far apart."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

from clipsearch.errors import ImageReadError
from clipsearch.images.films.container import Budget, Container

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Reopen: TypeAlias = Callable[[], AbstractContextManager[Container]]
"""Opens the film once more, with a position of its own."""

# Seconds between two frames: of films up to ten minutes, and from twenty minutes on.
_SHORT_STEP_S, _LONG_STEP_S = 1.0, 2.0
_SHORT_FILM_S = 600

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

    def __init__(self, container: Container, reopen: Reopen, budget: Budget) -> None:
        self.read_s = 0.0
        self._bursts = _Bursts()
        self._container = container
        self._reopen = reopen
        self._budget = budget

    def frames(self) -> Iterator[tuple[float, "VideoFrame"]]:
        """Yield (second, frame), each later than the one before, whatever a damaged film says."""
        last_s: float | None = None
        for second, frame in self._key_frames():
            if last_s is not None and second <= last_s:
                continue
            yield from self._between(last_s or 0.0, second)
            last_s = second
            yield second, frame
        if last_s is not None:
            yield from self._between(last_s, self.read_s, is_end=True)

    def _key_frames(self) -> Iterator[tuple[float, "VideoFrame"]]:
        last_s, next_s = 0.0, -math.inf
        for packet in self._container.packets():
            second = self._container.second_of(packet)
            if second is not None:
                length_s = float((packet.duration or 0) * self._container.time_base)
                self.read_s = max(self.read_s, second + max(0.0, length_s))
                self._bursts.add(second, packet.size, is_key=packet.is_keyframe)
            # The empty packet at the end brings the frames that the decoder still holds.
            if packet.size and (not packet.is_keyframe or (second or 0.0) < next_s):
                continue
            if second is not None:
                next_s = second + self._step(second)
            for frame in self._container.decode(packet):
                shown_s = self._container.second_of(frame)
                # Without times, as some AVI files are, one step after the other.
                last_s = last_s + self._step(last_s) if shown_s is None else shown_s
                yield last_s, frame

    def _step(self, second: float) -> float:
        """Return the least time between two key frames."""
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
        # Damage, or a limit, may not let it be opened once more.
        with suppress(ImageReadError), self._reopen() as container:
            container.skip_unreferenced()
            for second, frame in container.frames(start_s):
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
