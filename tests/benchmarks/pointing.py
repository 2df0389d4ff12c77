"""Whether heat maps point at the right place: python -m tests.benchmarks.pointing CAPTIONS... [--pages N]

Pictures with a caption each (.jsonl with "image" and "caption", as sample_data/captions.jsonl and what
`tests.benchmarks.stamps` writes) are put together by fours, at random, and each caption is looked for. A hit is a map
whose highest place lies in its own quarter: the pointing game of Zhang et al., "Top-down neural attention by excitation
backprop", 2018. By chance 0.25 are.

`--boxes` takes photographs with the name of what they show (.jsonl as above) and pastes one, with two others beside it,
into a fourth at a random place and size: its box is known, and its name is looked for. Printed are the share of maps
whose peak lies in the box, beside chance (the mean area of a box) and the middle of the picture, and how far `box` and
the true one overlap; and of as many close-ups (whole photographs) the share that is hotter in the middle than along the
edges, whose peak lies in the middle half, and the share of the picture that `box` takes.

`--ways` measures other ways as well: by hiding places, by the sum of both, and
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
from clipsearch.gallery.heat_map import HeatMap, make_heat_map
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
    maps = (make_heat_map(image, "", text, encoder=encoder).scores, hide_places(encoder, image, text))
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


Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge, as fractions of the sides."""


def compose(photos: list[tuple[str, str]], rng: np.random.Generator) -> tuple[Image.Image, str, Box]:
    """A photograph with three others on it, the name of the one on top, and its box."""
    back, *others = (photos[number] for number in rng.choice(len(photos), 4, replace=False))
    page = scaled(back[0], 640)
    box = (0.0, 0.0, 1.0, 1.0)
    for path, _ in others:
        part = scaled(path, float(rng.uniform(0.2, 0.6)) * min(page.size))
        left, top = (int(rng.integers(0, room - side + 1)) for room, side in zip(page.size, part.size, strict=True))
        page.paste(part, (left, top))
        box = left / page.width, top / page.height, (left + part.width) / page.width, (top + part.height) / page.height
    return page, others[-1][1], box


def scaled(path: str, longer_side: float) -> Image.Image:
    image = decode_image(path, needed_side=640).image
    scale = longer_side / max(image.size)
    return image.resize((max(8, round(scale * image.width)), max(8, round(scale * image.height))))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    edges = np.array([one, other])
    shared = np.prod(np.maximum(edges[:, 2:].min(axis=0) - edges[:, :2].max(axis=0), 0))
    return float(shared / (np.prod(edges[:, 2:] - edges[:, :2], axis=1).sum() - shared))


def is_inside(peak: tuple[float, float], box: Box) -> bool:
    return box[0] <= peak[0] <= box[2] and box[1] <= peak[1] <= box[3]


def is_hotter_inside(scores: NDArray[np.float32]) -> bool:
    down, across = (count // 4 for count in scores.shape)
    edges = np.concatenate([scores[0], scores[-1], scores[:, 0], scores[:, -1]])
    return bool(scores[down:-down, across:-across].mean() > edges.mean())


def print_boxes(encoder: Encoder, photos: list[tuple[str, str]], count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)

    def find(image: Image.Image, name: str) -> HeatMap:
        words = f"a photo of a {name}"
        return make_heat_map(image, words, encoder.encode_texts([words])[0], encoder=encoder, bank=bank)

    pages = [compose(photos, rng) for _ in range(count)]
    found = [find(image, name) for image, name, _ in pages]
    boxes = [box for *_, box in pages]
    rows: list[tuple[str, list[float]]] = [
        ("peak in the box", [is_inside(each.peak, box) for each, box in zip(found, boxes, strict=True)]),
        ("  by chance", [(right - left) * (bottom - top) for left, top, right, bottom in boxes]),
        ("  the middle of the picture", [is_inside((0.5, 0.5), box) for box in boxes]),
        ("box: intersection over union", [overlap(each.box, box) for each, box in zip(found, boxes, strict=True)]),
    ]
    whole = [photos[number] for number in rng.choice(len(photos), count, replace=False)]
    close = [find(scaled(path, 640), name) for path, name in whole]
    rows += [
        ("close-ups hotter in the middle", [is_hotter_inside(each.scores) for each in close]),
        ("close-ups, share in the box", [overlap(each.box, (0.0, 0.0, 1.0, 1.0)) for each in close]),
        ("close-ups, peak in the middle half", [is_inside(each.peak, (0.25, 0.25, 0.75, 0.75)) for each in close]),
    ]
    for name, values in rows:
        error = float(np.std(values) / np.sqrt(count))
        print(f"{name:36} {np.mean(values):.3f} ± {error:.3f}", flush=True)


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
    parser.add_argument("--boxes", action="store_true", help="things pasted at random places, see above")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", action="store_true", help="also in other ways, see above")
    arguments = parser.parse_args()
    encoder = load_encoder(arguments.model)
    if arguments.boxes:
        for file in arguments.captions:
            pairs = [(str(pair.image), pair.caption) for pair in read_caption_pairs(file).pairs]
            print(f"{file}, {arguments.pages} pictures, seed {arguments.seed}")
            print_boxes(encoder, pairs, arguments.pages, arguments.seed)
        return
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
