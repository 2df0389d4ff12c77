"""From a picture to the image tower's input, plain or augmented."""

import random
from pathlib import Path
from typing import Literal

import numpy as np
from manifest import Item
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

MEAN, STD = 127 / 255, 128 / 255  # the normalisation EfficientNet-Lite was trained with
WHITE = (255, 255, 255)

Resize = Literal["crop", "squash"]
Pixels = NDArray[np.float32]  # (3, size, size)


def flatten_alpha(picture: Image.Image, background: tuple[int, int, int] = WHITE) -> Image.Image:
    """RGB, with what is transparent showing the background."""
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (*background, 255)), picture)
    return picture.convert("RGB")


def to_pixel_values(picture: Image.Image) -> Pixels:
    """An RGB picture of the right size → normalised channels-first float32."""
    pixel_values = (np.asarray(picture, dtype=np.float32) / 255 - MEAN) / STD
    return np.ascontiguousarray(pixel_values.transpose(2, 0, 1))


def preprocess(picture: Image.Image, size: int, resize: Resize = "squash") -> Pixels:
    """squash: the whole picture, made square. crop: the shortest side becomes `size`, the centre is kept."""
    picture = flatten_alpha(picture)
    if resize == "squash":
        return to_pixel_values(picture.resize((size, size), Image.Resampling.BICUBIC))
    width, height = picture.size
    scale = size / min(width, height)
    width, height = max(size, round(width * scale)), max(size, round(height * scale))
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return to_pixel_values(picture.crop((left, top, left + size, top + size)))


def random_part(picture: Image.Image, rng: random.Random) -> Image.Image:
    """A part of 45 to 100 % of the area in slightly other colours."""
    width, height = picture.size
    area, ratio = rng.uniform(0.45, 1.0), np.exp(rng.uniform(-0.28, 0.28))
    part_width = min(width, max(1, int(width * (area * ratio) ** 0.5)))
    part_height = min(height, max(1, int(height * (area / ratio) ** 0.5)))
    left, top = rng.randint(0, width - part_width), rng.randint(0, height - part_height)
    picture = picture.crop((left, top, left + part_width, top + part_height))
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhancer(picture).enhance(rng.uniform(0.75, 1.25))
    if rng.random() < 0.05:
        picture = ImageOps.grayscale(picture).convert("RGB")
    return picture


def augment(picture: Image.Image, size: int, rng: random.Random, view: int) -> Pixels:
    """View 0 is the whole picture, view 1 its mirror image, all others are random parts."""
    if view >= 2:
        picture = random_part(picture, rng)
    if view == 1 or (view >= 2 and rng.random() < 0.5):
        picture = ImageOps.mirror(picture)
    return to_pixel_values(picture.resize((size, size), Image.Resampling.BICUBIC))


def load_view(data: Path, item: Item, size: int, view: int, item_row: int) -> Pixels:
    """One view of an item; the same arguments give the same pixels."""
    rng = random.Random(item_row * 100 + view)
    with Image.open(data / item.path) as opened:
        picture: Image.Image = opened
        if item.box is not None:
            picture = picture.convert("RGB").crop(item.box)
        # cut-outs get another backdrop in every view but the first, so that the backdrop teaches nothing
        background = WHITE if view == 0 else (rng.randint(60, 255), rng.randint(60, 255), rng.randint(60, 255))
        return augment(flatten_alpha(picture, background), size, rng, view)
