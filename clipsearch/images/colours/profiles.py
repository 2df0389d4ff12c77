"""Find how the colours of an ICC profile are converted to sRGB, by littleCMS.

Profiles are untrusted: one that littleCMS refuses, or that leaves a picture without contrast, is not used. Most are
sRGB or near to it, and conversion costs a large share of decoding: each profile is measured once, and the caller
decides by how far it moves colours.
"""

import io
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsProfile, ImageCmsTransform

# Profiles of presses take up to 3 MB, those of screens and cameras a few kilobytes.
_MAX_PROFILE_BYTES = 8 << 20

# Source: ICC.1:2022, 7.2.8: input, display, output device and colour space; others describe no pixels.
_KINDS = (b"scnr", b"mntr", b"prtr", b"spac")

# Pillow's modes by the colour space in a profile. Source: ICC.1:2022, 7.2.9.
_MODES = {b"RGB ": "RGB", b"CMYK": "CMYK", b"GRAY": "I;16"}

# Levels of each colour that are measured.
_STEPS = 6

# Range of levels of the converted green that a usable profile gives at least.
_MIN_CONTRAST = 96

# Prepared conversions of this many profiles are cached, each of up to 1 MB.
_CACHED = 16


class Conversion(Protocol):
    """Conversion of a profile's colours to sRGB; thread-safe.

    Attributes:
        mode: of the pixels that it takes: "RGB" or "CMYK".
        shift: how far it moves the colours of the profile, of all equally many: mean of the differences in levels of
            255; infinite for CMYK.
    """

    @property
    def mode(self) -> str: ...

    @property
    def shift(self) -> float: ...

    def apply(self, image: Image.Image) -> Image.Image:
        """Convert pixels of `mode` to a new picture in "RGB"."""
        ...


@dataclass(frozen=True, slots=True)
class GreyConversion:
    """Conversion by a curve.

    Attributes:
        curve: uint8 (65536,), levels of sRGB.
    """

    curve: NDArray[np.uint8]
    shift: float

    @property
    def mode(self) -> str:
        return "RGB"

    def apply(self, image: Image.Image) -> Image.Image:
        """Convert a grey picture in "RGB"."""
        return image.point(self.curve[::257].tolist() * 3)


class ColourConversion:
    """Conversion by littleCMS, prepared when it is first used."""

    def __init__(self, profile: "ImageCmsProfile", mode: str, shift: float) -> None:
        self.mode = mode
        self.shift = shift
        self._profile = profile
        self._transform: ImageCmsTransform | None = None

    def apply(self, image: Image.Image) -> Image.Image:
        """Convert pixels of `mode` to a new picture in "RGB"."""
        transform = self._transform
        if transform is None:  # threads may prepare it twice
            transform = self._transform = _transform(self._profile, self.mode)
        converted = transform.apply(image)
        del converted.info["icc_profile"]
        return converted


class _Conversions:
    """Conversions of the profiles that were used last, by their hash; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[bytes, Conversion | None] = OrderedDict()

    def get(self, profile: bytes) -> Conversion | None:
        key = blake3(profile).digest()
        with self._lock:
            if key not in self._found:
                self._found[key] = _examine(profile)
                while len(self._found) > _CACHED:
                    self._found.popitem(last=False)
            self._found.move_to_end(key)
            return self._found[key]


_conversions = _Conversions()


def find_conversion(profile: object, mode: str) -> Conversion | None:
    """Find how the pixels of a picture are converted, by the picture's own profile; cached.

    Args:
        profile: what Pillow found in the file.
        mode: Pillow's of the picture.

    Returns:
        None where there is no profile, or it is damaged, too large, or one of other colours.
    """
    if not isinstance(profile, bytes) or not 128 < len(profile) <= _MAX_PROFILE_BYTES:
        return None
    # Source: ICC.1:2022, 7.2, table 17: kind of the device at 12, colour space at 16.
    if profile[12:16] not in _KINDS or profile[16:20] not in _colour_spaces(mode):
        return None
    return _conversions.get(profile)


def _colour_spaces(mode: str) -> tuple[bytes, ...]:
    """Return the colour spaces of profiles that fit a mode. Some programs add sRGB's to grey pictures."""
    if mode == "CMYK":
        return (b"CMYK",)
    if mode in ("1", "L", "LA", "La", "F") or mode.startswith("I"):
        return b"GRAY", b"RGB "
    return (b"RGB ",) if mode in ("RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "YCbCr") else ()


def _examine(content: bytes) -> Conversion | None:
    """Measure a profile; None where it can't be used."""
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        mode = _MODES[content[16:20]]
        swatches = _swatches(mode)
        # Optimised for many pixels, it would take some milliseconds.
        colours = np.asarray(_transform(profile, mode, flags=ImageCms.Flags.NOOPTIMIZE).apply(swatches))[0]
    except Exception:  # littleCMS and Pillow raise anything  # noqa: BLE001
        return None
    if int(np.ptp(colours[:, 1])) < _MIN_CONTRAST:
        return None
    if mode == "I;16":
        return GreyConversion(colours[:, 1].copy(), _distance(colours[::257, 1], np.arange(256)))
    return ColourConversion(profile, mode, _distance(colours, np.asarray(swatches)[0]) if mode == "RGB" else np.inf)


def _swatches(mode: str) -> Image.Image:
    """Return one row of colours: all greys, or a grid of the others."""
    if mode == "I;16":
        return Image.fromarray(np.arange(1 << 16, dtype=np.uint16)[np.newaxis])
    levels = np.linspace(0, 255, _STEPS, dtype=np.uint8)
    grid = np.stack(np.meshgrid(*[levels] * len(mode), indexing="ij"), axis=-1)
    return Image.fromarray(grid.reshape(1, -1, len(mode)), mode)


def _distance(colours: NDArray[np.uint8], others: NDArray[np.generic]) -> float:
    return float(np.abs(colours.astype(np.int16) - others.astype(np.int16)).mean())


def _transform(profile: "ImageCmsProfile", mode: str, *, flags: int = 0) -> "ImageCmsTransform":
    from PIL import ImageCms

    flags |= ImageCms.Flags.BLACKPOINTCOMPENSATION
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    return ImageCms.ImageCmsTransform(profile, srgb, mode, "RGB", intent, flags=ImageCms.Flags(flags))
