"""What a threshold for near duplicates finds: python -m tests.benchmarks.duplicates FOLDER [--model NAME]

Each picture of the folder (the first 500) is compared with copies of itself that are a half as large, saved again with
quality 60, brighter by 15 %, cropped by 5 % at each side, and grey; and all pictures with each other. With `--rows N`:
how long it takes to compare N random rows of 512 dimensions.
"""

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from clipsearch.duplicates import default_threshold
from clipsearch.encoders.load import load_encoder
from clipsearch.errors import ImageReadError
from clipsearch.images.find import IMAGE_SUFFIXES
from clipsearch.indexes.faiss_index import FaissIndex
from clipsearch.query_pictures import embed_pictures
from clipsearch.vectors import normalise

MOST = 500


def saved_again(picture: Image.Image) -> Image.Image:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=60)
    return Image.open(content)


def cropped(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    return picture.crop((width // 20, height // 20, width - width // 20, height - height // 20))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "a half as large": lambda picture: picture.resize([max(1, side // 2) for side in picture.size]),
    "saved again": saved_again,
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.15),
    "cropped": cropped,
    "grey": lambda picture: picture.convert("L").convert("RGB"),
}


def compare(count: int) -> None:
    index = FaissIndex(512)
    index.add(np.arange(count), normalise(np.random.default_rng(0).standard_normal((count, 512)).astype(np.float32)))
    start = time.perf_counter()
    pairs = sum(len(part.first) for part in index.pairs_above(0.9, np.arange(count)))
    print(f"{count:,} rows: {pairs} pairs, {time.perf_counter() - start:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--model", default="starter")
    options = parser.parse_args()
    if options.rows:
        compare(options.rows)
        return
    encoder = load_encoder(options.model)
    pictures = []
    for path in sorted(options.folder.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and len(pictures) < MOST:
            try:
                with Image.open(path) as picture:
                    pictures.append(picture.convert("RGBA").convert("RGB"))
            except (OSError, ImageReadError):
                continue
    rows = embed_pictures(pictures, encoder=encoder)
    between = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    thresholds = (0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
    print(f"{len(pictures)} pictures" + " " * 16 + "".join(f"{each:>8}" for each in thresholds))
    for name, change in CHANGES.items():
        scores = np.einsum("ij,ij->i", rows, embed_pictures([change(each) for each in pictures], encoder=encoder))
        print(f"{name + ', found':28}" + "".join(f"{(scores >= each).mean():8.3f}" for each in thresholds))
    print(f"by default from {default_threshold(rows):.3f}")
    print(f"{'different ones, pairs':28}" + "".join(f"{(between >= each).sum():8}" for each in thresholds))


if __name__ == "__main__":
    main()
