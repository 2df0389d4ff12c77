"""Explain in a few words why a picture can't be read: damaged, not supported, too large, or a transient failure."""

import io
import math
import re
import struct
from collections.abc import Callable
from functools import cache
from typing import BinaryIO, Literal

from PIL import Image

from clipsearch.errors import ImageReadError, TransientReadError
from clipsearch.images.jpeg import unusual_jpeg
from clipsearch.quantities import value_and_limit

# Pillow's messages for files that are intact, but of a kind that it can't decode.
_UNUSUAL = re.compile(
    "unsupported(?! operand)|not supported|cannot handle|unknown pixel mode|unable to determine .* mode", re.I
)

# Bugs of a reader that bad data triggers, and identifiers in its code: neither tells users anything.
_MISTAKES = (LookupError, TypeError, AttributeError, AssertionError, ArithmeticError, UnicodeError, NotImplementedError)
_IDENTIFIER = re.compile(r"\b\w+\.[A-Za-z_]\w*\b|\b[A-Z]+_[A-Z_]+\b|\b[A-Z][a-z]+[A-Z]\w*\b|__|\w\(\)|Error\b")

_TRUNCATED = "truncated: too little of it can be decoded"

# Source: TIFF 6.0, section 2: bytes of a value by its type, where not one.
_TIFF_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}

_MAX_ZEROS = 16

# Codecs that Pillow's libtiff may have been built without.
_RARE_TIFF_CODECS = ("webp", "zstd", "lzma")


class DamagedHeaderError(ImageReadError):
    """The file begins like a picture, but its header can't be read."""


def read_error(error: Exception, max_megapixels: float) -> ImageReadError:
    """Convert an error of a decoder to an `ImageReadError`.

    Args:
        error: whatever the decoder raised.

    Returns:
        The error to raise instead; a TransientReadError where the machine is to blame and not the picture.
    """
    if isinstance(error, Image.DecompressionBombError):  # "Image size (400000000 pixels) exceeds limit of …"
        pixels = re.search(r"\d+", str(error))
        return too_large(int(pixels[0]) / 1e6 if pixels else math.inf, max_megapixels)
    # Only errors of the system have an errno; decoders raise OSError without one.
    is_transient = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None)
    return (TransientReadError if is_transient else ImageReadError)(_reason(error))


def unidentified_error(file: BinaryIO, formats: tuple[str, ...]) -> ImageReadError:
    """Explain why no reader of these formats accepts the file; its position changes."""
    file.seek(0)
    start = file.read(16)
    reasons: list[str] = []
    for name in formats:
        factory, accepts = Image.OPEN[name]
        if not _accepts(accepts, start):
            continue
        file.seek(0)
        try:
            factory(file, "")
        except Exception as error:  # readers raise anything  # noqa: BLE001
            cause = error.__cause__
            # A TIFF's compression is looked up by its number.
            is_unknown_number = isinstance(cause, KeyError) and isinstance(cause.args[0], int)
            text = f"compression {cause.args[0]}" if isinstance(cause, KeyError) and is_unknown_number else str(error)
            if (is_unknown_number or _UNUSUAL.search(text)) and not (name == "TIFF" and _lacks_directory(file)):
                return ImageReadError(f"not supported: an unusual kind of {name} ({one_line(text)})")
        reasons.append(name)
    if reasons == ["JPEG"] and (kind := _unusual_jpeg(file)):
        return ImageReadError(f"not supported: an unusual kind of JPEG ({kind})")
    if not reasons and not (start.startswith(b"RIFF") and start[8:12] == b"WEBP"):
        return ImageReadError("not a picture of a kind that can be read")
    return DamagedHeaderError("damaged: its header can't be read")


