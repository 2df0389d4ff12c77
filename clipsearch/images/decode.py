"""Decode any picture file to an upright RGB picture, or raise one short reason why not.

The format is detected from the content; the few kinds without a magic number need their suffix as well, see `opening`.
Colour profiles that move colours far are applied, see `colours.rgb`.
"""

import contextlib
import io
import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from clipsearch import processes, settings
from clipsearch.errors import ImageReadError, InputError
from clipsearch.images.colours.rgb import to_rgb
from clipsearch.images.metadata import read_metadata, read_orientation
from clipsearch.images.opening import open_checked, open_image, open_source, suffix_of
from clipsearch.images.partial import OpenImage, complete, lacks_end, load_partial, without_zero_tail
from clipsearch.images.pillow_settings import decoding_settings
from clipsearch.images.raw.kinds import find_kind
from clipsearch.images.raw.picture import open_raw
from clipsearch.images.reasons import DamagedHeaderError, read_error, truncated, unusual_kind
from clipsearch.images.turns import Turn, turn_of_a_big_picture
from clipsearch.types import ImageMetadata

# Telephones make pictures of 200 megapixels; at four bytes a pixel the limit is one gigabyte.
DEFAULT_MAX_MEGAPIXELS = 256.0

# Four as Pillow stores it, four for a rotated or converted copy, and the decoder's own buffers.
BYTES_PER_PIXEL = 16

# Far above these values the operating system's own limits can't be set.
_MAX_MEGAPIXELS = 1e6
_MAX_SECONDS = 86_400

# Wall-clock seconds that a decoder may take per CPU second: ten processes may share a core.
_WALL_SECONDS = 10

# Bytes that a file may hold besides one picture: previews, EXIF, more frames.
_MAX_EXTRA_BYTES = 1 << 30

# Larger pictures are decoded one at a time, whatever the number of threads: the bottleneck is memory, not speed.
_BIG_MEGAPIXELS = 32.0

# A JPEG that is scaled down during decoding keeps at least this many times the needed pixels per side.
_DETAIL = 2

_CONTAINERS = ("WEBP", "AVIF", "HEIF")

# Source: EXIF 2.32, 4.6.4, tag 0x0112: the position of row 0 and column 0.
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = (5, 6, 7, 8)
_STARTS_RIGHT = (2, 3, 6, 7)  # column 0, or row 0 with the sides swapped
_STARTS_BELOW = (3, 4, 7, 8)


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """Limits on the size of a picture and on the time to decode it.

    Attributes:
        max_megapixels: larger pictures are rejected before they are decoded.
        max_seconds: CPU time of decoding, summed over all threads of the decoder.
    """

    max_megapixels: float = DEFAULT_MAX_MEGAPIXELS
    max_seconds: int = settings.DEFAULT_MAX_SECONDS

    def __post_init__(self) -> None:
        """Raise InputError for a limit out of range."""
        if not 0 < self.max_megapixels <= _MAX_MEGAPIXELS:  # NaN is rejected too
            raise InputError(f"invalid limit: {self.max_megapixels} megapixels; use more than 0, up to 1000000")
        if not 1 <= self.max_seconds <= _MAX_SECONDS:
            raise InputError(f"invalid limit: {self.max_seconds} seconds; use 1 to 86400")

    @property
    def max_bytes(self) -> int:
        """Size limit of a file, which is read whole for its hash: no picture within `max_megapixels` takes more."""
        return int(self.max_megapixels * 1e6 * BYTES_PER_PIXEL) + _MAX_EXTRA_BYTES

    @property
    def max_wall_seconds(self) -> int:
        """Wall-clock limit of decoding; it allows for a busy machine and a slow drive."""
        return _WALL_SECONDS * self.max_seconds

    def exceed(self, limit: tuple[str, float]) -> bool:
        """Return whether these limits are higher than one that a picture exceeded, see `ImageReadError.limit`."""
        kind, value = limit
        own = {"megapixels": self.max_megapixels, "seconds": self.max_seconds, "bytes": self.max_bytes}
        return own.get(kind, math.inf) > value


