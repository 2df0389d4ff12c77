"""Convert frames of high dynamic range (PQ, HLG) to the range of a photograph."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PQ, HLG = 16, 18
"""Transfer characteristics. Source: ITU-T H.273, table 3."""

# Source: SMPTE ST 2084, 5.2: the inverse of the perceptual quantizer, up to this luminance in cd/m².
_PQ_M1, _PQ_M2 = 2610 / 16384, 2523 / 32
_PQ_C1, _PQ_C2, _PQ_C3 = 3424 / 4096, 2413 / 128, 2392 / 128
_PQ_PEAK = 10_000.0

# Source: ITU-R BT.2100-2, table 5: the inverse of the hybrid log-gamma, and the system gamma of a display of 1,000
# cd/m².
_HLG_A = 0.17883277
_HLG_B = 1 - 4 * _HLG_A
_HLG_C = 0.55991073
_HLG_GAMMA, _HLG_PEAK = 1.2, 1_000.0

# Luminance of diffuse white in cd/m². Source: ITU-R BT.2408-5, table 1.
_WHITE = 203.0

# Luminance of BT.2020's primaries, and the matrix to those of BT.709. Source: ITU-R BT.2020-2, BT.2087-0.
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], dtype=np.float32
)

# Share of diffuse white up to which light stays as it is; all above it is compressed.
_KNEE = 0.7


def to_standard_range(signal: NDArray[np.integer[Any]], transfer: int) -> NDArray[np.uint8]:
    """Map the tones and colours of a frame to sRGB.

    Args:
        signal: (height, width, 3) uint16, RGB with BT.2020's primaries, full range.
        transfer: PQ or HLG.

    Returns:
        (height, width, 3) uint8.
    """
    levels = signal.astype(np.float32) / np.float32(65535)
    light = (_light_of_pq(levels) if transfer == PQ else _light_of_hlg(levels)) / _WHITE
    light = np.clip(light @ _TO_709.T, 0, None)
    # By the brightest channel, so that hues stay.
    peak = light.max(axis=2, keepdims=True)
    above = (peak - _KNEE).clip(0) / (1 - _KNEE)
    compressed = np.where(peak > _KNEE, _KNEE + (1 - _KNEE) * above / (1 + above), peak)
    light *= compressed / np.maximum(peak, 1e-6)
    return np.asarray(np.rint(255 * _encode(light)).clip(0, 255), dtype=np.uint8)


def _light_of_pq(levels: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    powers = levels ** (1 / _PQ_M2)
    return np.asarray(_PQ_PEAK * (np.maximum(powers - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * powers)) ** (1 / _PQ_M1))


def _light_of_hlg(levels: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    scene = np.where(levels <= 0.5, levels**2 / 3, (np.exp((levels - _HLG_C) / _HLG_A) + _HLG_B) / 12)
    luminance = np.maximum(scene @ _LUMINANCE, 1e-6)[..., None]
    return np.asarray(_HLG_PEAK * luminance ** (_HLG_GAMMA - 1) * scene)


def _encode(light: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Apply the transfer function of sRGB. Source: IEC 61966-2-1, 5.2."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055)
