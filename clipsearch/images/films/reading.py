"""Read films: their metadata and scenes, and single frames."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image

from clipsearch.errors import ImageReadError, MissingExtraError
from clipsearch.images.films.container import FORMATS, Budget, Container, Source, open_container, open_source
from clipsearch.images.films.film import SCENES_PER_HOUR, Film, FilmLimits, FilmMetadata, Scene
from clipsearch.images.films.frames import Geometry, geometry_of, to_picture
from clipsearch.images.films.looks import GOOD
from clipsearch.images.films.sampling import Reopen, Sampler
from clipsearch.images.films.scenes import Candidate, SceneBuilder, is_another_scene, make_candidate
from clipsearch.images.films.tags import read_tags
from clipsearch.images.reasons import read_error
from clipsearch.images.sides import check_side

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# Of a scene whose frames show little: seconds and frames that are looked through for a better one, and scenes of a film
# for which that is done.
_SEARCHED_S, _SEARCHED_FRAMES, _SEARCHED_SCENES = 4.0, 8, 60

# Frames that are decoded at most to get to one, at 60 a second and a key frame every ten.
_MAX_FRAMES_BEFORE = 600


def read_film(source: Source, *, needed_side: int, limits: FilmLimits | None = None) -> Film:
    """Read a film's metadata and divide it into scenes, from its key frames.

    Frames are decoded in this process: use it in a worker process, as a film may crash a decoder. It takes some
    milliseconds for each key frame, and as many bytes as the scenes' frames.

    Args:
        source: the content of a file, its path, or a seekable file opened for reading bytes.
        needed_side: what a frame's shorter side will be resized to: frames are not kept larger.

    Raises:
        OSError: the path can't be opened.
        ImageReadError: it is not a film, or no frame can be decoded, with a short reason without its path;
            TransientReadError when the machine is to blame and not the film.
        MissingExtraError: PyAV is not installed.
    """
    check_side(needed_side)
    budget = Budget(limits or FilmLimits())
    with open_source(source) as file, _explained():
        reopen = partial(open_container, file, budget)
        with reopen() as container:
            return _read(container, reopen, budget, needed_side)


def frame_at(source: Source, second: float, *, side: int, limits: FilmLimits | None = None) -> Image.Image:
    """Decode the frame shown at a time.

    Args:
        source: as in `read_film`.
        second: from the start of the film; beyond its end, the last frame.
        side: pixels that the frame is at most wide and high; a smaller one keeps its size.

    Returns:
        Mode "RGB", upright, with square pixels. Where the key frame before is too far away, an earlier frame.

    Raises:
        ImageReadError and others: as in `read_film`.
    """
    check_side(side)
    budget = Budget(limits or FilmLimits())
    with open_source(source) as file, _explained(), open_container(file, budget) as container:
        target = min(max(0.0, second if math.isfinite(second) else 0.0), container.duration_s or math.inf)
        for start in (target, 0.0):
            found = None
            for number, (time, frame) in enumerate(container.frames(start)):
                if found is not None and (time > target or number > _MAX_FRAMES_BEFORE):
                    break
                found = frame
            if found is not None:
                return to_picture(found, geometry_of(found, container.stream.sample_aspect_ratio), longer=side)
    raise _no_frame(budget)


def _no_frame(budget: Budget) -> ImageReadError:
    if budget.is_spent:
        return ImageReadError("not read: a limit was reached before its first frame")
    return ImageReadError("damaged: none of its frames can be decoded")


@contextmanager
def _explained() -> Iterator[None]:
    """Convert whatever the decoders raise to an ImageReadError."""
    try:
        yield
    except (ImageReadError, MissingExtraError):
        raise
    except Exception as error:
        raise read_error(error, math.inf) from error


def _read(container: Container, reopen: Reopen, budget: Budget, needed_side: int) -> Film:
    builder = SceneBuilder(budget.limits.max_scenes)
    geometry: Geometry | None = None
    before: Candidate | None = None
    with ExitStack() as stack:
        sampler = Sampler(container, reopen, budget, stack)
        for second, frame in sampler.frames():
            if geometry is None:
                geometry = geometry_of(frame, container.stream.sample_aspect_ratio)
                width, height = geometry.upright_size(frame.width, frame.height)
            builder.max_scenes = _max_scenes(max(second, container.duration_s or 0.0), budget.limits)
            candidate = _candidate(second, frame, geometry, needed_side)
            if before is not None:
                for each in _changes(sampler, sampler.passed_over(second), before, candidate, geometry, needed_side):
                    builder.add(each)
            builder.add(candidate)
            before = candidate
    if geometry is None:
        raise _no_frame(budget)
    end_s = max(sampler.read_s, builder.scenes[-1].last_s)
    _search_better_frames(builder, reopen, geometry, needed_side, end_s)
    builder.drop_blank()
    metadata = _metadata(container, width, height, end_s)
    return Film(metadata, _finish(builder, end_s), end_s)


def _changes(
    sampler: Sampler, times: list[float], before: Candidate, after: Candidate, geometry: Geometry, needed_side: int
) -> list[Candidate]:
    """Return frames at some of the times between two: around each change of scene the two that are next to each other.

    In order of time. Halves the times again and again: of n, a cut needs about log2(n) frames.
    """
    if not times or not is_another_scene(before, after):
        return []
    middle = len(times) // 2
    found = sampler.key_frame(times[middle])
    if found is None or not before.second < found[0] < after.second:
        return []
    candidate = _candidate(*found, geometry, needed_side)
    return [
        *_changes(sampler, times[:middle], before, candidate, geometry, needed_side),
        candidate,
        *_changes(sampler, times[middle + 1 :], candidate, after, geometry, needed_side),
    ]


def _candidate(second: float, frame: "VideoFrame", geometry: Geometry, needed_side: int) -> Candidate:
    return make_candidate(second, to_picture(frame, geometry, shorter=needed_side), is_corrupt=frame.is_corrupt)


def _max_scenes(length_s: float, limits: FilmLimits) -> int:
    return min(limits.max_scenes, SCENES_PER_HOUR * max(1, math.ceil(length_s / 3600)))


def _search_better_frames(
    builder: SceneBuilder, reopen: Reopen, geometry: Geometry, needed_side: int, end_s: float
) -> None:
    """Look between the key frames of scenes of which those show little: black or blurred ones, as in a fade."""
    poor = [row for row, scene in enumerate(builder.scenes) if scene.best.grade.level < GOOD]
    if not poor:
        return
    with suppress(ImageReadError), reopen() as container:
        for row in poor[:_SEARCHED_SCENES]:
            start_s = builder.scenes[row].start_s
            stop_s = builder.scenes[row + 1].start_s if row + 1 < len(builder.scenes) else end_s
            stop_s = min(stop_s, start_s + _SEARCHED_S)
            builder.extend(row, _frames_of(container, geometry, needed_side, start_s, stop_s))


def _frames_of(
    container: Container, geometry: Geometry, needed_side: int, start_s: float, stop_s: float
) -> Iterator[Candidate]:
    """Yield some frames of a part of the film."""
    step_s = (stop_s - start_s) / _SEARCHED_FRAMES
    next_s = start_s + step_s
    for second, frame in container.frames(start_s):
        if second >= stop_s:
            return
        if second >= next_s:
            next_s = second + step_s
            yield _candidate(second, frame, geometry, needed_side)


def _finish(builder: SceneBuilder, end_s: float) -> tuple[Scene, ...]:
    starts = [0.0, *(scene.start_s for scene in builder.scenes[1:]), end_s]
    return tuple(
        Scene(starts[row], max(starts[row + 1], scene.best.second), scene.best.second, scene.best.image)
        for row, scene in enumerate(builder.scenes)
    )


def _metadata(container: Container, width: int, height: int, end_s: float) -> FilmMetadata:
    tags = container.tags
    name = next((FORMATS[name] for name in container.format_names if name in FORMATS), "unknown")
    if name == "MP4" and tags.get("major_brand", "").strip() == "qt":
        name = "QuickTime"
    return FilmMetadata(
        width=width,
        height=height,
        format=name,
        codec=container.codec,
        duration_s=container.duration_s or end_s or None,
        **read_tags(tags, now=datetime.now())._asdict(),
    )
