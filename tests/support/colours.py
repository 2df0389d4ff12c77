"""Colour profiles composed from bytes, and pictures in their colours, computed without littleCMS."""

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.images.colours.coded import Chromaticities, pack_profile, pack_xyz, rgb_profile, srgb_to_light

Floats = NDArray[np.float64]

D65 = (0.3127, 0.3290)
SRGB: Chromaticities = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
REC_2020: Chromaticities = (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)
DISPLAY_P3: Chromaticities = (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
ADOBE_RGB: Chromaticities = (*D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
PROPHOTO: Chromaticities = (0.3457, 0.3585, 0.734699, 0.265301, 0.159597, 0.840403, 0.036598, 0.000105)

# The white of the connection space, and the matrix of sRGB's colours to it. Source: IEC 61966-2-1, adapted by Bradford.
D50 = np.array([0.9642, 1.0, 0.8249])
SRGB_TO_D50 = np.array([[0.4360, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
# Colours of ProPhoto to the connection space, whose white is its own. Source: ISO 22028-2, annex B.
PROPHOTO_TO_D50 = np.array([[0.7977, 0.1352, 0.0313], [0.2880, 0.7119, 0.0001], [0.0, 0.0, 0.8249]])
# Light of BT.709 to that of BT.2020. Source: ITU-R BT.2087-0, 4.2.
SRGB_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])

# XYB: cone responses, bias, and the range of eight bits. Source: ISO/IEC 18181-1, L.2 (XYB); libjxl 0.11,
# lib/jxl/cms/opsin_params.h: kScaledXYBOffset and kScaledXYBScale.
CONES = np.array([[0.3, 0.622, 0.078], [0.23, 0.692, 0.078], [0.24342269, 0.20476744, 0.55180987]])
BIAS = 0.0037930732552754493
XYB_OFFSET = np.array([0.015386134, 0.0, 0.27770459])
XYB_SCALE = np.array([22.995788804, 1.183000077, 1.502141333])


def light_of(picture: Image.Image) -> Floats:
    return srgb_to_light(np.asarray(picture.convert("RGB"), dtype=np.float64) / 255)


def in_colours(picture: Image.Image, matrix: Floats, encode: Callable[[Floats], Floats]) -> Image.Image:
    """Encode a picture in sRGB with other primaries, a matrix of light, and another curve."""
    return image_of(encode((light_of(picture) @ matrix.T).clip(0, 1)))


def image_of(values: Floats) -> Image.Image:
    return Image.fromarray(np.rint(values.clip(0, 1) * 255).astype(np.uint8))


def to_srgb_curve(light: Floats) -> Floats:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def in_xyb(picture: Image.Image) -> Image.Image:
    roots = np.cbrt(light_of(picture) @ CONES.T + BIAS) - np.cbrt(BIAS)
    x, y = (roots[..., 0] - roots[..., 1]) / 2, (roots[..., 0] + roots[..., 1]) / 2
    return image_of((np.stack([x, y, roots[..., 2] - y], axis=-1) + XYB_OFFSET) * XYB_SCALE)


def xyb_profile() -> bytes:
    """As JPEG encoders of XYB write it: a table that mixes, the cube as a curve, and a matrix."""
    mixing = np.array([[1, 1, 0], [-1, 1, 0], [0, 1, 1]], dtype=float)
    corners = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), axis=-1).reshape(8, 3)
    roots = (corners / XYB_SCALE - XYB_OFFSET) @ mixing.T
    low, high = roots.min(axis=0), roots.max(axis=0)
    table = struct.pack(
        ">16B4B24H", *[2] * 3, *[0] * 13, 2, 0, 0, 0, *np.rint((roots - low) / (high - low) * 65535).astype(int).ravel()
    )
    same = struct.pack(">4s4xHHi", b"para", 0, 0, 65536)
    cubes = b"".join(
        struct.pack(">4s4xHH4i", b"para", 2, 0, *fixed([3, span, start + np.cbrt(BIAS), -BIAS]))
        for start, span in zip(low, high - low, strict=True)
    )
    # Source: ICC.1:2022, 10.12: connection values of 1 stand for 1 + 32767/32768.
    matrix = SRGB_TO_D50 @ np.linalg.inv(CONES) * 32768 / 65535
    return lut_profile(b"RGB ", b"XYZ ", lut(3, same * 3, table, cubes, matrix))


def lut(channels: int, same: bytes, table: bytes, curves: bytes, matrix: Floats) -> bytes:
    """Pack a tag of type mAB; the curves at both ends are `same`, three of them."""
    places, parts = [], b""
    for part in (same, struct.pack(">12i", *fixed(matrix.ravel()), 0, 0, 0), curves, table):
        places.append(32 + len(parts))
        parts += part + bytes(-len(part) % 4)
    first, second, third, fourth = places
    return struct.pack(">4s4xBB2x5I", b"mAB ", channels, 3, first, second, third, fourth, first) + parts


def fixed(values: object) -> list[int]:
    return [round(float(value) * 65536) for value in np.ravel(np.asarray(values, dtype=float))]


def lut_profile(colour_space: bytes, connection_space: bytes, table: bytes, kind: bytes = b"scnr") -> bytes:
    tags = {b"wtpt": pack_xyz(D50), b"A2B0": table}
    return pack_profile(tags, colour_space=colour_space, connection_space=connection_space, kind=kind)


def grey_profile(gamma: float) -> bytes:
    curve = struct.pack(">4s4xIH", b"curv", 1, round(gamma * 256))
    return pack_profile({b"wtpt": pack_xyz(D50), b"kTRC": curve}, colour_space=b"GRAY")


# L*, a* and b* of paper with no ink, cyan, magenta, yellow, and two or three of them; black ink is (16, 0, 0). Source:
# ISO 12647-2:2004, table 2, paper types 1 and 2, on white; all three together as in FOGRA39.
_INKS = {
    (0, 0, 0): (95, 0, -2),
    (1, 0, 0): (55, -37, -50),
    (0, 1, 0): (48, 74, -3),
    (0, 0, 1): (89, -5, 93),
    (0, 1, 1): (47, 68, 48),
    (1, 0, 1): (50, -68, 33),
    (1, 1, 0): (24, 22, -46),
    (1, 1, 1): (23, 0, 0),
}


def printed_lab(inks: Floats) -> Floats:
    """L*, a*, b* of shares of cyan, magenta, yellow and black ink (…, 4): a plain mixture of what lies side by side."""
    colours, black = inks[..., :3], inks[..., 3:]
    lab = np.zeros((*inks.shape[:-1], 3))
    for corner, found in _INKS.items():
        lab += np.prod(np.where(corner, colours, 1 - colours), axis=-1, keepdims=True) * np.array(found, dtype=float)
    return lab * (1 - black) + np.array([10.0, 0, 0]) * black


def press_profile() -> bytes:
    """A profile of a press: a table of 9⁴ colours of `printed_lab`."""
    corners = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    # Source: ICC.1:2001-04, 6.5.9 (mft2) and A.3: 65,280 is L* of 100, 32,768 is a* of 0.
    coded = printed_lab(corners) * [652.8, 256, 256] + [0, 32768, 32768]
    identity = struct.pack(">9i", *fixed(np.eye(3)))
    curve = struct.pack(">2H", 0, 65535)
    table = struct.pack(">4s4xBBBx", b"mft2", 4, 3, 9) + identity + struct.pack(">HH", 2, 2) + curve * 4
    table += np.rint(coded).astype(">u2").tobytes() + curve * 3
    profile = lut_profile(b"CMYK", b"Lab ", table, kind=b"prtr")
    return profile[:8] + bytes([2, 0x40, 0, 0]) + profile[12:]  # version 2, as the table's type


def lab_to_srgb(lab: Floats) -> Floats:
    """Levels of sRGB, 0 to 1, of L*, a* and b* under D50. Source: CIE 15:2018, 8.2.1."""
    middle = (lab[..., 0] + 16) / 116
    roots = np.stack([middle + lab[..., 1] / 500, middle, middle - lab[..., 2] / 200], axis=-1)
    xyz = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29)) * D50
    return to_srgb_curve((xyz @ np.linalg.inv(SRGB_TO_D50).T).clip(0, 1))


def kinds() -> dict[str, tuple[bytes, Callable[[Image.Image], Image.Image]]]:
    """{kind: (profile, how a picture in sRGB is written in its colours)}."""
    to_prophoto = np.linalg.inv(PROPHOTO_TO_D50) @ SRGB_TO_D50
    same = np.eye(3)
    return {
        "linear": (
            rgb_profile(SRGB, lambda values: values),
            lambda image: in_colours(image, same, lambda light: light),
        ),
        "ProPhoto": (
            rgb_profile(PROPHOTO, lambda values: values**1.8),
            lambda image: in_colours(image, to_prophoto, lambda light: light ** (1 / 1.8)),
        ),
        "Rec. 2020": (
            rgb_profile(REC_2020, lambda values: values**2.4),
            lambda image: in_colours(image, SRGB_TO_2020, lambda light: light ** (1 / 2.4)),
        ),
        "XYB": (xyb_profile(), in_xyb),
    }
