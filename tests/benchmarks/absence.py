"""Excluded terms beside a weighted sum: python -m tests.benchmarks.absence LABELS.jsonl [--pairs 300]

LABELS.jsonl has lines with "image" and "caption", the name of what a photograph shows, with two or more of each name.
For pairs of names A and B, the query "A - B" is asked in three ways: A alone, the weighted sum of A and minus B, and as
the search does it. Counted is

first: among two photographs of each name, and of each pair one of A and B side by side, a picture with A and without B
    is first; lost: the first has no A;
order: of A beside B and A beside another thing C, the latter ranks higher.
"""

import argparse
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.encoders.bank import load_bank
from clipsearch.encoders.load import load_encoder
from clipsearch.images.decode import decode_image
from clipsearch.images.preprocess import resize_and_crop
from clipsearch.scoring.relevance import Background, learn_from_sample
from clipsearch.settings import STARTER
from clipsearch.types import ModelOptions
from clipsearch.vectors import normalise
from tests.benchmarks.measuring import print_table

_SIDE = 224

Rows = NDArray[np.float32]
Rank = Callable[[Rows, Rows, Rows], NDArray[np.floating]]
"""Scores (k,) of pictures (k, dim) for the embeddings of A and B."""


def alone(background: Background) -> Rank:
    def rank(pictures: Rows, wanted: Rows, excluded: Rows) -> NDArray[np.floating]:
        direction = background.direction([wanted], [1.0], are_words=[True])
        return direction.worth(pictures @ direction.embedding)

    return rank


def summed(background: Background) -> Rank:
    def rank(pictures: Rows, wanted: Rows, excluded: Rows) -> NDArray[np.floating]:
        return np.asarray(pictures @ (wanted - excluded))

    return rank


def searched(background: Background) -> Rank:
    def rank(pictures: Rows, wanted: Rows, excluded: Rows) -> NDArray[np.floating]:
        direction = background.direction([wanted, excluded], [1.0, -1.0], are_words=[True, True])
        assert direction.absences is not None
        cost = direction.absences.costs(direction.absences.embeddings @ pictures.T).sum(axis=0)
        return direction.worth(pictures @ direction.embedding) - cost

    return rank


def side_by_side(one: Image.Image, other: Image.Image, rng: random.Random) -> Image.Image:
    both = [one, other]
    rng.shuffle(both)
    canvas = Image.new("RGB", (2 * _SIDE, _SIDE))
    for place, image in enumerate(both):
        canvas.paste(image, (place * _SIDE, 0))
    return canvas.resize((_SIDE, _SIDE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--model", default=STARTER)
    chosen = parser.parse_args()
    images: dict[str, list[Image.Image]] = {}
    for line in chosen.labels.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        found = images.setdefault(entry["caption"], [])
        if len(found) < 2:
            picture = decode_image(chosen.labels.parent / entry["image"]).image
            found.append(picture.convert("RGB").resize((_SIDE, _SIDE)))
    names = sorted(name for name, found in images.items() if len(found) == 2)
    encoder, rng = load_encoder(ModelOptions(chosen.model)), random.Random(0)

    def embed(pictures: list[Image.Image]) -> Rows:
        return encoder.encode_images(np.stack([resize_and_crop(each, encoder.preprocess) for each in pictures]))

    texts = dict(zip(names, normalise(encoder.encode_texts(names)), strict=True))
    triples = [tuple(rng.sample(names, 3)) for _ in range(chosen.pairs)]
    singles = embed([image for name in names for image in images[name]])
    pairs = embed([side_by_side(images[a][0], images[b][0], rng) for a, b, _ in triples])
    others = embed([side_by_side(images[a][0], images[c][0], rng) for a, _, c in triples])
    gallery = np.concatenate((singles, pairs))
    shown = [{name} for name in names for _ in range(2)] + [{a, b} for a, b, _ in triples]
    bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
    background = learn_from_sample(gallery, len(gallery), bank)
    rows = []
    for title, make in (("A alone", alone), ("weighted sum", summed), ("A - B, as searched", searched)):
        rank, first, lost, order = make(background), 0, 0, 0
        for number, (a, b, _) in enumerate(triples):
            top = shown[int(rank(gallery, texts[a], texts[b]).argmax())]
            first += a in top and b not in top
            lost += a not in top
            with_b, with_c = rank(np.stack((pairs[number], others[number])), texts[a], texts[b])
            order += bool(with_c > with_b)
        rows.append([title, *(f"{count / len(triples):.3f}" for count in (first, lost, order))])
    print(f"{len(triples)} pairs of {len(names)} names, {len(gallery)} pictures, {chosen.model}\n")
    print_table(["", "first", "lost", "order"], rows)


if __name__ == "__main__":
    main()
