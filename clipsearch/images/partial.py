"""Decode truncated pictures: the rows that are present, and their share of the whole.

An interrupted download, a removed card: every viewer shows such a picture. Its missing rows are grey here, as libjpeg
fills them, which moves the embedding less than a crop, a mirror image or the mean colour does.

Not supported: JPEG 2000 with more missing than its last two bytes (OpenJPEG decodes strictly, and Pillow has no option
for that), a TIFF whose directory is in the missing part, and about one in eight AVIF files, for which dav1d accepts no
filling (Pillow has no option for libavif's incremental decoding either). These are skipped as truncated or damaged.
"""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import Image

from clipsearch.images.jpeg import read_scans

OpenImage: TypeAlias = Callable[[BinaryIO], Image.Image]
"""Opens a picture without decoding it; raises whatever Pillow does."""

MIN_SHARE = 0.75
"""Share of the rows: a picture with fewer counts as damaged."""

# A container is padded to its declared length, and again with some of its own bytes dropped: rows that decode alike
# were present. libwebp accepts zeros only, dav1d about one filling in four. If no filling works twice, the share of
# bytes is the fallback for that of rows, with a higher threshold: a picture's end may take fewer bytes.
_FILLINGS = (b"\0", b"\xff", b"\x19", b"\x82", b"\x73", b"\x55", b"\x3c", b"\xa5")
_MIN_SHARE_OF_BYTES = 0.95
# Bytes that are dropped: at least this many, at most this share.
_LEFT_OUT_BYTES, _LEFT_OUT_SHARE = 8, 0.02
# Deblocking filters read a little way into the missing part.
_MAX_DIFFERENCE = 8

