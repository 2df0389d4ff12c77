"""Convert pixels of any mode to "RGB"."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from PIL import Image

# Modes are converted in strips of at most this many pixels, so that no more than two whole pictures are in memory.
_STRIP_PIXELS = 4_000_000


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded picture to "RGB", with transparent parts on white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    convert = _converter(image)
    rows = max(1, _STRIP_PIXELS // image.width)
    if rows >= image.height:
        return convert(image)
    result = Image.new("RGB", image.size)
    for top, strip in _strips(image, rows):
        result.paste(convert(strip), (0, top))
    return result


def _strips(image: Image.Image, rows: int) -> Iterator[tuple[int, Image.Image]]:
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _converter(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    if image.mode.startswith("I;16"):
        key = image.info.get("transparency")
        return partial(_from_numbers, low=0.0, high=65535.0, scale=1 / 257, key=key if isinstance(key, int) else None)
    if image.mode in ("I", "F"):
        low, high = _finite_range(image)
        if image.mode == "F" and low >= 0 and high <= 1:
            return partial(_from_numbers, low=0.0, high=1.0, scale=255.0)
        if low >= 0 and high <= 255:
            return partial(_from_numbers, low=0.0, high=255.0, scale=1.0)
        if low >= 0 and high <= 65535:
            return partial(_from_numbers, low=0.0, high=65535.0, scale=1 / 257)
        return partial(_from_numbers, low=low, high=high, scale=255 / ((high - low) or 1.0))
    return _from_colours


def _from_colours(image: Image.Image) -> Image.Image:
    if image.mode in ("La", "RGBa"):  # premultiplied: to straight alpha first
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.mode in ("LA", "PA") or (image.mode in ("1", "L", "P", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
    if image.mode != "RGBA":
        return image.convert("RGB")
    result = Image.new("RGB", image.size, "white")
    result.paste(image, mask=image)
    return result


def _finite_range(image: Image.Image) -> tuple[float, float]:
    """Return the lowest and highest finite value; (0, 0) if there are only NaN and infinities."""
    low, high = math.inf, -math.inf
    for _, strip in _strips(image, max(1, _STRIP_PIXELS // image.width)):
        numbers = np.asarray(strip)
        numbers = numbers[np.isfinite(numbers)]
        if numbers.size:
            low, high = min(low, float(numbers.min())), max(high, float(numbers.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def _from_numbers(image: Image.Image, *, low: float, high: float, scale: float, key: int | None = None) -> Image.Image:
    """Map numbers from low to high to grey levels, and those equal to the transparent `key` to white."""
    numbers = np.asarray(image)
    levels = np.nan_to_num(numbers.astype(np.float64), nan=low, posinf=high, neginf=low)
    levels -= low
    levels *= scale
    np.rint(levels, out=levels)
    grey = levels.clip(0, 255).astype(np.uint8)
    if key is not None:
        grey[numbers == key] = 255
    return Image.fromarray(grey).convert("RGB")
