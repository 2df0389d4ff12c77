"""Divide a film into scenes while its frames arrive, with memory for a limited number of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from PIL import Image

from clipsearch.images.films.looks import BLANK, POOR, Grade, Look, difference, grade, look_at

# Difference from the first good frame of a scene from which a frame starts another: see
# `python -m tests.benchmarks.films --pairs`.
_NEW_SCENE = 0.24

# Difference in sharpness that decides, whatever the time of a frame.
_CLEARLY_SHARPER = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frame that may stand for a scene.

    Attributes:
        second: its time.
        image: mode "RGB", reduced to what is needed.
    """

    second: float
    image: Image.Image
    look: Look
    grade: Grade


@dataclass(frozen=True, slots=True)
class OpenScene:
    """A scene that is being put together.

    Attributes:
        start_s: time of its first frame.
        first: the frame that later ones are compared with: the first that is not blank.
        best: the frame that stands for it.
        last_s: time of its last frame.
    """

    start_s: float
    first: Candidate
    best: Candidate
    last_s: float


def make_candidate(second: float, image: Image.Image, *, is_corrupt: bool = False) -> Candidate:
    """Describe a frame, mode "RGB"; a corrupt one stands for a scene only if there is no better one."""
    level, sharpness = grade(image)
    return Candidate(second, image, look_at(image), Grade(min(level, POOR) if is_corrupt else level, sharpness))


def is_another_scene(one: Candidate, other: Candidate) -> bool:
    """Return whether two frames are of different scenes, by what they show."""
    return difference(one.look, other.look) >= _NEW_SCENE


class SceneBuilder:
    """Puts frames together to scenes, and merges the most alike neighbours when there are too many."""

    def __init__(self, max_scenes: int) -> None:
        self.max_scenes = max_scenes
        self.scenes: list[OpenScene] = []
        self._gaps: list[float] = []  # difference between each scene and the one after it

    def add(self, candidate: Candidate) -> None:
        """Add the next frame, in order of time."""
        last = self.scenes[-1] if self.scenes else None
        if last is not None and not is_another_scene(last.first, candidate):
            self.scenes[-1] = _extend(last, candidate)
            return
        if last is not None:
            self._gaps.append(difference(last.first.look, candidate.look))
        self.scenes.append(OpenScene(candidate.second, candidate, candidate, candidate.second))
        if len(self.scenes) > self.max_scenes:
            # Not the newest: it may be going on.
            self._merge(min(range(len(self._gaps) - 1), key=self._gaps.__getitem__, default=0))

    def extend(self, row: int, candidates: Iterable[Candidate]) -> None:
        """Offer a scene more frames of its own to stand for it: the later the better, as fades end."""
        for candidate in candidates:
            scene = self.scenes[row]
            self.scenes[row] = replace(scene, best=_better(scene.best, candidate, prefers_later=True))

    def drop_blank(self) -> None:
        """Merge scenes that show nothing with a neighbour, as long as there is one."""
        row = 0
        while row < len(self.scenes) and len(self.scenes) > 1:
            if self.scenes[row].best.grade.level == BLANK:
                self._merge(max(0, row - 1))
                row = max(0, row - 1)
            else:
                row += 1

    def _merge(self, row: int) -> None:
        """Merge a scene with the one after it."""
        one, other = self.scenes[row : row + 2]
        first = other.first if one.first.grade.level == BLANK else one.first
        best = _better(one.best, other.best, prefers_later=False)
        self.scenes[row : row + 2] = [OpenScene(one.start_s, first, best, other.last_s)]
        del self._gaps[row]
        for gap in (row - 1, row):
            if 0 <= gap < len(self._gaps):
                self._gaps[gap] = difference(self.scenes[gap].first.look, self.scenes[gap + 1].first.look)


def _extend(scene: OpenScene, candidate: Candidate) -> OpenScene:
    first = candidate if scene.first.grade.level == BLANK < candidate.grade.level else scene.first
    best = _better(scene.best, candidate, prefers_later=False)
    return replace(scene, first=first, best=best, last_s=candidate.second)


def _better(one: Candidate, other: Candidate, *, prefers_later: bool) -> Candidate:
    """Return the frame with the higher grade, and of two alike the one before, or the later one."""
    if one.grade.level != other.grade.level:
        return max(one, other, key=lambda candidate: candidate.grade.level)
    needed = -_CLEARLY_SHARPER if prefers_later else _CLEARLY_SHARPER
    return other if other.grade.sharpness >= one.grade.sharpness + needed else one
