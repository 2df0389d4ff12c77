"""Heat maps to look at."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.gallery.heat_map import HeatMap

# From cold to hot: dark blue, purple, orange, light yellow. Lightness grows all the way, so that it can be told apart
# without seeing colours, and in print.
_COLOURS = ((0.0, (24, 20, 78)), (0.4, (126, 36, 122)), (0.75, (236, 106, 58)), (1.0, (253, 236, 150)))

# How much of the picture the hottest and the coldest places hide, of 255.
_MOST, _LEAST = 190, 60


def overlay(heat_map: HeatMap, width: int, height: int) -> Image.Image:
    """What is laid over the picture when it is shown `width` × `height`: mode "RGBA"."""
    smooth = Image.fromarray(_shares(heat_map.cells)).resize((width, height), Image.Resampling.BICUBIC)
    shares = np.clip(np.asarray(smooth, dtype=np.float32), 0, 1)
    stops, colours = [stop for stop, _ in _COLOURS], np.array([colour for _, colour in _COLOURS])
    pixels = np.empty((*shares.shape, 4), dtype=np.uint8)
    for channel in range(3):
        pixels[..., channel] = np.interp(shares, stops, colours[:, channel])
    pixels[..., 3] = _LEAST + (_MOST - _LEAST) * shares
    return Image.fromarray(pixels)


def overlay_png(heat_map: HeatMap, width: int, height: int) -> bytes:
    """`overlay` as a PNG file."""
    content = io.BytesIO()
    overlay(heat_map, width, height).save(content, "PNG")
    return content.getvalue()


def draw_heat_map(heat_map: HeatMap, picture: Image.Image) -> Image.Image:
    """The upright picture with the map over it: mode "RGB"."""
    return Image.alpha_composite(picture.convert("RGBA"), overlay(heat_map, *picture.size)).convert("RGB")


def _shares(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """From 0 for places like most to 1 for the best: what lies below the median is all cold."""
    low, high = float(np.median(scores)), float(scores.max())
    return np.asarray(np.clip((scores - low) / max(high - low, 1e-6), 0, 1), dtype=np.float32)
