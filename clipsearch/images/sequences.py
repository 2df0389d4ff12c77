"""Read the pages of a TIFF, and the scenes of an animation: GIF, WebP, PNG, AVIF."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.decode import upright_rgb
from clipsearch.images.films.scenes import SceneBuilder, make_candidate
from clipsearch.images.opening import open_image
from clipsearch.images.raw.kinds import find_kind
from clipsearch.parts import MOST_PARTS, Part

Frame = tuple[Part, Image.Image]
"""Part, and its picture: upright, mode "RGB"."""

_START_BYTES = 4096

# Scenes of an animation, frames that are compared for them, and seconds of the processor after which no more are.
_MOST_SCENES, _MOST_FRAMES, _MAX_SECONDS = 24, 240, 10.0

# What browsers show a frame for whose duration is 0.
_DEFAULT_MS = 100.0

# Source: TIFF 6.0, NewSubfileType (254): bit 0, a smaller version of another page; bit 2, a mask.
_SUBFILE_TYPE, _NO_PAGE = 254, 0b101


def may_be_sequence(start: bytes) -> bool:
    """Return whether a file that starts so may have several frames or pages; most that have not are told."""
    return (
        start.startswith((b"GIF8", b"II*\0", b"MM\0*"))
        or (start.startswith(b"\x89PNG") and b"acTL" in start)
        or (start[8:12] == b"WEBP" and start[12:16] == b"VP8X" and bool(start[20:21] and start[20] & 2))
        or start[4:12] == b"ftypavis"
    )


def read_frames(file: BinaryIO, *, max_megapixels: float, needed_side: int) -> tuple[float | None, list[Frame]]:
    """Read the pages or scenes of a file.

    Args:
        file: seekable; its position changes.
        needed_side: what a frame's shorter side will be resized to: frames are not kept much larger.

    Returns:
        Duration in seconds of an animation, else None; and the frames in their order, none where there are not several.

    Raises:
        ImageReadError, and what readers raise: the first frame can't be read.
    """
    file.seek(0)
    if not may_be_sequence(file.read(_START_BYTES)) or find_kind(file) is not None:
        return None, []
    image = open_image(file, "")
    count = getattr(image, "n_frames", 1)
    if count < 2:
        return None, []
    if image.format == "TIFF":
        return None, _keep_several(list(_pages(image, count, max_megapixels, needed_side)))
    if image.width * image.height / 1e6 > max_megapixels:  # the picture itself says so
        return None, []
    builder, duration_s = SceneBuilder(_MOST_SCENES), 0.0
    for second, frame in _times(image, count):
        duration_s = second
        if frame is not None:
            builder.add(make_candidate(second, _reduce(frame, needed_side)))
    builder.drop_blank()
    ends = [*(scene.start_s for scene in builder.scenes[1:]), duration_s]
    scenes = [
        (Part("scene", start_s=scene.best.second, end_s=max(end, scene.best.second)), scene.best.image)
        for scene, end in zip(builder.scenes, ends, strict=True)
    ]
    return duration_s, _keep_several(scenes)


def read_page(file: BinaryIO, page: int, *, max_megapixels: float) -> Image.Image:
    """Read a page of a TIFF, from 1, upright.

    Raises:
        ImageReadError, and what readers raise: it has no such page, or can't be read.
    """
    image = open_image(file, "")
    if not 1 <= page <= getattr(image, "n_frames", 1):
        raise ImageReadError(f"it has no page {page}")
    image.seek(page - 1)
    _check_size(image, max_megapixels)
    return upright_rgb(image.copy())


def read_moment(file: BinaryIO, second: float) -> Image.Image:
    """Read the frame of an animation that is shown at a time; the last one beyond its end.

    Raises:
        ImageReadError, and what readers raise: it can't be read.
    """
    image = open_image(file, "")
    shown = 0.0
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        shown += _seconds(image)
        if shown > second:
            break
    return upright_rgb(image.copy())


def _pages(image: Image.Image, count: int, max_megapixels: float, needed_side: int) -> Iterator[Frame]:
    start = time.process_time()
    for number in range(min(count, MOST_PARTS)):
        with suppress(OSError, ValueError, SyntaxError, ImageReadError):  # a damaged page costs itself
            image.seek(number)
            if int(getattr(image, "tag_v2", {}).get(_SUBFILE_TYPE, 0)) & _NO_PAGE:
                continue
            _check_size(image, max_megapixels)
            yield Part("page", page=number + 1), _reduce(upright_rgb(image.copy()), needed_side)
        if time.process_time() - start > _MAX_SECONDS:
            return


def _times(image: Image.Image, count: int) -> Iterator[tuple[float, Image.Image | None]]:
    """Yield the time of each frame with its picture, or None for those that are not compared; last the duration."""
    step, second, start = max(1, -(-count // _MOST_FRAMES)), 0.0, time.process_time()
    for number in range(count):
        try:
            image.seek(number)
            image.load()
        except (OSError, ValueError, SyntaxError):  # it breaks off
            break
        yield second, upright_rgb(image.copy()) if number % step == 0 else None
        second += _seconds(image)
        if time.process_time() - start > _MAX_SECONDS:
            break
    yield second, None


def _seconds(image: Image.Image) -> float:
    duration = image.info.get("duration")
    shown = float(duration) if isinstance(duration, int | float) and 0 < duration < 1e7 else _DEFAULT_MS
    return shown / 1000


def _reduce(image: Image.Image, needed_side: int) -> Image.Image:
    """Scale a frame down by whole numbers while it keeps twice the pixels needed, as many of them are in memory."""
    factor = min(image.size) // (2 * needed_side)
    return image.reduce(factor) if factor > 1 else image


def _keep_several(frames: list[Frame]) -> list[Frame]:
    return frames if len(frames) > 1 else []


def _check_size(image: Image.Image, max_megapixels: float) -> None:
    if image.width * image.height / 1e6 > max_megapixels:
        raise ImageReadError("a page is too large")