def default_limits() -> DecodingLimits:
    """Return the default limits, lowered to what half of the available memory can hold."""
    available = processes.available_bytes()
    if available is None:
        return DecodingLimits()
    room = available / 2 / BYTES_PER_PIXEL / 1e6
    return DecodingLimits(max_megapixels=float(round(min(DEFAULT_MAX_MEGAPIXELS, max(_BIG_MEGAPIXELS, room)))))


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A decoded picture, upright and in RGB.

    Attributes:
        image: mode "RGB"; orientation applied, transparent parts on white, the first frame of several.
        box: left, top, right and bottom edge of the picture in `image`. Usually the whole image, but a JPEG scaled
            down may end within the last row or column, and a shift by half a pixel is visible in the embedding.
        metadata: full size, format, date, camera and position.
    """

    image: Image.Image
    box: tuple[float, float, float, float]
    metadata: ImageMetadata


def decode_image(
    source: bytes | str | Path | BinaryIO,
    *,
    max_megapixels: float = DEFAULT_MAX_MEGAPIXELS,
    needed_side: int | None = None,
    turn: Turn | None = None,
    suffix: str = "",
) -> DecodedImage:
    """Decode a picture, or the available part of one that is truncated. Thread-safe.

    A picture whose end is missing or zeroed is accepted with at least three quarters of its rows, see
    `ImageMetadata.decoded_share`.

    Args:
        source: the content of a file, its path, or a file opened for reading bytes.
        max_megapixels: larger pictures are rejected before they are decoded.
        needed_side: what the picture's shorter side will be resized to: a much larger JPEG is decoded at 1/2, 1/4 or
            1/8 of its size, both sides still at least twice as long as needed. None always decodes the full size.
        turn: entered for pictures of more than 32 megapixels; None: one at a time in this process.
        suffix: of the file's name, as `suffix_of` returns it, where the source is not a path.

    Raises:
        ImageReadError: the picture can't be decoded, with a short reason without its path; TransientReadError when
            the machine is to blame and not the picture.
    """
    turn = turn or turn_of_a_big_picture
    opener = partial(open_checked, max_megapixels=max_megapixels, suffix=suffix or suffix_of(source))
    try:
        with (
            open_source(source) as file,
            decoding_settings(max_megapixels),
            open_raw(file, max_megapixels=max_megapixels) as raw,
        ):
            if raw is not None:
                found = raw.decode(lambda image: _decode(file, file, lambda _: image, needed_side, turn), turn=turn)
                return replace(found, metadata=raw.describe(found.metadata))
            present = without_zero_tail(file)
            try:
                return _decode(present, file, opener, needed_side, turn)
            except Exception as error:  # decoders raise anything, see below
                decoded = _decode_partial(present, file, opener, turn) if _may_be_partial(error) else None
                if decoded is not None:
                    return decoded
                if _may_be_partial(error) and lacks_end(_content(present)):
                    raise truncated() from error
                raise
    except ImageReadError:
        raise
    except Exception as error:  # decoders raise anything: OSError, SyntaxError, struct.error, TypeError, MemoryError, …
        raise read_error(error, max_megapixels) from error


def read_header(
    source: bytes | str | Path | BinaryIO, *, max_megapixels: float = DEFAULT_MAX_MEGAPIXELS, suffix: str = ""
) -> ImageMetadata:
    """Read the metadata that `decode_image` returns, without decoding the pixels.

    Arguments and errors as in `decode_image`. A picture with damaged pixels still has a header.
    """
    opener = partial(open_checked, max_megapixels=max_megapixels, suffix=suffix or suffix_of(source))
    try:
        with (
            open_source(source) as file,
            decoding_settings(max_megapixels),
            open_raw(file, max_megapixels=max_megapixels) as raw,
        ):
            if raw is not None:
                return raw.describe(read_metadata(raw.header(), file, width=1, height=1))
            try:
                image = opener(file)
            except Exception as error:  # readers raise anything
                if not _may_be_partial(error):
                    raise
                image = opener(io.BytesIO(complete(_content(file))))
            width, height = image.size
            # Pillow has already swapped the size of a TIFF.
            if image.format != "TIFF" and read_orientation(image) in _SWAPS_SIDES:
                width, height = height, width
            return read_metadata(image, file, width=width, height=height)
    except ImageReadError:
        raise
    except Exception as error:  # decoders raise anything, see above
        raise read_error(error, max_megapixels) from error


def is_sequence(source: bytes | BinaryIO, *, suffix: str = "") -> bool:
    """Return whether a file read by `decode_image` holds more than the displayed picture: frames or pages.

    A JPEG from a telephone (MPO) often does: besides the picture a preview, a depth map, or a gain map.
    """
    try:
        with open_source(source) as file, decoding_settings(DEFAULT_MAX_MEGAPIXELS):
            return find_kind(file) is None and bool(getattr(open_image(file, suffix), "is_animated", False))
    except Exception:  # decoders raise anything, see above; an unknown number of frames may be more than one  # noqa: BLE001
        return True


def upright_rgb(image: Image.Image) -> Image.Image:
    """Convert an opened Pillow image to what `decode_image` returns: upright, mode "RGB".

    Raises:
        ImageReadError: its pixels can't be read.
    """
    try:
        with decoding_settings(DEFAULT_MAX_MEGAPIXELS):
            image.load()
            transpose = _TRANSPOSE.get(read_orientation(image))
            image = to_rgb(image)
            return image if transpose is None else image.transpose(transpose)
    except Exception as error:  # decoders raise anything, see above
        raise read_error(error, DEFAULT_MAX_MEGAPIXELS) from error


@dataclass(slots=True)
class _Loaded:
    """Loaded pixels as stored in the file, at 1/`scale` of the full size; `_upright` consumes them."""

    image: Image.Image | None
    metadata: ImageMetadata
    orientation: int
    scale: int = 1


def _decode(present: BinaryIO, file: BinaryIO, opener: OpenImage, needed_side: int | None, turn: Turn) -> DecodedImage:
    """Decode a whole picture.

    Args:
        image: opened.
        present: what it was opened from, see `without_zero_tail`.
        file: whole, for the metadata.
    """
    image = opener(present)
    full_size = image.size
    megapixels = image.width * image.height / 1e6
    scale = 1 if needed_side is None else _scale_down(image, needed_side)
    if not image.info.get("progressive"):  # else all coefficients are in memory at once, whatever the scale
        megapixels /= scale**2
    with turn() if megapixels > _BIG_MEGAPIXELS else contextlib.nullcontext():
        try:
            image.load()
        except Exception as error:  # decoders raise anything
            kind = None if isinstance(error, MemoryError) else unusual_kind(image, present)
            if kind is None:
                raise
            raise ImageReadError(f"not supported: an unusual kind of {image.format} ({kind})") from error
        orientation = read_orientation(image)
        width, height = full_size if scale > 1 else image.size  # loading may change the size
        metadata = _upright_metadata(image, file, width, height, orientation)
        loaded = _Loaded(image, metadata, orientation, scale)
        del image
        return _upright(loaded)


def _content(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _may_be_partial(error: Exception) -> bool:
    """Return whether the error may come from a missing end: the machine did not fail, nor was the picture rejected."""
    if isinstance(error, ImageReadError):
        return isinstance(error, DamagedHeaderError)
    is_system_error = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None)
    return not is_system_error and not isinstance(error, Image.DecompressionBombError)


def _decode_partial(present: BinaryIO, file: BinaryIO, opener: OpenImage, turn: Turn) -> DecodedImage | None:
    """Decode the available part of a truncated picture, or return None; arguments as in `_decode`."""
    with turn():  # several copies of it may be in memory
        zeros = file.seek(0, io.SEEK_END) - present.seek(0, io.SEEK_END)
        found = load_partial(_content(present), opener, zeros=zeros)
        if found is None:
            return None
        orientation = read_orientation(found.opened)
        metadata = _upright_metadata(found.opened, file, *found.pixels.size, orientation)
        # A container that gives the same picture without the zeros at its end is complete.
        if present is file or found.share < 1 or found.opened.format not in _CONTAINERS:
            metadata = replace(metadata, decoded_share=found.share, is_coarse=found.is_coarse)
        loaded = _Loaded(found.pixels, metadata, orientation)
        del found
        return _upright(loaded)


def _upright_metadata(image: Image.Image, file: BinaryIO, width: int, height: int, orientation: int) -> ImageMetadata:
    if orientation in _SWAPS_SIDES:
        width, height = height, width
    return read_metadata(image, file, width=width, height=height)


def _upright(loaded: _Loaded) -> DecodedImage:
    image, loaded.image = loaded.image, None
    if image is None:
        raise ValueError("the pixels were already consumed")
    # Each step frees its input.
    image = to_rgb(image)
    if loaded.orientation in _TRANSPOSE:
        image = image.transpose(_TRANSPOSE[loaded.orientation])
    width, height = loaded.metadata.width / loaded.scale, loaded.metadata.height / loaded.scale
    left = image.width - width if loaded.orientation in _STARTS_RIGHT else 0
    top = image.height - height if loaded.orientation in _STARTS_BELOW else 0
    return DecodedImage(image, (left, top, left + width, top + height), loaded.metadata)


def _scale_down(image: Image.Image, needed_side: int) -> int:
    """Set libjpeg to decode at 1/2, 1/4 or 1/8 of the size: a fifth of the time for 12 megapixels.

    Both sides stay at least twice the size after resizing, so that the resize filter still has the detail.

    Returns:
        1, 2, 4 or 8.
    """
    if image.format not in ("JPEG", "MPO"):  # a HEIF would give an embedded thumbnail
        return 1
    side = _DETAIL * needed_side
    width = image.width
    drafted = image.draft(None, (side, side))
    return 1 if drafted is None else round(width / drafted[1][2])
