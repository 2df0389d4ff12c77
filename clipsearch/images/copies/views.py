"""Make the small views that pictures are compared by, see `decision`."""

import json
from dataclasses import dataclass
from struct import Struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.images.decode import DEFAULT_MAX_MEGAPIXELS, decode_image, is_sequence
from clipsearch.images.perceptual_hash import perceptual_hash
from clipsearch.images.turns import Turn

_HEADER_LENGTH = Struct("<I")


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture scaled down and upright.

    Attributes:
        pixels: uint8 (height, width, 3), upright.
        phash: see `perceptual_hash`.
        format: Pillow's name of the file's real format.
        is_sequence: the file holds more than this picture.
    """

    pixels: NDArray[np.uint8]
    phash: int
    format: str
    is_sequence: bool


def make_view(
    source: bytes | BinaryIO,
    *,
    side: int,
    max_megapixels: float = DEFAULT_MAX_MEGAPIXELS,
    turn: Turn | None = None,
    suffix: str = "",
) -> PictureView:
    """Make a view at most `side` pixels wide and high; smaller ones keep their size. Errors as in `decode_image`."""
    decoded = decode_image(
        source, needed_side=max(1, side // 2), max_megapixels=max_megapixels, turn=turn, suffix=suffix
    )
    left, top, right, bottom = decoded.box
    scale = min(1.0, side / max(right - left, bottom - top))
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    small = decoded.image.resize(size, Image.Resampling.BILINEAR, box=decoded.box, reducing_gap=3.0)
    return PictureView(
        np.array(small, dtype=np.uint8),
        perceptual_hash(decoded.image, decoded.box),
        decoded.metadata.format,
        is_sequence(source, suffix=suffix),
    )


def pack_view(view: PictureView) -> bytes:
    described = {
        "height": view.pixels.shape[0],
        "width": view.pixels.shape[1],
        "phash": view.phash,
        "format": view.format,
        "is_sequence": view.is_sequence,
    }
    text = json.dumps(described).encode("ascii")
    return _HEADER_LENGTH.pack(len(text)) + text + view.pixels.tobytes()


def unpack_view(content: bytes) -> PictureView:
    start = _HEADER_LENGTH.size + _HEADER_LENGTH.unpack_from(content)[0]
    described = json.loads(content[_HEADER_LENGTH.size : start])
    shape = described["height"], described["width"], 3
    pixels = np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
    return PictureView(pixels, described["phash"], described["format"], described["is_sequence"])
