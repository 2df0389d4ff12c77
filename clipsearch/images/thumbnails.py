"""Make small upright JPEG thumbnails."""

import io
import os
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from clipsearch.files import open_regular_file
from clipsearch.images.colours.rgb import to_srgb
from clipsearch.images.decode import DEFAULT_MAX_MEGAPIXELS
from clipsearch.images.file_parts import decode_part
from clipsearch.images.opening import suffix_of
from clipsearch.images.turns import Turn
from clipsearch.parts import Part

_QUALITY = 80

# Profiles of cameras and screens take about 500 bytes, sRGB's 3,000, and stay: some screens show more colours. Those of
# scanners take megabytes: thumbnails are converted.
_MAX_PROFILE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture scaled down.

    Attributes:
        jpeg: the file's content; the picture's EXIF is not included.
        width: in pixels, like height.
    """

    jpeg: bytes
    width: int
    height: int


def make_thumbnail(path: str | os.PathLike[str], *, side: int, part: Part | None = None) -> Thumbnail:
    """Make an upright thumbnail, at most `side` pixels wide and high; a smaller picture keeps its size.

    Args:
        part: of the file; None: the whole picture.

    Raises:
        OSError: it can't be opened, or is not a regular file.
        ImageReadError: it can't be decoded.
    """
    with open_regular_file(os.fspath(path)) as file:
        return shrink(file, side=side, part=part, suffix=suffix_of(os.fspath(path)))


def shrink(
    source: bytes | BinaryIO,
    *,
    side: int,
    part: Part | None = None,
    max_megapixels: float = DEFAULT_MAX_MEGAPIXELS,
    turn: Turn | None = None,
    suffix: str = "",
) -> Thumbnail:
    """Make a thumbnail of a file that is open or in memory; see `make_thumbnail` and `decode_image`."""
    # A JPEG scaled down during decoding keeps twice that: at least `side`, both ways.
    decoded = decode_part(
        source, part, needed_side=max(1, side // 2), max_megapixels=max_megapixels, turn=turn, suffix=suffix
    )
    image = decoded.image
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    profile = image.info.get("icc_profile")
    # Source: ICC.1:2022, 7.2: the colour space of the data is in bytes 16 to 19 of the header.
    if not isinstance(profile, bytes) or profile[16:20] != b"RGB ":
        profile = None
    elif len(profile) > _MAX_PROFILE_BYTES:
        image, profile = to_srgb(image), None
    content = io.BytesIO()
    image.save(content, "JPEG", quality=_QUALITY, icc_profile=profile)
    return Thumbnail(content.getvalue(), image.width, image.height)