_GREY = 128
_END_OF_IMAGE = b"\xff\xd9"  # of JPEG, and of JPEG 2000's codestream
_JPEG = b"\xff\xd8\xff"
_JPEG_2000 = (b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51")

# The formats whose pixels are never stored as they are.
_COMPRESSED = re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|....ftyp|\0\0\0\x0cjP|\xff\x4f\xff\x51", re.DOTALL)
# Fewer zeros may belong to the picture.
_MIN_ZERO_TAIL = 64

# From the means of a JPEG's blocks alone, embeddings have a mean cosine of 0.59 to that of the whole with a shorter
# side of 240 pixels, 0.79 with 480, 0.92 with 960; with the next scan 0.83, 0.95, 0.98. A crop to 9/16 has 0.88.
_MIN_SIDE_OF_MEANS = 896

# Modes whose mid grey is not known in advance.
_OPEN_MODES = ("I", "F")


@dataclass(frozen=True, slots=True)
class PartialImage:
    """The decoded part of a truncated picture.

    Attributes:
        opened: the image that Pillow opened, with its format and metadata.
        pixels: loaded, full size, grey in place of missing rows.
        share: share of the rows that are present, `MIN_SHARE` to 1.
        is_coarse: some of the detail or colours is missing in all rows.
    """

    opened: Image.Image
    pixels: Image.Image
    share: float
    is_coarse: bool = False


def load_partial(content: bytes, open_image: OpenImage, *, zeros: int = 0) -> PartialImage | None:
    """Decode the available part of a picture that can't be decoded whole.

    Args:
        content: the available bytes of the file.
        open_image: called several times, with a file of its own each time.
        zeros: number of zeros that followed, see `without_zero_tail`.

    Returns:
        None where less than `MIN_SHARE` of the rows or too little of their detail is present, or nothing decodes.
    """
    if content.startswith(_JPEG):
        return _load_jpeg(content, open_image)
    if content.startswith(_JPEG_2000):
        image = _load(complete(content), open_image)
        return None if image is None else PartialImage(image, image, 1.0)
    if missing := _missing_bytes(content, zeros):
        return _load_filled(content, missing, open_image)
    return _load_rows(content, open_image)


def complete(content: bytes) -> bytes:
    """Pad a truncated picture so that a reader opens it.

    The content is returned unchanged where nothing seems missing, or too much is.
    """
    if content.startswith((_JPEG, *_JPEG_2000)):
        # libjpeg accepts any end marker, and fills the missing rows with grey.
        return content + (_END_OF_IMAGE[1:] if content.endswith(_END_OF_IMAGE[:1]) else _END_OF_IMAGE)
    return content + bytes(_missing_bytes(content))


def lacks_end(content: bytes) -> bool:
    """Return whether a container declares more bytes, or a JPEG 2000 has no end: its decoder's error may mislead."""
    if content.startswith(_JPEG_2000):
        return not content.endswith(_END_OF_IMAGE)
    return _claimed_length(content) > len(content)


def without_zero_tail(file: BinaryIO) -> BinaryIO:
    """Strip the zeros at the end of a compressed picture, as a crash or a failed copy leaves them.

    Padding after a whole picture is stripped too. In a format without compression zeros are black pixels.

    Returns:
        The file itself where there is nothing to strip; its position changes.
    """
    size_bytes = file.seek(0, io.SEEK_END)
    file.seek(max(0, size_bytes - _MIN_ZERO_TAIL))
    tail = file.read(_MIN_ZERO_TAIL)
    file.seek(0)
    if any(tail) or size_bytes <= _MIN_ZERO_TAIL or not _COMPRESSED.match(file.read(12)):
        return file
    file.seek(0)
    present = file.read().rstrip(b"\0")
    # The last chunk or box of a container may have a length that ends in zeros.
    return io.BytesIO(present + bytes(8) if _is_container(present) else present)


def _is_container(content: bytes) -> bool:
    return content.startswith(b"RIFF") or content[4:8] == b"ftyp"


def _missing_bytes(content: bytes, zeros: int = 0) -> int:
    """Return the number of bytes that a RIFF or ISO base media file lacks of its declared length.

    0 where none is missing, or more than were there as zeros or than `MIN_SHARE` allows.
    """
    missing = _claimed_length(content) - len(content)
    return missing if 0 < missing <= max(zeros, len(content) * (1 / MIN_SHARE - 1)) else 0


def _claimed_length(content: bytes) -> int:
    """Return the declared length of a RIFF or ISO base media file; 0 for all other files."""
    if content[:4] == b"RIFF":
        return 8 + int.from_bytes(content[4:8], "little")
    if content[4:8] != b"ftyp":
        return 0
    end = 0
    while end + 16 <= len(content):
        length = int.from_bytes(content[end : end + 4], "big")
        if length == 1:
            length = int.from_bytes(content[end + 8 : end + 16], "big")
        if length < 8:  # to the end, or broken
            break
        end += length
    return end


def _load(content: bytes, open_image: OpenImage) -> Image.Image | None:
    try:
        image = open_image(io.BytesIO(content))
        image.load()
    except MemoryError:
        raise
    except Exception:  # decoders raise anything  # noqa: BLE001
        return None
    return image


def _load_jpeg(content: bytes, open_image: OpenImage) -> PartialImage | None:
    image, scans = _load(complete(content), open_image), read_scans(content)
    if image is None or scans is None:
        return None
    share = 1 - _grey_rows(image) / image.height
    if share < MIN_SHARE or not (scans.has_detail or min(image.size) >= _MIN_SIDE_OF_MEANS):
        return None
    return PartialImage(image, image, share, is_coarse=scans.lacks_scans)


def _grey_rows(image: Image.Image) -> int:
    """Count the rows at the lower edge that libjpeg filled with grey."""
    rows = np.asarray(image).reshape(image.height, -1)
    for number, row in enumerate(rows[::-1]):
        # One level of tolerance: colours are converted, and those of CMYK are inverted.
        if (np.abs(row.astype(np.int16) - _GREY) > 1).any():
            return number
    return image.height


def _load_filled(content: bytes, missing: int, open_image: OpenImage) -> PartialImage | None:
    # With too much missing, rows may look alike because none of them is present.
    can_compare_rows = missing == _missing_bytes(content)
    left_out = min(max(_LEFT_OUT_BYTES, missing), int(len(content) * _LEFT_OUT_SHARE) + 1)
    filled: Image.Image | None = None
    for filling in _FILLINGS:
        image = _load(content + filling * missing, open_image)
        if image is None:
            continue
        if filled is not None and _has_same_layout(filled, image) and (np.asarray(filled) == np.asarray(image)).all():
            return PartialImage(image, image, 1.0)  # the missing bytes hold no pixels
        filled = filled or image
        if not can_compare_rows:
            continue
        other = _load(content[:-left_out] + filling * (missing + left_out), open_image)
        if other is not None and _has_same_layout(other, image):
            return _compare(image, other, tolerance=_MAX_DIFFERENCE)
    share = len(content) / (len(content) + missing)
    return PartialImage(filled, filled, share) if filled is not None and share >= _MIN_SHARE_OF_BYTES else None


def _has_same_layout(image: Image.Image, other: Image.Image) -> bool:
    return image.size == other.size and image.mode == other.mode


def _load_rows(content: bytes, open_image: OpenImage) -> PartialImage | None:
    """Decode onto black and onto white: rows that are equal were decoded, the others are missing."""
    on_black, on_white = (_load_onto(level, content, open_image) for level in (0, 255))
    return None if on_black is None or on_white is None else _compare(on_black, on_white)


def _compare(image: Image.Image, other: Image.Image, *, tolerance: int = 0) -> PartialImage | None:
    """Keep the pixels that are equal in two ways of decoding a picture, and make the rest grey."""
    shape = (image.height, image.width, -1)
    pixels, others = (np.asarray(each).reshape(shape) for each in (image, other))
    alike = (np.abs(pixels.astype(np.int16) - others) <= tolerance if tolerance else pixels == others).all(axis=2)
    # Whole rows; whole columns of a container that rotates its picture; or all but the last blocks of a row.
    is_missing = ~alike.all(axis=1)[:, np.newaxis] & ~alike.all(axis=0)
    share = 1 - float(is_missing.mean())
    if share < MIN_SHARE:
        return None
    shown: Image.Image = image
    bands = len(image.getbands())
    fill: int | tuple[int, ...] = _GREY if bands == 1 else (_GREY,) * bands
    if image.mode in ("1", "P", "PA"):  # the palette may have no grey
        shown, fill = image.convert("RGBA"), (_GREY, _GREY, _GREY, 255)
    elif image.mode.startswith(_OPEN_MODES):
        fill = int(np.nan_to_num(pixels[~is_missing]).mean())
    shown.paste(fill, (0, 0), Image.fromarray(is_missing))
    return PartialImage(image, shown, share)


def _load_onto(level: int, content: bytes, open_image: OpenImage) -> Image.Image | None:
    """Decode onto a background of one level, as far as possible; None where not even the beginning decodes."""
    try:
        image = open_image(io.BytesIO(content))
        prepare = image.load_prepare  # type: ignore[attr-defined]
    except MemoryError:
        raise
    except Exception:  # readers raise anything  # noqa: BLE001
        return None

    def prepare_filled() -> None:
        prepare()
        bands = image.im.bands
        image.im.paste(level if bands == 1 else (level,) * bands, (0, 0, *image.im.size))

    image.load_prepare = prepare_filled  # type: ignore[attr-defined]
    try:
        image.load()
    except MemoryError:
        raise
    except Exception:  # decoders raise anything  # noqa: BLE001
        image.tile = []  # type: ignore[attr-defined]  # Pillow then treats it as loaded
    try:
        return image if image.im.size == image.size else None
    except Exception:  # no pixels were allocated  # noqa: BLE001
        return None