def _lacks_directory(file: BinaryIO) -> bool:
    """Return whether a TIFF is truncated before the end of its directory, which most programs write last.

    A missing directory does not make a file of an unusual kind.
    """
    file.seek(0)
    content = file.read()
    # More zeros at the end than a value may have are the missing part.
    size = min(len(content), len(content.rstrip(b"\0")) + _MAX_ZEROS)
    order: Literal["little", "big"] = "little" if content.startswith(b"II") else "big"
    place = int.from_bytes(content[4:8], order)
    count = int.from_bytes(content[place : place + 2], order)
    entries = content[place + 2 : place + 2 + 12 * count + 4]
    if len(entries) < 12 * count + 4:
        return True
    for start in range(0, 12 * count, 12):
        kind, number = (int.from_bytes(entries[start + a : start + b], order) for a, b in ((2, 4), (4, 8)))
        if kind == 0 or number == 0:  # an entry of zeros
            return True
        length = number * _TIFF_BYTES.get(kind, 1)
        if length > 4 and int.from_bytes(entries[start + 8 : start + 12], order) + length > size:
            return True
    return False


def _accepts(accepts: Callable[[bytes], bool | str] | None, start: bytes) -> bool:
    try:
        return accepts is not None and bool(accepts(start))
    except (IndexError, TypeError, struct.error):  # as Pillow handles it: a file of a few bytes
        return False


def unusual_kind(image: Image.Image, file: BinaryIO) -> str | None:
    """Name what is unusual about an opened picture that can't be decoded; None where nothing is known to be."""
    if image.format == "JPEG":
        return _unusual_jpeg(file)
    codec = image.info.get("compression")
    if image.format == "TIFF" and codec in _RARE_TIFF_CODECS and not _has_tiff_codec(codec):
        return f"compression {codec}"
    return None


def _unusual_jpeg(file: BinaryIO) -> str | None:
    file.seek(0)
    return unusual_jpeg(file.read())


@cache
def _has_tiff_codec(codec: str) -> bool:
    try:
        Image.new("RGB", (1, 1)).save(io.BytesIO(), "TIFF", compression=codec)
    except Exception:  # Pillow raises whatever libtiff reports  # noqa: BLE001
        return False
    return True


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    return _describe_fault(error)


def _describe_fault(error: Exception) -> str:
    """Describe a fault of the picture itself."""
    text = str(error)
    if isinstance(error, EOFError | struct.error) or re.search(
        "truncat|not enough (image )?data|end of|only got", text, re.I
    ):
        return _TRUNCATED
    if _UNUSUAL.search(text):
        return f"not supported: {one_line(text)}"
    if re.search("decoder error|data stream", text):  # Pillow's generic messages
        return "damaged"
    message = "" if isinstance(error, _MISTAKES) else one_line(text)
    return f"damaged: {message}" if message and not _IDENTIFIER.search(message) else "damaged"


def one_line(text: str) -> str:
    """Shorten a message to at most 100 characters, without "<_io.BytesIO object at 0x7f…>" and the b of b'IDAT'."""
    plain = re.sub(r"\bb'([^']*)'", r"\1", re.sub(r"<[^<>]*>|0x[0-9a-fA-F]+", "", text))
    return " ".join(plain.split())[:100]


def truncated() -> ImageReadError:
    return ImageReadError(_TRUNCATED)


def too_large(megapixels: float, limit: float) -> ImageReadError:
    """Make the error for a picture with too many pixels.

    Args:
        megapixels: more than the limit; infinite where the number is unknown.
    """
    if math.isinf(megapixels):
        return ImageReadError(f"too large: more than {limit:,g} megapixels", limit=("megapixels", limit))
    shown, shown_limit = value_and_limit(megapixels, limit)
    return ImageReadError(f"too large: {shown} megapixels, the limit is {shown_limit}", limit=("megapixels", limit))


def too_many_bytes(size_bytes: int, limit: int) -> ImageReadError:
    shown, shown_limit = value_and_limit(size_bytes / 1e9, limit / 1e9)
    return ImageReadError(f"too large: {shown} GB, the limit is {shown_limit}", limit=("bytes", float(limit)))
