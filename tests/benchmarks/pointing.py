"""Whether heat maps point at the right place: python -m tests.benchmarks.pointing CAPTIONS... [--pages N]

Pictures with a caption each (.jsonl with "image" and "caption", as sample_data/captions.jsonl and what
`tests.benchmarks.stamps` writes) are put together by fours, at random, and each caption is looked for. A hit is a map
whose highest place lies in its own quarter: the pointing game of Zhang et al., "Top-down neural attention by excitation
backprop", 2018. By chance 0.25 are. `--ways` measures other ways as well: by hiding places, by the sum of both, and
with the own level of each window, or half of it, taken off its score (`relevance.find_own_levels`).
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.captions.pairs import read_caption_pairs
from clipsearch.encoders.bank import load_bank
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import load_encoder
from clipsearch.gallery.heat_map import make_heat_map
from clipsearch.images.decode import decode_image
from clipsearch.images.preprocess import resize_and_crop
from clipsearch.scoring.relevance import find_own_levels

CELL = 256

Text = NDArray[np.float32]
Way = Callable[[Encoder, Image.Image, Text], tuple[float, float]]
"""From a square picture and the embedding (dim,) of words to where they are, as shares of the sides."""


def windows(encoder: Encoder, image: Image.Image, text: Text) -> tuple[float, float]:
    return make_heat_map(image, "", text, encoder=encoder).peak


def hiding(encoder: Encoder, image: Image.Image, text: Text) -> tuple[float, float]:
    return middle_of_highest(hide_places(encoder, image, text))


def both(encoder: Encoder, image: Image.Image, text: Text) -> tuple[float, float]:
    maps = (make_heat_map(image, "", text, encoder=encoder).cells, hide_places(encoder, image, text))
    return middle_of_highest(sum((each - each.mean()) / each.std() for each in maps))


class Recording:
    """An encoder that remembers the embeddings (n, dim) it made last."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.preprocess = encoder.preprocess

    def encode_images(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.embeddings = self.encoder.encode_images(pixels)
        return self.embeddings


def less_level(share: float) -> Way:
    def way(encoder: Encoder, image: Image.Image, text: Text) -> tuple[float, float]:
        recording = Recording(encoder)
        found = make_heat_map(image, "", text, encoder=recording)
        bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
        levels = find_own_levels(recording.embeddings[1:], bank).reshape(found.scores.shape)
        return replace(found, scores=found.scores - share * levels).peak

    return way


WAYS: dict[str, Way] = {
    "windows": windows,
    "hiding": hiding,
    "both": both,
    "less half a level": less_level(0.5),
    "less its level": less_level(1.0),
}


def hide_places(encoder: Encoder, image: Image.Image, text: Text) -> NDArray[np.float32]:
    """How far the score falls where a window of 3/8 of the side is filled with the picture's mean, over each 1/8."""
    picture, steps, window = np.array(resize_and_crop(image, encoder.preprocess)), 8, 3
    places = [(row, column) for row in range(1 - window, steps) for column in range(1 - window, steps)]
    hidden = np.repeat(picture[None], len(places) + 1, axis=0)
    edges = np.linspace(0, len(picture), steps + 1).round().astype(int)
    for crop, (row, column) in zip(hidden[1:], places, strict=True):
        top, left = edges[max(0, row)], edges[max(0, column)]
        crop[top : edges[min(steps, row + window)], left : edges[min(steps, column + window)]] = picture.mean((0, 1))
    scores = encoder.encode_images(hidden) @ text
    cells = np.zeros((steps, steps), dtype=np.float32)
    for fall, (row, column) in zip(scores[0] - scores[1:], places, strict=True):
        cells[max(0, row) : row + window, max(0, column) : column + window] += fall
    return cells


def middle_of_highest(cells: NDArray[np.float32]) -> tuple[float, float]:
    row, column = divmod(int(cells.argmax()), cells.shape[1])
    return (column + 0.5) / cells.shape[1], (row + 0.5) / cells.shape[0]


def square(path: str) -> Image.Image:
    image = decode_image(path, needed_side=CELL).image
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side)).resize((CELL, CELL), Image.Resampling.BICUBIC)


def hits(
    encoder: Encoder, pairs: list[tuple[str, str]], pages: int, ways: dict[str, Way]
) -> dict[str, tuple[list[float], list[float]]]:
    """Of each way, and of each map whether it points right, and the seconds it took."""
    rng = np.random.default_rng(0)
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in ways}
    for _ in range(pages):
        chosen = [pairs[number] for number in rng.choice(len(pairs), 4, replace=False)]
        page = Image.new("RGB", (2 * CELL, 2 * CELL), "white")
        for place, (path, _) in enumerate(chosen):
            page.paste(square(path), (place % 2 * CELL, place // 2 * CELL))
        for place, (_, caption) in enumerate(chosen):
            text = encoder.encode_texts([caption])[0]
            for name, way in ways.items():
                start = time.perf_counter()
                x, y = way(encoder, page, text)
                found[name][1].append(time.perf_counter() - start)
                found[name][0].append(float((x >= 0.5) == bool(place % 2) and (y >= 0.5) == bool(place // 2)))
    return found


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
    parser.add_argument("--ways", action="store_true", help="also in other ways, see above")
    arguments = parser.parse_args()
    encoder = load_encoder(arguments.model)
    ways = WAYS if arguments.ways else {"windows": windows}
    print(f"{'captions':40} {'way':18} {'points right':>22} {'median ms':>10}")
    for file in arguments.captions:
        pairs = [(str(pair.image), pair.caption) for pair in read_caption_pairs(file).pairs]
        for name, (right, seconds) in hits(encoder, pairs, arguments.pages, ways).items():
            low, high = wilson(float(np.mean(right)), len(right))
            print(
                f"{str(file)[-40:]:40} {name:18} {np.mean(right):.3f} ({low:.3f} to {high:.3f}) "
                f"{1000 * float(np.median(seconds)):10.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
