"""Different photographs, made of the sample pictures and as large as those of cameras: a seed gives the same ones."""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.images.decode import decode_image
from clipsearch.images.find import find_images
from clipsearch.paths import sample_data_folder

_ORIENTATION = 0x0112
_LARGE_WIDTH = 4000

# Standard deviation in grey levels: with it JPEGs of quality 90 are as large as those of cameras.
_GRAIN = {640: 5.0, _LARGE_WIDTH: 6.0}


def small(folder: Path, count: int, *, seed: int = 0) -> None:
    """JPEGs of 640 × 480, about 85 KB each."""
    _write_photos(folder, count, size=(640, 480), seed=seed)


def large(folder: Path, count: int, *, seed: int = 0) -> None:
    """JPEGs of 12 megapixels, about 4 MB each, every fourth of them lying on its side."""
    _write_photos(folder, count, size=(_LARGE_WIDTH, 3000), seed=seed)


def sample_paths() -> list[Path]:
    samples = sample_data_folder()
    return [samples / image.relative_path for image in find_images(samples).images]


def _write_photos(folder: Path, count: int, *, size: tuple[int, int], seed: int) -> None:
    """Those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = size
    grain = np.random.default_rng(seed).normal(0, _GRAIN[width], (2 * height, width, 1)).round().astype(np.int16)
    _sample_pictures()  # once, before the threads begin

    def write(number: int) -> None:
        path = folder / f"{number:06d}.jpg"
        if not path.exists():
            path.write_bytes(_photo(size, grain, number, np.random.default_rng([seed, number])))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, range(count)))


def _photo(size: tuple[int, int], grain: NDArray[np.int16], number: int, rng: np.random.Generator) -> bytes:
    """A part of a sample picture, in other colours and with grain, as a JPEG."""
    pictures = _sample_pictures()
    picture = pictures[number % len(pictures)]
    width, height = (side * rng.uniform(0.5, 1.0) for side in picture.size)
    left, top = rng.uniform(0, picture.width - width), rng.uniform(0, picture.height - height)
    part = picture.resize(size, Image.Resampling.BICUBIC, (left, top, left + width, top + height))
    colours = rng.integers(-24, 25, 3, dtype=np.int16)
    first_row = rng.integers(0, size[1])
    pixels = np.asarray(part, dtype=np.int16) + (grain[first_row : first_row + size[1]] + colours)
    exif = Image.Exif()
    if size[0] == _LARGE_WIDTH and number % 4 == 0:
        exif[_ORIENTATION] = 6
    content = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(content, "JPEG", quality=90, exif=exif)
    return content.getvalue()


@cache
def _sample_pictures() -> list[Image.Image]:
    return [decode_image(path).image for path in sample_paths()]
