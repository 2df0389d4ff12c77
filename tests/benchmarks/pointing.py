"""Whether heat maps point at the right place: python -m tests.benchmarks.pointing CAPTIONS... [--pages N]

Pictures with a caption each (.jsonl with "image" and "caption", as sample_data/captions.jsonl and what
`tests.benchmarks.stamps` writes) are put together by fours, at random, and each caption is looked for. A hit is a map
whose highest place lies in its own quarter: the pointing game of Zhang et al., "Top-down neural attention by excitation
backprop", 2018. By chance 0.25 are.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image

from clipsearch.caption_pairs import read_caption_pairs
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import load_encoder
from clipsearch.heat_maps import make_heat_map
from clipsearch.images.decode import decode_image

CELL = 256


def square(path: str) -> Image.Image:
    image = decode_image(path, needed_side=CELL).image
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side)).resize((CELL, CELL), Image.Resampling.BICUBIC)


def hits(encoder: Encoder, pairs: list[tuple[str, str]], pages: int) -> tuple[list[float], list[float]]:
    """Of each map whether it points right, and the seconds it took."""
    rng = np.random.default_rng(0)
    right, seconds = [], []
    for _ in range(pages):
        chosen = [pairs[number] for number in rng.choice(len(pairs), 4, replace=False)]
        page = Image.new("RGB", (2 * CELL, 2 * CELL), "white")
        for place, (path, _) in enumerate(chosen):
            page.paste(square(path), (place % 2 * CELL, place // 2 * CELL))
        for place, (_, caption) in enumerate(chosen):
            text = encoder.encode_texts([caption])[0]
            start = time.perf_counter()
            x, y = make_heat_map(page, caption, text, encoder=encoder).peak
            seconds.append(time.perf_counter() - start)
            right.append(float((x >= 0.5) == bool(place % 2) and (y >= 0.5) == bool(place // 2)))
    return right, seconds


def wilson(share: float, count: int) -> tuple[float, float]:
    """The interval that holds a share with 95 %. Source: Wilson, J. Am. Stat. Assoc. 22 (1927), 209-212."""
    z = 1.96
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return float(middle - half), float(middle + half)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path, nargs="+")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--pages", type=int, default=100)
    arguments = parser.parse_args()
    encoder = load_encoder(arguments.model)
    print(f"{'captions':40} {'points right':>22} {'median ms':>10}")
    for file in arguments.captions:
        pairs = [(str(pair.image), pair.caption) for pair in read_caption_pairs(file).pairs]
        right, seconds = hits(encoder, pairs, arguments.pages)
        low, high = wilson(float(np.mean(right)), len(right))
        print(
            f"{str(file)[-40:]:40} {np.mean(right):.3f} ({low:.3f} to {high:.3f}) "
            f"{1000 * float(np.median(seconds)):10.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
