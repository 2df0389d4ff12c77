"""Pictures whose end is missing: what is there of them, and how much of the whole that is.

A download that broke off, a card that was pulled out: every viewer shows such a picture. Its missing rows are grey
here, as libjpeg fills them, which moves the embedding less than a crop, a mirror image or the mean colour does.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import Image

OpenImage: TypeAlias = Callable[[BinaryIO], Image.Image]
"""Opens a picture without decoding it; raises whatever Pillow does."""

MIN_SHARE = 0.75
"""Of the rows: with fewer a picture counts as damaged."""

# A container is filled up to the length it claims, and once more with some bytes fewer of its own: rows that come out
# alike were there. libwebp puts up with zeros alone, dav1d with about one filling in four. Where no filling is taken
# twice the share of bytes stands for that of rows, and must be higher: a picture's end may take fewer bytes.
_FILLINGS = (b"\0", b"\xff", b"\x19", b"\x82", b"\x73", b"\x55", b"\x3c", b"\xa5")
_MIN_SHARE_OF_BYTES = 0.95
# At least so many bytes are left out, at most such a share.
_LEFT_OUT_BYTES, _LEFT_OUT_SHARE = 8, 0.02
# Filters that smooth the edges of blocks look a little way into what is missing.
_MAX_DIFFERENCE = 8

_GREY = 128
_END_OF_IMAGE = b"\xff\xd9"  # of JPEG, and of JPEG 2000's codestream
_MARKED = (b"\xff\xd8\xff", b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51")

# Numbers without a middle that is known beforehand.
_OPEN_MODES = ("I", "F")


@dataclass(frozen=True, slots=True)
class PartialImage:
    """A picture that is there in part.

    Attributes:
        opened: as Pillow has opened it, with its format and what it says of itself.
        pixels: loaded; of the same size, grey in place of missing rows.
        share: of the rows that are there, `MIN_SHARE` to 1.
    """

    opened: Image.Image
    pixels: Image.Image
    share: float


def load_partial(file: BinaryIO, open_image: OpenImage) -> PartialImage | None:
    """Decode as much as is there of a picture that can't be decoded whole.

    Args:
        file: its content, seekable; its position changes.
        open_image: is called once or twice, with a file of its own each time.

    Returns:
        None where less than `MIN_SHARE` of the rows are there, or nothing can be decoded.
    """
    file.seek(0)
    content = file.read()
    if content.startswith(_MARKED):
        image = _load(_with_end(content), open_image)
        if image is None:
            return None
        share = 1 - _grey_rows(image) / image.height if content.startswith(b"\xff\xd8") else 1.0
        return PartialImage(image, image, share) if share >= MIN_SHARE else None
    if missing := _missing_bytes(content):
        return _load_filled(content, missing, open_image)
    return _load_rows(content, open_image)


def complete(file: BinaryIO) -> bytes | None:
    """The content of a picture without its end, with what makes a reader open it; None where nothing is missing that
    can be told, or too much is."""
    file.seek(0)
    content = file.read()
    if content.startswith(_MARKED):
        return _with_end(content)
    missing = _missing_bytes(content)
    return content + bytes(missing) if missing else None


def _with_end(content: bytes) -> bytes:
    # libjpeg takes an end for an end, and fills what it lacks with grey.
    return content + (_END_OF_IMAGE[1:] if content.endswith(_END_OF_IMAGE[:1]) else _END_OF_IMAGE)


def _missing_bytes(content: bytes) -> int:
    """How many bytes a RIFF or ISO base media file lacks of the length it claims; 0 where it lacks none or too many."""
    missing = _claimed_length(content) - len(content)
    return missing if 0 < missing <= len(content) * (1 / MIN_SHARE - 1) else 0


def _claimed_length(content: bytes) -> int:
    """How long a RIFF or ISO base media file says it is; 0 for all other files."""
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
    except Exception:  # decoders raise anything
        return None
    return image


def _grey_rows(image: Image.Image) -> int:
    """Number of rows at the lower edge that libjpeg had nothing for."""
    rows = np.asarray(image).reshape(image.height, -1)
    for number, row in enumerate(rows[::-1]):
        # One level off: colours are converted, and those of CMYK are inverted.
        if (np.abs(row.astype(np.int16) - _GREY) > 1).any():
            return number
    return image.height


def _load_filled(content: bytes, missing: int, open_image: OpenImage) -> PartialImage | None:
    left_out = min(max(_LEFT_OUT_BYTES, missing), int(len(content) * _LEFT_OUT_SHARE) + 1)
    filled: Image.Image | None = None
    for filling in _FILLINGS:
        image = _load(content + filling * missing, open_image)
        if image is None:
            continue
        other = _load(content[:-left_out] + filling * (missing + left_out), open_image)
        if other is not None and other.size == image.size and other.mode == image.mode:
            return _compare(image, other, tolerance=_MAX_DIFFERENCE)
        filled = filled or image
    share = len(content) / (len(content) + missing)
    return PartialImage(filled, filled, share) if filled is not None and share >= _MIN_SHARE_OF_BYTES else None


def _load_rows(content: bytes, open_image: OpenImage) -> PartialImage | None:
    """Decodes onto black and onto white: rows that come out alike were decoded, the others are missing."""
    on_black, on_white = (_load_onto(level, content, open_image) for level in (0, 255))
    return None if on_black is None or on_white is None else _compare(on_black, on_white)


def _compare(image: Image.Image, other: Image.Image, *, tolerance: int = 0) -> PartialImage | None:
    """What is alike in two ways to decode a picture is there of it; the rest becomes grey."""
    shape = (image.height, image.width, -1)
    pixels, others = (np.asarray(each).reshape(shape) for each in (image, other))
    alike = (np.abs(pixels.astype(np.int16) - others) <= tolerance if tolerance else pixels == others).all(axis=2)
    # Whole rows, of a container that turns its picture whole columns, or but the last blocks of a row.
    is_missing = ~alike.all(axis=1)[:, np.newaxis] & ~alike.all(axis=0)
    share = 1 - float(is_missing.mean())
    if share < MIN_SHARE:
        return None
    shown: Image.Image = image
    bands = len(image.getbands())
    fill: int | tuple[int, ...] = _GREY if bands == 1 else (_GREY,) * bands
    if image.mode in ("1", "P", "PA"):  # none of their colours need be grey
        shown, fill = image.convert("RGBA"), (_GREY, _GREY, _GREY, 255)
    elif image.mode.startswith(_OPEN_MODES):
        fill = int(np.nan_to_num(pixels[~is_missing]).mean())
    shown.paste(fill, (0, 0), Image.fromarray(is_missing))
    return PartialImage(image, shown, share)


def _load_onto(level: int, content: bytes, open_image: OpenImage) -> Image.Image | None:
    """Decodes as far as it goes; None where that is not even the beginning."""
    try:
        image = open_image(io.BytesIO(content))
        prepare = image.load_prepare  # type: ignore[attr-defined]
    except MemoryError:
        raise
    except Exception:  # readers raise anything
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
    except Exception:  # decoders raise anything
        image.tile = []  # type: ignore[attr-defined]  # from now on it counts as loaded
    try:
        return image if image.im.size == image.size else None
    except Exception:  # there is none
        return None
