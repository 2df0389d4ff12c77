"""From any file to an upright RGB picture, or to one short reason why not.

What a file holds decides, never its name. Only the formats in `_FORMATS` are tried: Pillow knows more, and some of them
start other programs (EPS starts Ghostscript). Colour profiles are not applied, as in the preprocessing that models
were trained with.
"""

import contextlib
import ctypes
import io
import math
import re
import stat
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from clipsearch import settings
from clipsearch.errors import ImageReadError, InputError, TransientReadError
from clipsearch.images.metadata import ImageMetadata, read_metadata, read_orientation
from clipsearch.images.pillow import decoding_settings

# Telephones make pictures of 200 megapixels; at four bytes a pixel the limit is one gigabyte.
DEFAULT_MAX_MEGAPIXELS = 256.0

# Four as Pillow has it, once more turned or converted, and the decoder's own.
BYTES_A_PIXEL = 16

# Far beyond them the system's own limits can't be set any more.
_MOST_MEGAPIXELS = 1e6
_MOST_SECONDS = 86_400

# A decoder may take so many times its seconds by the clock: ten processes may share a core.
_WALL_SECONDS = 10

# What a file may hold besides one picture: previews, EXIF, more frames.
_MAX_EXTRA_BYTES = 1 << 30

# Larger pictures are decoded one at a time, whatever the number of threads: it is memory that they need, not speed.
_BIG_MEGAPIXELS = 32.0
_one_big_picture = threading.Lock()
Turn: TypeAlias = Callable[[], contextlib.AbstractContextManager[None]]
"""Entered while a large picture is decoded."""

# A JPEG that is scaled down while it is decoded keeps this many times the pixels a side that are needed.
_DETAIL = 2

# Modes are converted in strips of at most so many pixels, so that no more than two whole pictures are in memory.
_STRIP_PIXELS = 4_000_000

# AVIF before HEIF: both take files of the brand "mif1", but only the AVIF reader leaves those that are not its own.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "AVIF", "HEIF", "JPEG2000", "PPM")
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"II*\0", b"MM\0*", b"BM", b"\0\0\0\x0cjP")

# Source: EXIF 2.32, 4.6.4, tag 0x0112: where row 0 and column 0 lie.
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
    """What a picture may cost before it is given up.

    Attributes:
        max_megapixels: larger ones are refused before they are decoded.
        max_seconds: that decoding keeps the processor busy, of all threads of the decoder together.
    """

    max_megapixels: float = DEFAULT_MAX_MEGAPIXELS
    max_seconds: int = settings.DEFAULT_MAX_SECONDS

    def __post_init__(self) -> None:
        """
        Raises:
            InputError: a limit that is none.
        """
        if not 0 < self.max_megapixels <= _MOST_MEGAPIXELS:  # nan is none either
            raise InputError(f"{self.max_megapixels} megapixels are no limit; use more than 0, up to 1000000")
        if not 1 <= self.max_seconds <= _MOST_SECONDS:
            raise InputError(f"{self.max_seconds} seconds are no limit; use 1 to 86400")

    @property
    def max_bytes(self) -> int:
        """Of a file, which is read whole for its hash: no picture of so many megapixels takes more, however stored."""
        return int(self.max_megapixels * 1e6 * BYTES_A_PIXEL) + _MAX_EXTRA_BYTES

    @property
    def max_wall_seconds(self) -> int:
        """Of decoding by the clock, which a busy machine and a slow drive have their share of."""
        return _WALL_SECONDS * self.max_seconds

    def are_beyond(self, limit: tuple[str, float]) -> bool:
        """Whether a picture that went beyond a limit, as `ImageReadError` has it, may pass now."""
        kind, value = limit
        own = {"megapixels": self.max_megapixels, "seconds": self.max_seconds, "bytes": self.max_bytes}
        return own.get(kind, math.inf) > value


def default_limits() -> DecodingLimits:
    """As large as pictures get, or what half of the memory holds that is free now."""
    available = settings.available_bytes()
    if available is None:
        return DecodingLimits()
    room = available / 2 / BYTES_A_PIXEL / 1e6
    return DecodingLimits(max_megapixels=float(round(min(DEFAULT_MAX_MEGAPIXELS, max(_BIG_MEGAPIXELS, room)))))


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture as people see it.

    Attributes:
        image: mode "RGB"; turned upright, transparent parts on white, the first frame of several.
        box: left, top, right and bottom edge of the picture in `image`. That is all of it, but a JPEG scaled down
            may end within the last row or column, and a shift by half a pixel can be seen in the embedding.
        metadata: its full size, kind, date, camera and place.
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
) -> DecodedImage:
    """Decodes a picture. Safe to call from several threads at once.

    Args:
        source: the content of a file, its path, or a file opened for reading bytes.
        max_megapixels: larger pictures are refused before they are decoded.
        needed_side: what the picture's shorter side will be resized to: a JPEG that is much too large for that comes
            out at 1/2, 1/4 or 1/8 of its size, both sides still at least twice as long. None always decodes the full
            size.
        turn: for pictures of more than 32 megapixels; None: one at a time in this process.

    Raises:
        ImageReadError: whatever is wrong with the picture, in a few words and without its path; a
            TransientReadError when not the picture is to blame but the machine.
    """
    try:
        with _open_source(source) as file, decoding_settings(max_megapixels):
            return _decode(file, max_megapixels, needed_side, turn or _turn_of_a_big_picture)
    except ImageReadError:
        raise
    except Exception as error:  # decoders raise anything: OSError, SyntaxError, struct.error, TypeError, MemoryError, …
        raise _read_error(error, max_megapixels) from error


