"""Whether other scores than the cosine rank better: python -m tests.benchmarks.ranking [CAPTIONS.jsonl ...]

Two ways and both at once: a part of a picture's own level (`relevance.find_own_levels`) taken off its cosine; and a
second view of each picture, the whole of it squashed to the model's square, beside the centre crop: their mean, or the
better of both. The whole alone is a control, since it costs nothing. A query has as many right pictures as carry its
text. Names of up to three words are asked for in each form of `FORMS`, each a set of its own; so is every other
caption, sorted, with its pictures alone (odd, even), in files with many of them.

A table for each set: what the cosine gives, and how much each way adds, with the interval that holds 95 % of the
differences when the queries are drawn anew. Without arguments: the sample pictures. The last table has the decision: a
way is worth having if it gains nDCG@10 in at least two folders of pictures, the interval above zero in one of their
whole sets, and loses no metric of any set, the interval below zero.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch import read_caption_pairs
from clipsearch.encoders.bank import load_bank
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.embed_image import read_picture
from clipsearch.encoders.load import load_encoder
from clipsearch.evaluation.metrics import Difference, compare_values, ndcg_at_k
from clipsearch.images.preprocess import resize_and_crop
from clipsearch.paths import sample_data_folder
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.relevance import find_own_levels
from clipsearch.vectors import normalise
from tests.benchmarks.measuring import note, print_table

FORMS = ("{}", "a photo of a {}")
METRICS = ("recall@1", "recall@5", "recall@10", "precision@5", "nDCG@10")
DECIDING = METRICS.index("nDCG@10")
TAKEN = (0.1, 0.25, 1 / 3, 0.5, 1.0)
# A file with so many different captions is halved, too.
MANY = 100

Rows = NDArray[np.float32]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Views:
    """What is known of n pictures: unit-norm (n, dim) and own levels (n,) of each view."""

    crop: Rows
    whole: Rows
    mean: Rows
    crop_levels: Rows
    whole_levels: Rows
    mean_levels: Rows

    def of(self, rows: NDArray[np.int64]) -> "Views":
        return Views(*(getattr(self, each.name)[rows] for each in fields(self)))


@dataclass(frozen=True)
class RankingSet:
    """Queries (q, dim), and which of the pictures are right (q, n); `folder` is whose pictures they are."""

    name: str
    folder: str
    is_whole: bool
    views: Views
    queries: Rows
    is_right: NDArray[np.bool_]


Way = Callable[[Rows, Views], Rows]


def ways() -> dict[str, Way]:
    """Of queries (q, dim) and pictures to scores (q, n)."""
    found: dict[str, Way] = {"cosine": lambda queries, views: queries @ views.crop.T}
    for taken in TAKEN:
        found[f"less {taken:.2f} of own level"] = lambda queries, views, taken=taken: (
            queries @ views.crop.T - taken * views.crop_levels
        )
    found["the whole alone"] = lambda queries, views: queries @ views.whole.T
    for taken in (0.0, 0.25, 1 / 3):
        less = f", less {taken:.2f}" if taken else ""
        found[f"mean of two views{less}"] = lambda queries, views, taken=taken: (
            queries @ views.mean.T - taken * views.mean_levels
        )
        found[f"better of two views{less}"] = lambda queries, views, taken=taken: np.maximum(
            queries @ views.crop.T - taken * views.crop_levels, queries @ views.whole.T - taken * views.whole_levels
        )
    return found


def measure_queries(scores: Rows, is_right: NDArray[np.bool_]) -> Values:
    """(q, n) scores, and which are right → (q, metrics), each of `METRICS`."""
    order = np.argsort(-scores, axis=1, kind="stable")
    rows = []
    for is_it in np.take_along_axis(is_right, order, axis=1):
        ranks = np.flatnonzero(is_it) + 1
        best = ranks[0]
        ndcg = ndcg_at_k(ranks, 10, n_right=len(ranks))
        rows.append((best <= 1, best <= 5, best <= 10, (ranks <= 5).sum() / 5, ndcg))
    return np.array(rows, dtype=np.float64)


def embed_views(images: list[Path], encoder: Encoder, bank: Bank) -> Views:
    spec = encoder.preprocess
    squashed = replace(spec, shortest_edge=None)
    crops, wholes = list[Rows](), list[Rows]()
    for start in range(0, len(images), encoder.batch_size):
        read = [read_picture(path, spec) for path in images[start : start + encoder.batch_size]]
        for rows, view in ((crops, spec), (wholes, squashed)):
            rows.append(encoder.encode_images(np.stack([resize_and_crop(image, view, box=box) for image, box in read])))
    crop, whole = np.concatenate(crops), np.concatenate(wholes)
    mean = normalise(crop + whole)
    return Views(crop, whole, mean, *(find_own_levels(rows, bank) for rows in (crop, whole, mean)))


def load_sets(captions: Path, encoder: Encoder, bank: Bank) -> Iterator[RankingSet]:
    pairs = read_caption_pairs(captions).pairs
    images = sorted({pair.image for pair in pairs})
    note(f"{captions.parent.name}/{captions.stem}: {len(images):,} pictures")
    views, row_of = embed_views(images, encoder, bank), {image: row for row, image in enumerate(images)}
    texts = sorted({pair.caption for pair in pairs})
    rows_of = {text: np.array(sorted({row_of[p.image] for p in pairs if p.caption == text})) for text in texts}
    is_name = [len(text.split()) <= 3 and not text.endswith(".") for text in texts]
    are_names = 2 * sum(is_name) > len(texts)
    parts = {"": texts} | ({", odd": texts[1::2], ", even": texts[::2]} if len(texts) >= MANY else {})
    file = f"{captions.parent.name}/{captions.stem}"
    for form in FORMS if are_names else FORMS[:1]:
        queries = encoder.encode_texts(
            [form.format(text) if is_one else text for text, is_one in zip(texts, is_name, strict=True)]
        )
        for part, its in parts.items():
            kept = np.unique(np.concatenate([rows_of[text] for text in its]))
            is_right = np.array([np.isin(kept, rows_of[text]) for text in its])
            name = f"{file}{part}" + (f', "{form.format("…")}"' if are_names else "")
            rows = [texts.index(text) for text in its]
            yield RankingSet(name, captions.parent.name, not part, views.of(kept), queries[rows], is_right)


def differences_of(data: RankingSet) -> dict[str, list[Difference]]:
    """Of each way but the cosine, and each of `METRICS`; prints a table of them."""
    values = {name: measure_queries(way(data.queries, data.views), data.is_right) for name, way in ways().items()}
    usual = values.pop("cosine")
    found = {
        name: [compare_values(usual[:, column], its[:, column]) for column in range(len(METRICS))]
        for name, its in values.items()
    }
    print(f"\n{data.name}: {data.is_right.shape[1]:,} pictures, {len(data.queries):,} queries\n")
    head = ["", *METRICS]
    rows = [["cosine", *(f"{value:.3f}" for value in usual.mean(axis=0))]]
    print_table(head, rows + [[name, *map(described, its)] for name, its in found.items()])
    return found


def described(difference: Difference) -> str:
    """In hundredths; bold where the interval excludes zero."""
    value, low, high = (100 * number for number in (difference.value, difference.low, difference.high))
    text = f"{value:+.1f} ({low:+.1f} to {high:+.1f})"
    return f"**{text}**" if low > 0 or high < 0 else text


def decide(found: list[tuple[RankingSet, dict[str, list[Difference]]]]) -> None:
    rows = []
    for way in found[0][1]:
        gaining = {data.folder for data, its in found if data.is_whole and its[way][DECIDING].low > 0}
        losing = sum(any(each.high < 0 for each in its[way]) for _, its in found)
        lower = sum(its[way][DECIDING].value < 0 for _, its in found)
        is_on = len(gaining) >= 2 and not losing
        rows.append([way, str(len(gaining)), str(losing), str(lower), "on" if is_on else "off"])
    folders = len({data.folder for data, _ in found})
    head = [
        f"of {folders} folders, {len(found)} sets",
        "folders that gain",
        "sets that lose",
        "of lower nDCG@10",
        "rule",
    ]
    print()
    print_table(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", nargs="*", type=Path, default=[sample_data_folder() / "captions.jsonl"])
    parser.add_argument("--model", default="starter")
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
    sets = (data for captions in options.captions for data in load_sets(captions, encoder, bank))
    decide([(data, differences_of(data)) for data in sets])


if __name__ == "__main__":
    main()
