"""Convert decoded frames to small upright RGB pictures."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.images.films.hdr import HLG, PQ, to_standard_range

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# Source: ITU-T H.273, table 4. Where a film does not name its matrix, players take BT.709 from this height on.
_BT601, _BT709, _UNSPECIFIED = 5, 1, 2
_HD_ROWS = 720

# A display matrix: a, b, u, c, d, v, x, y, w; a to d in units of 1/65536. Source: ISO/IEC 14496-12, 6.2.2.
_MATRIX_NUMBERS = 9

# By the signs of the matrix's a, b, c and d.
_TURNS = {
    (1, 0, 0, 1): None,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}
_SWAPS_SIDES = (
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
)

# Wider or narrower pixels come from damage.
_MAX_ASPECT = 4


@dataclass(frozen=True, slots=True)
class Geometry:
    """How stored frames become upright pictures with square pixels.

    Attributes:
        aspect: width of a stored pixel divided by its height.
        turn: applied to the stored frame; None: it is upright.
    """

    aspect: Fraction = Fraction(1)
    turn: Image.Transpose | None = None

    def upright_size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of a stored frame after scaling to square pixels and turning."""
        shown = max(1, round(width * self.aspect)), height
        return shown[::-1] if self.turn in _SWAPS_SIDES else shown


def geometry_of(frame: "VideoFrame", aspect: Fraction | None) -> Geometry:
    """Read the geometry of a frame.

    Args:
        aspect: sample aspect ratio of the stream; None or 0 where it is unknown.
    """
    if aspect is None or not 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT:
        aspect = Fraction(1)
    return Geometry(aspect, _turn_of(frame))


def _turn_of(frame: "VideoFrame") -> Image.Transpose | None:
    """Return the turn that a display matrix asks for; None for one that is no multiple of a quarter turn."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    numbers = np.frombuffer(bytes(matrix), dtype=np.int32)
    if numbers.size < _MATRIX_NUMBERS:
        return None
    corners = numbers[[0, 1, 3, 4]].astype(np.int64)
    largest = max(1, int(np.abs(corners).max()))
    # Cameras write multiples; what is less than half of the largest number is rounding.
    signs = tuple(int(sign) for sign in np.where(2 * np.abs(corners) > largest, np.sign(corners), 0))
    return _TURNS.get(signs)  # type: ignore[arg-type]


def to_picture(
    frame: "VideoFrame", geometry: Geometry, *, shorter: int | None = None, longer: int | None = None
) -> Image.Image:
    """Convert a frame to an upright RGB picture, scaled down so that a side has at most some pixels.

    Args:
        shorter: pixels of the shorter side.
        longer: pixels of the longer side.
    """
    width, height = max(1, round(frame.width * geometry.aspect)), frame.height
    scale = min(
        1.0,
        math.inf if shorter is None else shorter / min(width, height),
        math.inf if longer is None else longer / max(width, height),
    )
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if frame.color_trc in (PQ, HLG):
        image = Image.fromarray(to_standard_range(_pixels(frame, *size, "rgb48le"), int(frame.color_trc)))
    elif frame.interlaced_frame and size[1] <= frame.height // 2:
        image = _one_field(frame, *size)
    else:
        image = Image.fromarray(_pixels(frame, *size, "rgb24"))
    return image if geometry.turn is None else image.transpose(geometry.turn)


def _one_field(frame: "VideoFrame", width: int, height: int) -> Image.Image:
    """Scale the first field of an interlaced frame: the two fields show moving things at different places."""
    lines = _pixels(frame, width, frame.height, "rgb24")
    return Image.fromarray(np.ascontiguousarray(lines[::2])).resize((width, height), Image.Resampling.BOX)


def _pixels(frame: "VideoFrame", width: int, height: int, layout: str) -> NDArray[Any]:
    matrix = int(frame.colorspace)
    if matrix == _UNSPECIFIED:
        matrix = _BT709 if frame.height >= _HD_ROWS else _BT601
    converted = frame.reformat(width, height, layout, src_colorspace=matrix, interpolation="AREA")
    return converted.to_ndarray()
