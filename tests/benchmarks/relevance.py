"""What relevance is worth: python -m tests.benchmarks.relevance [CAPTIONS.jsonl ...] [--odd | --even]

On labelled pictures, of which each shows what its caption says and, so far as is known, nothing that another one's
says: F1 at the default cut-off against that of the best cosine with hindsight, how far what is claimed is off, how
often words that mean nothing match, how much of a thing is found that half of the pictures show, and how far the
relevance of a picture moves when the catalog grows tenfold. Names of up to three words are asked for in three forms,
what ends in a full stop as it stands.
Without arguments: the sample pictures. `--odd` and `--even` take every other name, sorted.

`--diagram FILE` draws how often pictures of each relevance are right. `--fit` prints the logistic that these pictures
alone would give, `--bank` what smaller banks do, `--cost` what relevance adds to a query.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from clipsearch import read_caption_pairs
from clipsearch.calibration import Reliability, ReliabilityBin, ScoreHistogram, calibration_error
from clipsearch.encoders.bank import Bank, load_bank
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.load import load_encoder
from clipsearch.evaluation import count_matches, estimate_matches
from clipsearch.indexes.faiss_index import FaissIndex
from clipsearch.query_pictures import embed_pictures
from clipsearch.relevance import DEFAULT_CUTOFF, Background, find_own_levels, learn_background, relevance_of
from clipsearch.reliability_diagram import draw_reliability
from clipsearch.settings import sample_data_folder

FORMS = ("{}", "a {}", "a photo of a {}")
NONSENSE = [
    "asdfgh",
    "xyzzy",
    "qwertz",
    "blorptang",
    "fnord",
    "gribbleflip",
    "snarfblat",
    "thnuckle",
    "vorpalix",
    "quuxly",
    "plugh",
    "zxcvbn",
    "hjklm",
    "frobnitz",
    "mxyptlk",
    "dweomerk",
    "slithytove",
    "brillig",
    "wibblefrotz",
    "zorkmid",
]
SIZES = (1, 2, 5, 20, 200, 1_000)

Rows = NDArray[np.float32]
Relevances = NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """Pictures (n, dim), queries (q, dim), and which of them are right (q, n); what each query is."""

    name: str
    pictures: Rows
    queries: Rows
    is_right: NDArray[np.bool_]
    texts: list[str]


def load(captions: Path, encoder: Encoder, *, every_other: int | None) -> Labelled:
    pairs = read_caption_pairs(captions).pairs
    names = sorted({pair.caption for pair in pairs})
    if every_other is not None:
        names = names[every_other::2]
    pairs = tuple(pair for pair in pairs if pair.caption in set(names))
    texts = [
        (name, form.format(name))
        for name in names
        for form in (FORMS if len(name.split()) <= 3 and not name.endswith(".") else ("{}",))
    ]
    is_right = np.array([[pair.caption == name for pair in pairs] for name, _ in texts])
    pictures = np.concatenate([embed_pictures([pair.image], encoder=encoder) for pair in pairs])
    asked = [text for _, text in texts]
    return Labelled(captions.parent.name, pictures, encoder.encode_texts(asked), is_right, asked)


def background_of(pictures: Rows, bank: Bank) -> Background:
    index = FaissIndex(pictures.shape[1])
    index.add(np.arange(len(pictures), dtype=np.int64), pictures)
    return learn_background(index, bank)


def relevances(queries: Rows, pictures: Rows, bank: Bank) -> Relevances:
    """(q, n) in a catalog of these pictures alone."""
    background, own_levels = background_of(pictures, bank), find_own_levels(pictures, bank)
    directions = [background.direction([query], [1.0], are_words=[True]) for query in queries]
    return np.array(
        [relevance_of(each.worth(pictures @ each.embedding) - each.own_share * own_levels) for each in directions]
    )


def best_f1(scores: NDArray[np.floating], is_right: NDArray[np.bool_]) -> float:
    histogram = ScoreHistogram()
    histogram.add(scores, is_right)
    return histogram.best_f1()


def reliability(found: Relevances, is_right: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    counted = Reliability()
    counted.add(found, is_right)
    return counted.bins


def report(data: Labelled, encoder: Encoder, bank: Bank) -> Relevances:
    found, is_right = relevances(data.queries, data.pictures, bank), data.is_right
    cosine = best_f1(data.queries @ data.pictures.T, is_right)
    matches = estimate_matches(count_matches(found >= DEFAULT_CUTOFF, is_right))
    precision, recall, f1 = (matches[name].value for name in ("precision", "recall", "f1"))
    print(f"\n{data.name}: {len(data.pictures):,} pictures, {len(data.queries):,} queries")
    print(f"F1 at {DEFAULT_CUTOFF}: {f1:.3f}, {f1 / cosine:.2f} of the best cosine's {cosine:.3f};", end=" ")
    print(f"precision {precision:.2f}, recall {recall:.2f}")
    print(f"error of what is claimed: {calibration_error(reliability(found, is_right)):.3f}")
    rng = np.random.default_rng(0)
    strange = encoder.encode_texts([*NONSENSE, *(FORMS[2].format(word) for word in NONSENSE)])
    shares = []
    for size in SIZES:
        if size <= len(data.pictures):
            rounds = [rng.choice(len(data.pictures), size, replace=False) for _ in range(max(1, min(20, 200 // size)))]
            matches = [relevances(strange, data.pictures[rows], bank).max(axis=1) >= DEFAULT_CUTOFF for rows in rounds]
            shares.append(f"{size:,}: {np.mean(matches):.3f}")
    print(f"nonsense that matches in catalogs of {', '.join(shares)}")
    halves = half_of_one_thing(data, bank)
    if halves is not None:
        print("a thing that half of the pictures show: precision {:.2f}, recall {:.2f}".format(*halves))
    if len(data.pictures) >= 200:
        rows = rng.permutation(len(data.pictures))[: len(data.pictures) // 10]
        before = relevances(data.queries, data.pictures[rows], bank)
        moved = np.abs(found[:, rows] - before)[is_right[:, rows]]
        print(f"when the catalog grows tenfold, right pictures move by {moved.mean():.3f}, ", end="")
        print(f"nine of ten by less than {np.percentile(moved, 90):.3f}")
    return found


def half_of_one_thing(data: Labelled, bank: Bank) -> tuple[float, float] | None:
    """Precision and recall over catalogs of which half is one thing, and the rest different ones."""
    rng = np.random.default_rng(1)
    right, kept, wanted = 0, 0, 0
    for query, is_it in zip(data.queries, data.is_right, strict=True):
        others = np.flatnonzero(~is_it)
        if is_it.sum() < 5 or len(others) < is_it.sum():
            continue
        # Each picture as often as makes a hundred: what counts are the shares.
        own = np.resize(np.flatnonzero(is_it), 100)
        rest = rng.choice(others, 100, replace=len(others) < 100)
        found = relevances(query[np.newaxis], data.pictures[np.concatenate([own, rest])], bank)[0] >= DEFAULT_CUTOFF
        right, kept, wanted = right + found[:100].sum(), kept + found.sum(), wanted + 100
    return (float(right / max(1, kept)), float(right / wanted)) if wanted else None


def fit(data: Labelled, bank: Bank) -> None:
    """The logistic of margins less three quarters of the query's level and of what the best of the bank reach."""
    words, own_levels = background_of(data.pictures, bank).words, find_own_levels(data.pictures, bank)
    margins = (data.queries @ data.pictures.T - own_levels - words.location) / words.spread
    level = np.where(data.is_right, 0, margins).sum(axis=1) / (~data.is_right).sum(axis=1)
    columns = np.stack([(margins - 0.75 * (level[:, np.newaxis] + words.reach)).ravel(), np.ones(margins.size)], axis=1)
    is_right, found = data.is_right.ravel(), np.zeros(2)
    for _ in range(50):
        chances = 1 / (1 + np.exp(-np.clip(columns @ found, -50, 50)))
        curvature = (columns * (chances * (1 - chances))[:, np.newaxis]).T @ columns
        found += np.linalg.solve(curvature + 1e-6 * np.eye(2), columns.T @ (is_right - chances))
    odds = np.log(is_right.mean() / (1 - is_right.mean()))
    print(f"{data.name}: slope {found[0]:.2f}, intercept {found[1] - odds:.2f}, reach {words.reach:.2f}", end="; ")
    print(f"for a margin of 3 spreads {found[0] * (3 - 0.75 * words.reach) + found[1] - odds:.2f}")


