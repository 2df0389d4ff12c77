"""What colour profiles cost in accuracy and time: python -m tests.benchmarks.colours FOLDER [--every 10] [--cmyk FILE]

Photographs are written in the colours of each kind, and embedded as if they were sRGB, and converted by their profile.
Cosines are to the embeddings of the originals. The shift decides, see `clipsearch.images.colours.rgb`. `--cmyk` adds a
press by its profile, and what CMYK without one gives. The cost is processor time for a JPEG of 12 megapixels, scaled
down while it is decoded.
"""

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from clipsearch.encoders.load import load_encoder
from clipsearch.images.colours.coded import profile_of_code_points, rgb_profile, srgb_to_light
from clipsearch.images.colours.profiles import find_conversion
from clipsearch.images.colours.rgb import to_srgb
from clipsearch.images.decode import decode_image
from clipsearch.images.find import find_images
from clipsearch.images.preprocess import resize_and_crop
from tests.benchmarks import photos
from tests.benchmarks.measuring import note, print_table
from tests.support.colours import ADOBE_RGB, DISPLAY_P3, SRGB, kinds

_BATCH = 32
_NEEDED_SIDE = 224
_ROUNDS = 9
# Source: Adobe RGB (1998), 4.3.1.2.
_ADOBE_GAMMA = 2.19921875


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--cmyk", type=Path)
    options = parser.parse_args()
    paths = sorted(options.folder / each.relative_path for each in find_images(options.folder).images)
    pictures = [decode_image(path).image for path in paths[:: options.every]]
    encoder = load_encoder("starter")

    def embed(found: list[Image.Image]) -> NDArray[np.float32]:
        crops = [resize_and_crop(image, encoder.preprocess) for image in found]
        starts = range(0, len(crops), _BATCH)
        return np.concatenate([encoder.encode_images(np.stack(crops[start : start + _BATCH])) for start in starts])

    originals = embed(pictures)

    def cosines(found: list[Image.Image]) -> str:
        scores = (embed(found) * originals).sum(axis=1)
        return f"{scores.mean():.3f}; {np.quantile(scores, 0.05):.3f}"

    with tempfile.TemporaryDirectory() as scratch:
        photos.large(Path(scratch), 1, seed=1)
        large = next(Path(scratch).iterdir()).read_bytes()
    decoding, decoded = _cost(lambda: decode_image(large, needed_side=_NEEDED_SIDE).image)
    size = f"{decoded.width} × {decoded.height}"
    print(f"{len(pictures)} photographs; decoding 12 megapixels to {size} takes {1000 * decoding:.1f} ms\n")
    rows = []
    for kind, profile, written in _written(pictures, options.cmyk):
        conversion = find_conversion(profile, written[0].mode)
        if conversion is None:
            raise SystemExit(f"the profile of {kind} can't be used")
        unconverted = [image.convert("RGB") for image in written]
        converted = [to_srgb(_tagged(image, profile)) for image in written]
        cost, _ = _cost(lambda conversion=conversion: conversion.apply(decoded.convert(conversion.mode)))
        rows.append((kind, f"{conversion.shift:.1f}", cosines(unconverted), cosines(converted), f"{1000 * cost:.1f}"))
        note(" ".join(rows[-1]))
    print_table(["colours", "shift", "unconverted: mean; 5 %", "converted: mean; 5 %", "ms"], rows)
    if options.cmyk is not None:
        plain = [_naive_cmyk(image).convert("RGB") for image in pictures]
        by_press = find_conversion(options.cmyk.read_bytes(), "CMYK")
        assert by_press is not None
        wrong = [by_press.apply(_naive_cmyk(image)) for image in pictures]
        print(f"\nCMYK of no press, without a profile: {cosines(plain)}; read as the press's: {cosines(wrong)}")


def _written(pictures: list[Image.Image], cmyk: Path | None) -> Iterator[tuple[str, bytes, list[Image.Image]]]:
    """Yield (kind, profile, pictures in its colours)."""
    near = {
        "sRGB": rgb_profile(SRGB, srgb_to_light),
        "Display P3": rgb_profile(DISPLAY_P3, srgb_to_light),
        "Adobe RGB": rgb_profile(ADOBE_RGB, lambda values: values**_ADOBE_GAMMA),
    }
    for kind, profile in near.items():
        yield kind, profile, [_by_littlecms(image, profile, "RGB") for image in pictures]
    for kind, (profile, write) in kinds().items():
        yield kind, profile, [write(image) for image in pictures]
    profile = profile_of_code_points(9, 18)
    yield "Rec. 2020, HLG", profile, [_by_littlecms(image, profile, "RGB") for image in pictures]
    if cmyk is not None:
        profile = cmyk.read_bytes()
        yield "CMYK of a press", profile, [_by_littlecms(image, profile, "CMYK") for image in pictures]


def _by_littlecms(image: Image.Image, content: bytes, mode: str) -> Image.Image:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    return ImageCms.ImageCmsTransform(srgb, profile, "RGB", mode, intent, flags=flags).apply(image)


def _naive_cmyk(image: Image.Image) -> Image.Image:
    """Separate with as much black as there is, as programs without profiles do."""
    inks = 255 - np.asarray(image, dtype=np.int32)
    black = inks.min(axis=2, keepdims=True)
    shares = (inks - black) * 255 // np.maximum(255 - black, 1)
    return Image.fromarray(np.concatenate([shares, black], axis=2).astype(np.uint8), "CMYK")


def _tagged(image: Image.Image, profile: bytes) -> Image.Image:
    image = image.copy()
    image.info["icc_profile"] = profile
    return image


def _cost(work: Callable[[], Image.Image]) -> tuple[float, Image.Image]:
    """Median seconds of processor time, after one run that prepares, and the result."""
    result = work()
    seconds = []
    for _ in range(_ROUNDS):
        start = process_time()
        work()
        seconds.append(process_time() - start)
    return median(seconds), result


if __name__ == "__main__":
    main()