def read_header(
    source: bytes | str | Path | BinaryIO, *, max_megapixels: float = DEFAULT_MAX_MEGAPIXELS
) -> ImageMetadata:
    """The metadata that `decode_image` gives, without decoding the pixels; arguments and errors as there. A picture
    whose pixels are damaged has a header too."""
    try:
        with _open_source(source) as file, decoding_settings(max_megapixels):
            image = _open_image(file)
            width, height = image.size
            if width * height / 1e6 > max_megapixels:
                raise _too_large(width * height / 1e6, max_megapixels)
            # Pillow has turned the size of a TIFF already.
            if image.format != "TIFF" and read_orientation(image) in _SWAPS_SIDES:
                width, height = height, width
            return read_metadata(image, width=width, height=height)
    except ImageReadError:
        raise
    except Exception as error:  # decoders raise anything, see above
        raise _read_error(error, max_megapixels) from error


def upright_rgb(image: Image.Image) -> Image.Image:
    """A Pillow image that somebody else opened, brought to what `decode_image` gives: upright, mode "RGB".

    Raises:
        ImageReadError: its pixels can't be read.
    """
    try:
        with decoding_settings(DEFAULT_MAX_MEGAPIXELS):
            image.load()
            transpose = _TRANSPOSE.get(read_orientation(image))
            image = _to_rgb(image)
            return image if transpose is None else image.transpose(transpose)
    except Exception as error:  # decoders raise anything, see above
        raise _read_error(error, DEFAULT_MAX_MEGAPIXELS) from error


@contextlib.contextmanager
def _open_source(source: bytes | str | Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, str | Path):
        path = Path(source)
        # Before opening: to open a named pipe is to wait for someone to write into it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ImageReadError("not a regular file")
        with path.open("rb") as file:
            yield file
    else:
        yield source if source.seekable() else io.BytesIO(source.read())


def _decode(file: BinaryIO, max_megapixels: float, needed_side: int | None, turn: Turn) -> DecodedImage:
    image = _open_image(file)
    full_size = image.size
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise _too_large(megapixels, max_megapixels)
    scale = 1 if needed_side is None else _scale_down(image, needed_side)
    if not image.info.get("progressive"):  # else all coefficients are in memory at once, whatever is made of them
        megapixels /= scale**2
    with turn() if megapixels > _BIG_MEGAPIXELS else contextlib.nullcontext():
        image.load()
        orientation = read_orientation(image)
        width, height = full_size if scale > 1 else image.size  # loading may change the size
        if orientation in _SWAPS_SIDES:
            width, height = height, width
        metadata = read_metadata(image, width=width, height=height)
        # Each step frees what it started from.
        image = _to_rgb(image)
        if orientation in _TRANSPOSE:
            image = image.transpose(_TRANSPOSE[orientation])
        left = image.width - width / scale if orientation in _STARTS_RIGHT else 0
        top = image.height - height / scale if orientation in _STARTS_BELOW else 0
        return DecodedImage(image, (left, top, left + width / scale, top + height / scale), metadata)


def _scale_down(image: Image.Image, needed_side: int) -> int:
    """Has libjpeg decode 1/2, 1/4 or 1/8 of the size, from fewer coefficients: a fifth of the time for 12 megapixels.

    Both sides stay at least twice what a resize makes of them, so that its filter still sees the detail.

    Returns:
        1, 2, 4 or 8.
    """
    if image.format not in ("JPEG", "MPO"):  # a HEIF would give an embedded thumbnail
        return 1
    side = _DETAIL * needed_side
    width = image.width
    drafted = image.draft(None, (side, side))
    return 1 if drafted is None else round(width / drafted[1][2])


@contextlib.contextmanager
def _turn_of_a_big_picture() -> Iterator[None]:
    with _one_big_picture:
        # glibc keeps for a thread what that thread has freed: four threads would hold on to four big pictures.
        if sys.platform == "linux":
            with contextlib.suppress(AttributeError):  # another libc
                ctypes.CDLL(None).malloc_trim(0)
        yield


