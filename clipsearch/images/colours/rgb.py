"""Convert pixels of any mode and colour profile to "RGB"."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.images.colours.coded import profile_of
from clipsearch.images.colours.profiles import Conversion, GreyConversion, find_conversion

# Modes are converted in strips of at most this many pixels, so that no more than two whole pictures are in memory.
_STRIP_PIXELS = 4_000_000

# Most telephones and cameras write Display P3 and Adobe RGB, with a shift of 9.2 and 9.4: embeddings keep a cosine of
# 0.996 and 0.994, and converting would cost a third of the time of decoding. Next comes Rec. 2020, with 18.4
# and 0.981. Source: `python -m tests.benchmarks.colours`.
_MIN_SHIFT = 12.0

# What else in the `info` of a picture describes its colours, see `coded.profile_of`.
_DESCRIPTIONS = ("nclx_profile", "cicp", "gamma", "chromaticity")


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded picture to "RGB" of nearly sRGB, with transparent parts on white.

    Profiles that move colours by less than `_MIN_SHIFT` are not applied. A converted picture has no "icc_profile" in
    its `info` any more, others keep theirs. A picture that is "RGB" already is returned as it is.
    """
    return _to_rgb(image, min_shift=_MIN_SHIFT)


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert a loaded picture as `to_rgb` does, by any profile that is usable."""
    return _to_rgb(image, min_shift=0.0)


def _to_rgb(image: Image.Image, *, min_shift: float) -> Image.Image:
    profile = profile_of(image)
    conversion = find_conversion(profile, image.mode)
    if conversion is not None and conversion.shift < min_shift:
        conversion = None
    if conversion is None and image.mode == "RGB" and "transparency" not in image.info:
        return image
    convert = _converter(image, conversion)
    rows = max(1, _STRIP_PIXELS // image.width)
    if rows >= image.height:
        result = convert(image)
    else:
        result = Image.new("RGB", image.size)
        for top, strip in _strips(image, rows):
            result.paste(convert(strip), (0, top))
    result.info.pop("icc_profile", None)
    if conversion is None and profile is not None and profile[16:20] == b"RGB ":
        result.info["icc_profile"] = profile
    for name in _DESCRIPTIONS:
        result.info.pop(name, None)
    return result


def _strips(image: Image.Image, rows: int) -> Iterator[tuple[int, Image.Image]]:
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _converter(image: Image.Image, conversion: Conversion | None) -> Callable[[Image.Image], Image.Image]:
    read = _number_reader(image)
    if read is None:
        return partial(_from_colours, conversion=conversion)
    if isinstance(conversion, GreyConversion):
        return partial(read, curve=conversion.curve)
    if conversion is None:
        return read
    return lambda strip: conversion.apply(read(strip))


def _number_reader(image: Image.Image) -> Callable[..., Image.Image] | None:
    """Return how numbers become grey levels; None for pictures of eight bits."""
    if image.mode.startswith("I;16"):
        key = image.info.get("transparency")
        return partial(_from_numbers, low=0.0, high=65535.0, key=key if isinstance(key, int) else None)
    if image.mode not in ("I", "F"):
        return None
    low, high = _finite_range(image)
    if image.mode == "F" and low >= 0 and high <= 1:
        return partial(_from_numbers, low=0.0, high=1.0)
    if low >= 0 and high <= 255:
        return partial(_from_numbers, low=0.0, high=255.0)
    if low >= 0 and high <= 65535:
        return partial(_from_numbers, low=0.0, high=65535.0)
    return partial(_from_numbers, low=low, high=high)


def _from_colours(image: Image.Image, *, conversion: Conversion | None) -> Image.Image:
    if image.mode in ("La", "RGBa"):  # premultiplied: to straight alpha first
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.mode in ("LA", "PA") or (image.mode in ("1", "L", "P", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
    if image.mode != "RGBA":
        return _converted(image, conversion)
    result = Image.new("RGB", image.size, "white")
    result.paste(_converted(image, conversion), mask=image)
    return result


def _converted(image: Image.Image, conversion: Conversion | None) -> Image.Image:
    mode = "RGB" if conversion is None else conversion.mode
    image = image if image.mode == mode else image.convert(mode)
    return image if conversion is None else conversion.apply(image)


def _finite_range(image: Image.Image) -> tuple[float, float]:
    """Return the lowest and highest finite value; (0, 0) if there are only NaN and infinities."""
    low, high = math.inf, -math.inf
    for _, strip in _strips(image, max(1, _STRIP_PIXELS // image.width)):
        numbers = np.asarray(strip)
        numbers = numbers[np.isfinite(numbers)]
        if numbers.size:
            low, high = min(low, float(numbers.min())), max(high, float(numbers.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def _from_numbers(
    image: Image.Image, *, low: float, high: float, key: int | None = None, curve: NDArray[np.uint8] | None = None
) -> Image.Image:
    """Map numbers from low to high to grey levels, and those equal to the transparent `key` to white.

    Args:
        curve: see `GreyConversion`; None: levels are proportional to numbers.
    """
    numbers = np.asarray(image)
    levels = np.nan_to_num(numbers.astype(np.float64), nan=low, posinf=high, neginf=low)
    top = 255 if curve is None else len(curve) - 1
    levels -= low
    levels *= top / ((high - low) or 1.0)
    np.rint(levels, out=levels)
    levels.clip(0, top, out=levels)
    grey = levels.astype(np.uint8) if curve is None else curve[levels.astype(np.uint16)]
    if key is not None:
        grey[numbers == key] = 255
    return Image.fromarray(grey).convert("RGB")
