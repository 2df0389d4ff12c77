"""Compose ICC profiles of colours that a file describes by numbers: code points (CICP, nclx), gamma and chromaticities.

One way of converting is then enough, that of `profiles`. High dynamic range is cut off at the reference white: what is
brighter becomes white, as a screen of the standard range shows it without tone mapping.
"""

import math
import struct
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Chromaticities: TypeAlias = tuple[float, float, float, float, float, float, float, float]
"""CIE x and y of white, red, green and blue."""
Transfer: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Light, 0 to 1, of encoded values, 0 to 1."""

_D65 = (0.3127, 0.3290)
# Source: ICC.1:2022, 7.2.16 and 7.2.17: the white of the connection space, D50.
_D50 = np.array([0.9642, 1.0, 0.8249])
# Source: ICC.1:2022, E.2: the cone responses of Bradford's chromatic adaptation.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

# Source: ITU-T H.273 (07/2024), table 2. 2 (unspecified) and unknown numbers count as BT.709.
_BT709: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_BT601: Chromaticities = (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)
_PRIMARIES: dict[int, Chromaticities] = {
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: _BT601,
    7: _BT601,
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}

# Each value of eight bits is a point of the table.
_POINTS = 4 * 255 + 1

# PNG's gamma, the exponent of encoding: others are mistakes.
_GAMMAS = (0.2, 2.0)

# Source: ITU-R BT.2408-7, 2.2: the level of reference white in PQ, in cd/m², and in HLG, of the signal.
_PQ_WHITE = 203.0
_HLG_WHITE = 0.75


def profile_of(image: Image.Image) -> bytes | None:
    """Return the ICC profile of an opened picture: its own, or one composed of the numbers in its place.

    Pillow reads the profiles of JPEG, PNG, WebP, TIFF, AVIF and HEIF, and HEIF's code points; `opening` adds those of
    AVIF and PNG. In JPEG 2000, BMP and GIF, and inside of an AV1 stream, profiles and code points are not seen.
    """
    info = image.info
    if info.get("icc_profile"):
        return info["icc_profile"] if isinstance(info["icc_profile"], bytes) else None
    if "nclx_profile" in info:
        nclx = info["nclx_profile"]
        return profile_of_code_points(nclx["color_primaries"], nclx["transfer_characteristics"])
    if "cicp" in info:
        return profile_of_code_points(*info["cicp"])
    # Source: PNG, third edition, 4.3: the order of precedence.
    if image.format == "PNG" and "srgb" not in info and ("gamma" in info or "chromaticity" in info):
        return profile_of_gamma(info.get("gamma"), info.get("chromaticity"))
    return None


def profile_of_code_points(primaries: int, transfer: int) -> bytes:
    """Compose the profile of code points as in ITU-T H.273; unspecified and unknown ones count as those of sRGB."""
    return _coded_profile(primaries if primaries in _PRIMARIES else 1, transfer if transfer in _TRANSFERS else 13)


@cache
def _coded_profile(primaries: int, transfer: int) -> bytes:
    return rgb_profile(_PRIMARIES.get(primaries, _BT709), _TRANSFERS.get(transfer, srgb_to_light))


@lru_cache(maxsize=16)
def profile_of_gamma(gamma: float | None, chromaticities: Chromaticities | None) -> bytes | None:
    """Compose the profile of a PNG's chunks gAMA and cHRM; None where the values make no sense.

    Args:
        gamma: exponent of encoding, 1 for linear light; None: sRGB's curve.
        chromaticities: None: those of sRGB.
    """
    if gamma is not None and not _GAMMAS[0] <= gamma <= _GAMMAS[1]:
        return None
    points = chromaticities or _BT709
    if not all(y > 0 and x + y <= 1 for x, y in zip(points[::2], points[1::2], strict=True)):
        return None
    try:
        return rgb_profile(points, srgb_to_light if gamma is None else lambda values: values ** (1 / gamma))
    except (np.linalg.LinAlgError, struct.error):  # three colours on one line
        return None


def rgb_profile(chromaticities: Chromaticities, to_light: Transfer) -> bytes:
    """Compose an ICC profile of three primaries, a white, and one curve for all.

    Raises:
        numpy.linalg.LinAlgError, struct.error: the primaries span no space.
    """
    white, *primaries = np.reshape(chromaticities, (4, 2))
    columns = np.array([_xyz(*point) for point in primaries]).T
    columns = _adaptation(_xyz(*white)) @ (columns * np.linalg.solve(columns, _xyz(*white)))
    light = np.rint(to_light(np.linspace(0, 1, _POINTS)).clip(0, 1) * 65535).astype(int)
    curve = struct.pack(f">4s4xI{_POINTS}H", b"curv", _POINTS, *light)
    tags = {name: pack_xyz(column) for name, column in zip(_COLORANTS, columns.T, strict=True)}
    return pack_profile({b"wtpt": pack_xyz(_D50), **tags, **dict.fromkeys(_CURVES, curve)})


def pack_xyz(values: NDArray[np.float64]) -> bytes:
    """Pack a tag of one colour; raises struct.error where it is out of range."""
    return struct.pack(">4s4x3i", b"XYZ ", *_fixed(values))


_COLORANTS, _CURVES = (b"rXYZ", b"gXYZ", b"bXYZ"), (b"rTRC", b"gTRC", b"bTRC")


def pack_profile(
    tags: dict[bytes, bytes], *, colour_space: bytes = b"RGB ", connection_space: bytes = b"XYZ ", kind: bytes = b"mntr"
) -> bytes:
    """Pack an ICC profile, version 4; tags of the same content share it.

    Args:
        tags: content by signature.
        colour_space: signature in the header, like the next two.
        kind: of the device.
    """
    # Source: ICC.1:2022, 7.2 (header), 7.3 (tag table).
    place = 128 + 4 + 12 * len(tags)
    contents: dict[bytes, int] = {}
    table = []
    for name, content in tags.items():
        if content not in contents:
            contents[content] = place
            place += len(content) + -len(content) % 4
        table.append(struct.pack(">4sII", name, contents[content], len(content)))
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x", place, 0x04400000, kind, colour_space, connection_space, b"acsp", *_fixed(_D50)
    )
    padded = b"".join(content + bytes(-len(content) % 4) for content in contents)
    return header + struct.pack(">I", len(tags)) + b"".join(table) + padded


def _fixed(values: NDArray[np.float64]) -> list[int]:
    return [round(float(value) * 65536) if math.isfinite(value) else 1 << 31 for value in values]


def _xyz(x: float, y: float) -> NDArray[np.float64]:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(white: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix of Bradford's adaptation of a white to D50."""
    gains = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ (gains[:, np.newaxis] * _BRADFORD)
    return adapted


def srgb_to_light(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Source: IEC 61966-2-1, 5.2.
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _pq_to_light(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Source: ITU-R BT.2100-2, table 4.
    root = values ** (1 / 78.84375)
    return (
        (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125) * 10_000 / _PQ_WHITE
    )


def _hlg_to_light(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Source: ITU-R BT.2100-2, table 5; the system gamma of 1,000 cd/m², here of each colour for itself.
    scenes = np.where(values <= 0.5, values**2 / 3, (np.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    white = (math.exp((_HLG_WHITE - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return (scenes / white) ** 1.2


# Source: ITU-T H.273 (07/2024), table 3. The curves of television (1, 6, 14, 15) count as sRGB's, as screens show them.
_TRANSFERS: dict[int, Transfer] = {
    4: lambda values: values**2.2,
    5: lambda values: values**2.8,
    8: lambda values: values,
    16: _pq_to_light,
    17: lambda values: values**2.6 * (52.37 / 48),
    18: _hlg_to_light,
}