def _open_image(file: BinaryIO) -> Image.Image:
    file.seek(0)
    start = file.read(16)
    if not start:
        raise ImageReadError("empty file")
    try:
        return Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError as error:
        is_known = start.startswith(_SIGNATURES) or start[4:8] == b"ftyp"
        reason = "damaged: its header can't be read" if is_known else "not a picture of a kind that can be read"
        raise ImageReadError(reason) from error
    except ValueError as error:
        if "Exif" not in str(error):
            raise
        # libavif refuses pictures for their EXIF; without the name nothing finds it. The turn is kept elsewhere.
        file.seek(0)
        return Image.open(io.BytesIO(file.read().replace(b"Exif", b"skip")), formats=("AVIF",))


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode → "RGB", transparent parts on white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    convert = _converter(image)
    rows = max(1, _STRIP_PIXELS // image.width)
    if rows >= image.height:
        return convert(image)
    result = Image.new("RGB", image.size)
    for top, strip in _strips(image, rows):
        result.paste(convert(strip), (0, top))
    return result


def _strips(image: Image.Image, rows: int) -> Iterator[tuple[int, Image.Image]]:
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _converter(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    if image.mode.startswith("I;16"):
        key = image.info.get("transparency")
        return partial(_from_numbers, low=0.0, high=65535.0, scale=1 / 257, key=key if isinstance(key, int) else None)
    if image.mode in ("I", "F"):
        low, high = _finite_range(image)
        if image.mode == "F" and low >= 0 and high <= 1:
            return partial(_from_numbers, low=0.0, high=1.0, scale=255.0)
        if low >= 0 and high <= 255:
            return partial(_from_numbers, low=0.0, high=255.0, scale=1.0)
        if low >= 0 and high <= 65535:
            return partial(_from_numbers, low=0.0, high=65535.0, scale=1 / 257)
        return partial(_from_numbers, low=low, high=high, scale=255 / ((high - low) or 1.0))
    return _from_colours


def _from_colours(image: Image.Image) -> Image.Image:
    if image.mode in ("La", "RGBa"):  # premultiplied: to straight alpha first
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.mode in ("LA", "PA") or (image.mode in ("1", "L", "P", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
    if image.mode != "RGBA":
        return image.convert("RGB")
    result = Image.new("RGB", image.size, "white")
    result.paste(image, mask=image)
    return result


def _finite_range(image: Image.Image) -> tuple[float, float]:
    """Lowest and highest value, NaN and infinities apart; (0, 0) if there is nothing else."""
    low, high = math.inf, -math.inf
    for _, strip in _strips(image, max(1, _STRIP_PIXELS // image.width)):
        numbers = np.asarray(strip)
        numbers = numbers[np.isfinite(numbers)]
        if numbers.size:
            low, high = min(low, float(numbers.min())), max(high, float(numbers.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def _from_numbers(image: Image.Image, *, low: float, high: float, scale: float, key: int | None = None) -> Image.Image:
    """Numbers from low to high → grey levels; those equal to the transparent `key` → white."""
    numbers = np.asarray(image)
    levels = np.nan_to_num(numbers.astype(np.float64), nan=low, posinf=high, neginf=low)
    levels -= low
    levels *= scale
    np.rint(levels, out=levels)
    grey = levels.clip(0, 255).astype(np.uint8)
    if key is not None:
        grey[numbers == key] = 255
    return Image.fromarray(grey).convert("RGB")


def _read_error(error: Exception, max_megapixels: float) -> ImageReadError:
    if isinstance(error, Image.DecompressionBombError):  # "Image size (400000000 pixels) exceeds limit of …"
        pixels = re.search(r"\d+", str(error))
        return _too_large(int(pixels[0]) / 1e6 if pixels else math.inf, max_megapixels)
    # An error number comes from the system, which failed to read; decoders raise OSError without one.
    is_transient = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None)
    return (TransientReadError if is_transient else ImageReadError)(_reason(error))


def _reason(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, EOFError | struct.error) or re.search(
        "truncat|not enough (image )?data|end of|only got", text, re.I
    ):
        return "truncated"
    if re.search("decoder error|data stream", text):  # Pillow's words for what it can't explain
        return "damaged"
    # One line, without "<_io.BytesIO object at 0x7f…>" and the like.
    text = " ".join(re.sub(r"<[^<>]*>|0x[0-9a-fA-F]+", "", text).split())
    return f"damaged: {text[:100] or type(error).__name__}"


def _too_large(megapixels: float, limit: float) -> ImageReadError:
    reason = f"too large: {megapixels:.0f} megapixels, the limit is {limit:g}"
    return ImageReadError(reason, limit=("megapixels", limit))
