"""Read the parts of files that have several: films, documents, pages of a TIFF, animations."""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO, NamedTuple

from PIL import Image

from clipsearch.errors import ImageReadError, InputError, TransientReadError
from clipsearch.formats import DOCUMENT_SUFFIXES, FILM_SUFFIXES
from clipsearch.images.decode import DecodedImage, decode_image, read_header
from clipsearch.images.films.film import FilmMetadata
from clipsearch.images.pillow_settings import decoding_settings
from clipsearch.images.reasons import read_error
from clipsearch.images.turns import Turn
from clipsearch.parts import MOST_PARTS, Box, Part, pixel_box
from clipsearch.types import ImageMetadata

# Pixels a point of a page, as at 150 an inch: the size of a page that has none in pixels.
_PIXELS_A_POINT = 150 / 72

# Seconds of the processor after which no more pages are rendered: half of what a worker process may take.
_MAX_SECONDS = 30.0

Source = bytes | BinaryIO
"""Content of a file, or a file opened for reading bytes."""


class SeveralParts(NamedTuple):
    """Parts of a file.

    Attributes:
        metadata: of the file, without what is measured on pixels.
        parts: parts with their pictures, upright and mode "RGB", the cover first; at least one.
    """

    metadata: ImageMetadata
    parts: Iterator[tuple[Part, Image.Image]]


def is_film(suffix: str) -> bool:
    return suffix in FILM_SUFFIXES


def read_parts(source: Source, *, suffix: str, needed_side: int, max_megapixels: float) -> SeveralParts | None:
    """Read the parts of a file; None for a picture of one part.

    Args:
        suffix: of the file's name, as `suffix_of` returns it.
        needed_side: what the shorter side of a part will be resized to; parts are not kept much larger.

    Raises:
        ImageReadError: it can't be decoded; MissingExtraError: without the extra that reads it.
    """
    if is_film(suffix):
        return _read_film(source, needed_side)
    if suffix in DOCUMENT_SUFFIXES:
        return _read_document(source, needed_side)
    return _read_sequence(source, needed_side, max_megapixels)


def decode_part(
    source: Source,
    part: Part | None,
    *,
    needed_side: int,
    max_megapixels: float,
    turn: Turn | None = None,
    suffix: str = "",
) -> DecodedImage:
    """Decode a part upright, or the whole picture for None; of a film or a document, what it begins with.

    The metadata are those of the file where the part is a picture's crop, else only the size.

    Arguments and errors as in `decode_image`; `needed_side` is of the part.
    """
    if is_film(suffix):
        from clipsearch.images.films.reading import frame_at

        second = 0.0 if part is None else part.start_s
        if second is None:
            raise ImageReadError("a film has no such part")
        return _whole(frame_at(source, second, side=2 * needed_side))
    if suffix in DOCUMENT_SUFFIXES:
        from clipsearch.images.documents import MAX_SIDE, render_page

        page = 1 if part is None else part.page
        if page is None:
            raise ImageReadError("a document has no such part")
        try:
            return _whole(render_page(source, page - 1, min(2 * needed_side, MAX_SIDE)))
        except InputError as error:  # the file has changed
            raise ImageReadError(f"it has no page {page}") from error
    if part is None:
        return decode_image(source, needed_side=needed_side, max_megapixels=max_megapixels, turn=turn, suffix=suffix)
    if part.box is not None:
        return _decode_crop(source, part.box, needed_side, max_megapixels, turn, suffix)
    from clipsearch.images.sequences import may_be_sequence, read_moment, read_page

    with _opened(source, max_megapixels) as file:
        if not may_be_sequence(file.read(_START_BYTES)):
            raise ImageReadError(f"it has no {part.kind}s")
        if part.page is not None:
            return _whole(read_page(file, part.page, max_megapixels=max_megapixels))
        return _whole(read_moment(file, part.start_s or 0.0))


_START_BYTES = 4096


def _read_film(source: Source, needed_side: int) -> SeveralParts:
    from clipsearch.images.films.reading import read_film

    film = read_film(source, needed_side=needed_side)
    scenes = [
        (Part("scene", start_s=scene.frame_s, end_s=max(scene.end_s, scene.frame_s)), scene.frame)
        for scene in film.scenes
    ]
    # The longest scene stands for the film.
    cover = max(range(len(scenes)), key=lambda row: film.scenes[row].end_s - film.scenes[row].start_s)
    return SeveralParts(_film_metadata(film.metadata), iter([scenes.pop(cover), *scenes]))


def _film_metadata(film: FilmMetadata) -> ImageMetadata:
    return ImageMetadata(
        film.width,
        film.height,
        film.format,
        film.taken_at,
        film.camera,
        film.latitude,
        film.longitude,
        is_date_doubtful=film.is_date_doubtful,
        duration_s=film.duration_s,
        description=film.description,
    )


def _read_document(source: Source, needed_side: int) -> SeveralParts:
    from clipsearch.images.documents import page_size, render_pages

    width, height = (max(1, round(_PIXELS_A_POINT * length)) for length in page_size(source))
    side = math.ceil(2 * needed_side * max(width, height) / min(width, height))
    pages = render_pages(source, min(side, 8 * needed_side), most=MOST_PARTS, max_seconds=_MAX_SECONDS)
    parts = ((Part("page", page=page), image) for page, image in pages)
    return SeveralParts(ImageMetadata(width, height, "PDF"), parts)


def _read_sequence(source: Source, needed_side: int, max_megapixels: float) -> SeveralParts | None:
    from clipsearch.images.sequences import may_be_sequence, read_frames

    start = source[:_START_BYTES] if isinstance(source, bytes) else _peek(source)
    if not may_be_sequence(start):
        return None
    try:
        with _opened(source, max_megapixels) as file:
            duration_s, frames = read_frames(file, max_megapixels=max_megapixels, needed_side=needed_side)
        if not frames:
            return None
        metadata = replace(read_header(source, max_megapixels=max_megapixels), duration_s=duration_s)
    except TransientReadError:
        raise
    except ImageReadError:  # what there is of its first frame is decoded like any picture
        return None
    return SeveralParts(metadata, iter(frames))


def _peek(file: BinaryIO) -> bytes:
    file.seek(0)
    start = file.read(_START_BYTES)
    file.seek(0)
    return start


@contextmanager
def _opened(source: Source, max_megapixels: float) -> Iterator[BinaryIO]:
    """Open a source, and convert what readers raise to an ImageReadError."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    file.seek(0)
    try:
        with decoding_settings(max_megapixels):
            yield file
    except ImageReadError:
        raise
    except Exception as error:  # decoders raise anything
        raise read_error(error, max_megapixels) from error
    finally:
        if not isinstance(source, bytes):
            source.seek(0)


def _decode_crop(
    source: Source, box: Box, needed_side: int, max_megapixels: float, turn: Turn | None, suffix: str
) -> DecodedImage:
    left, top, right, bottom = box
    share = min(right - left, bottom - top)
    decoded = decode_image(
        source,
        needed_side=math.ceil(needed_side / share),
        max_megapixels=max_megapixels,
        turn=turn,
        suffix=suffix,
    )
    image = decoded.image.crop(pixel_box(box, *decoded.image.size))
    return DecodedImage(image, (0, 0, *image.size), decoded.metadata)


def _whole(image: Image.Image) -> DecodedImage:
    return DecodedImage(image, (0, 0, *image.size), ImageMetadata(*image.size, format=""))
