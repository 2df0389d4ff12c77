"""Choose which frames of a film are decoded: key frames, and others where key frames are far apart."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
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

# Share of the decoded megapixels that key frames may take.
_KEY_SHARE = 0.25


class Sampler:
    """Yields frames of a film in order of time.

    Attributes:
        read_s: seconds of the film that were read so far.
    """

    def __init__(self, container: Container, reopen: Reopen, budget: Budget) -> None:
        self.read_s = 0.0
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
            yield from self._between(last_s, self.read_s)

    def _key_frames(self) -> Iterator[tuple[float, "VideoFrame"]]:
        last_s, next_s = 0.0, -math.inf
        for packet in self._container.packets():
            second = self._container.second_of(packet)
            if second is not None:
                length_s = float((packet.duration or 0) * self._container.time_base)
                self.read_s = max(self.read_s, second + max(0.0, length_s))
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

    def _between(self, start_s: float, end_s: float) -> Iterator[tuple[float, "VideoFrame"]]:
        """Yield frames after one time and before another, if they are far apart."""
        step_s = self._step(end_s)
        if end_s - start_s <= max(_MAX_GAP_S, 2 * step_s) or self._budget.is_spent:
            return
        last_s, next_s = start_s, start_s + step_s
        # Damage, or a limit, may not let it be opened once more.
        with suppress(ImageReadError), self._reopen() as container:
            container.skip_unreferenced()
            for second, frame in container.frames(start_s):
                if second >= end_s:
                    return
                if second >= next_s:
                    next_s = second + step_s
                    yield second, frame
                last_s = second
        if self._budget.is_spent:
            self.read_s = last_s