def compare_banks(data: Labelled, bank: Bank) -> None:
    for step in (1, 2, 4, 8):
        part = bank.embeddings[::step]
        margins = data.queries @ data.pictures.T - find_own_levels(data.pictures, replace(bank, embeddings=part))
        print(f"{data.name}: bank of {len(part):5,}: best F1 of margins {best_f1(margins, data.is_right):.3f}")


def measure_cost(encoder: Encoder, bank: Bank) -> None:
    """Of 1,024 pictures, since no more are looked at however many there are, and ten hits that were never hit."""
    pictures = np.resize(bank.embeddings, (1_024, encoder.dim))
    background, query = background_of(pictures, bank), encoder.encode_texts(["a red car"])[0]
    times = []
    for number in range(200):
        start = perf_counter()
        direction = background.direction([query], [1.0], are_words=[True])
        ids = list(range(10 * number, 10 * number + 10))
        levels = background.own_levels_of(ids, lambda ids: {each: pictures[each % 1_024] for each in ids})
        relevance_of(direction.worth(pictures[:10] @ query) - direction.own_share * levels)
        times.append(perf_counter() - start)
    print(f"relevance adds {1_000 * float(np.median(times)):.2f} ms to a query (median)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", nargs="*", type=Path, default=[sample_data_folder() / "captions.jsonl"])
    parser.add_argument("--model", default="starter")
    half = parser.add_mutually_exclusive_group()
    half.add_argument("--even", dest="every_other", action="store_const", const=0)
    half.add_argument("--odd", dest="every_other", action="store_const", const=1)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--bank", action="store_true")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--diagram", type=Path)
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
    if options.cost:
        measure_cost(encoder, bank)
        return
    lines = {}
    for captions in options.captions:
        data = load(captions, encoder, every_other=options.every_other)
        if options.fit:
            fit(data, bank)
        elif options.bank:
            compare_banks(data, bank)
        else:
            lines[data.name] = reliability(report(data, encoder, bank), data.is_right)
    if options.diagram:
        draw_reliability(lines).save(options.diagram)


if __name__ == "__main__":
    main()
