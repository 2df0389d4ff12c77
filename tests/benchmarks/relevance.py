"""What relevance is worth: python -m tests.benchmarks.relevance [CAPTIONS.jsonl ...] [--odd | --even]

On labelled pictures, of which each shows what its caption says and, so far as is known, nothing that another one's
says: F1 at the default cut-off against that of the best cosine with hindsight, how far what is claimed is off, how
often words that mean nothing match, how much of a thing is found that half of the pictures show, and how far the
relevance of a picture moves when the catalog grows tenfold. Names of up to three words are asked for in three forms,
what ends in a full stop as it stands.
Without arguments: the sample pictures. `--odd` and `--even` take every other name, sorted.

`--things N` takes smaller catalogs in which a larger share of the pictures fits a query: those of N of the names, drawn
at random 10 times. `--confidence` draws catalogs of the odd names and counts what gets an answer at 0.9: the even
names, which no picture is labelled with although some show them, words that mean nothing, and names that are there.

`--pictures` asks by each picture for those of the same name, in catalogs of all, of 20 and of one of the names.

`--diagram FILE` draws how often pictures of each relevance are right. `--fit` prints the logistic that these pictures
alone would give, `--bank` what smaller banks do, `--cost PICTURES` what relevance adds to a query in
a catalog of so many (a million need 2 GB of disk for a minute).
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch import read_caption_pairs
from clipsearch.encoders.bank import load_bank
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.embed_image import embed_pictures
from clipsearch.encoders.load import load_encoder
from clipsearch.evaluation.calibration import Reliability, ReliabilityBin, ScoreHistogram, calibration_error
from clipsearch.evaluation.metrics import count_matches, estimate_matches
from clipsearch.evaluation.reliability_diagram import draw_reliability
from clipsearch.indexes.flat import FaissIndex
from clipsearch.paths import index_folder, sample_data_folder
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.confidence import learn_best_relevances
from clipsearch.scoring.relevance import DEFAULT_CUTOFF, Background, find_own_levels, learn_background
from clipsearch.session.file_index import CatalogIndex
from clipsearch.session.index_files import write_snapshot
from clipsearch.store import Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.vectors import normalise
from tests.benchmarks.measuring import print_table, seconds_of, workplace
from tests.benchmarks.scale import fill

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

# Of `--things`.
DRAWS = 10

# Of `--confidence`: catalogs of each size are as many as look at some hundred pictures, 20 at most.
CONFIDENCE = 0.9
CATALOGS = {2: 20, 20: 20, 200: 3, 500: 1}

# Of `--cost`.
COST_QUERIES, HITS, PART = 200, 10, 20_000

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
    texts = [(name, text) for name in names for text in forms_of(name)]
    is_right = np.array([[pair.caption == name for pair in pairs] for name, _ in texts])
    pictures = np.concatenate([embed_pictures([pair.image], encoder=encoder) for pair in pairs])
    asked = [text for _, text in texts]
    return Labelled(captions.parent.name, pictures, encoder.encode_texts(asked), is_right, asked)


def forms_of(name: str) -> list[str]:
    """What is asked for a name."""
    return [form.format(name) for form in (FORMS if len(name.split()) <= 3 and not name.endswith(".") else ("{}",))]


def background_of(pictures: Rows, bank: Bank) -> Background:
    index = FaissIndex(pictures.shape[1])
    index.add(np.arange(len(pictures), dtype=np.int64), pictures)
    return learn_background(index, bank)


def relevances(queries: Rows, pictures: Rows, bank: Bank) -> Relevances:
    """(q, n) in a catalog of these pictures alone."""
    return relevances_against(background_of(pictures, bank), queries, pictures)


def relevances_against(background: Background, queries: Rows, pictures: Rows) -> Relevances:
    own_levels = background.levels_at(pictures)
    directions = [background.direction([query], [1.0], are_words=[True]) for query in queries]
    return np.array([each.relevances(pictures @ each.embedding, own_levels) for each in directions])


def best_f1(scores: NDArray[np.floating], is_right: NDArray[np.bool_]) -> float:
    histogram = ScoreHistogram()
    histogram.add(scores, is_right)
    return histogram.best_f1()


def reliability(found: Relevances, is_right: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    counted = Reliability()
    counted.add(found, is_right)
    return counted.bins


def matches_of(found: Relevances, is_right: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Precision, recall and F1 at the default cut-off."""
    matches = estimate_matches(count_matches(found >= DEFAULT_CUTOFF, is_right))
    return matches["precision"].value, matches["recall"].value, matches["f1"].value


def report(data: Labelled, encoder: Encoder, bank: Bank) -> Relevances:
    found, is_right = relevances(data.queries, data.pictures, bank), data.is_right
    cosine = best_f1(data.queries @ data.pictures.T, is_right)
    precision, recall, f1 = matches_of(found, is_right)
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


def report_things(data: Labelled, bank: Bank, count: int) -> None:
    """Catalogs of `count` of the things; ratio and error are means of all draws."""
    # Pictures of one thing are right for the same queries, forms of one name for the same pictures.
    things = np.unique(data.is_right, axis=0)
    if count > len(things):
        raise SystemExit(f"{data.name} shows {len(things)} things")
    rng = np.random.default_rng(5)
    figures = []
    for _ in range(DRAWS):
        chosen = things[rng.choice(len(things), count, replace=False)].any(axis=0)
        is_asked = data.is_right[:, chosen].any(axis=1)
        queries, pictures = data.queries[is_asked], data.pictures[chosen]
        is_right = data.is_right[np.ix_(is_asked, chosen)]
        found = relevances(queries, pictures, bank)
        *_, f1 = matches_of(found, is_right)
        error = calibration_error(reliability(found, is_right))
        figures.append((len(pictures), is_right.mean(), f1 / best_f1(queries @ pictures.T, is_right), error))
    size, share, ratio, error = np.mean(figures, axis=0)
    print(f"{data.name}: {count} things, {size:.0f} pictures of which {share:.1%} fit a query: F1 ", end="")
    print(f"{ratio:.2f} of the best cosine's, error of what is claimed {error:.3f}; {DRAWS} draws")


def report_pictures(data: Labelled, bank: Bank) -> None:
    """Means over draws of the names; a catalog of one name has only pictures that are right."""
    things = np.unique(data.is_right, axis=0)
    rng, rows = np.random.default_rng(8), []
    sizes = {len(things): 1, min(20, len(things)): DRAWS, 1: 2 * DRAWS}
    for count, draws in sizes.items():
        figures = []
        for _ in range(draws):
            shown = things[rng.choice(len(things), count, replace=False)]
            pictures = data.pictures[shown.any(axis=0)]
            is_other = ~np.eye(len(pictures), dtype=np.bool_)
            is_right = (shown.T.astype(np.float32) @ shown)[np.ix_(*(shown.any(axis=0),) * 2)][is_other] > 0
            background = background_of(pictures, bank)
            directions = [background.direction([picture], [1.0], are_words=[False]) for picture in pictures]
            found = np.array([each.relevances(pictures @ each.embedding, np.float32(0)) for each in directions])
            precision, recall, f1 = matches_of(found[is_other][np.newaxis], is_right[np.newaxis])
            ratio = f1 / best_f1((pictures @ pictures.T)[is_other], is_right)
            error = calibration_error(reliability(found[is_other], is_right))
            figures.append((len(pictures), precision, recall, ratio, error))
        size, *others = np.nanmean(figures, axis=0)
        rows.append([f"{count}", f"{size:.0f}", *(f"{value:.2f}" for value in others)])
    print_table([f"{data.name}: names", "pictures", "precision", "recall", "F1 of the best cosine's", "error"], rows)


def report_confidence(captions: Path, encoder: Encoder, bank: Bank) -> None:
    """How many queries get an answer at a confidence of 0.9, in catalogs of pictures of the odd names."""
    data = load(captions, encoder, every_other=1)
    absent = sorted({pair.caption for pair in read_caption_pairs(captions).pairs})[0::2]
    asked = encoder.encode_texts([text for name in absent for text in forms_of(name)])
    strange = encoder.encode_texts(NONSENSE)
    rng, rows = np.random.default_rng(6), []
    for size, rounds in CATALOGS.items():
        if size > len(data.pictures):
            continue
        figures = []
        for _ in range(rounds):
            chosen = rng.choice(len(data.pictures), size, replace=False)
            pictures, is_there = data.pictures[chosen], data.is_right[:, chosen].any(axis=1)
            index = FaissIndex(pictures.shape[1])
            index.add(np.arange(size, dtype=np.int64), pictures)
            background = learn_background(index, bank)
            best = learn_best_relevances(background, index, lambda ids, of=pictures: {row: of[row] for row in ids})
            cutoff = best.cutoff(CONFIDENCE)
            tops = [
                relevances_against(background, queries, pictures).max(axis=1)
                for queries in (asked, strange, data.queries[is_there])
            ]
            figures.append((cutoff, *(np.mean(top >= cutoff) for top in tops)))
        rows.append([f"{size:,}", *(f"{value:.2f}" for value in np.mean(figures, axis=0))])
    title = f"{data.name}: pictures"
    print_table([title, "least relevance", "even names", "words that mean nothing", "names that are there"], rows)


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
    background = background_of(data.pictures, bank)
    words, own_levels = background.words, background.levels_at(data.pictures)
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


def picture_like(pictures: Rows, count: int) -> Iterator[Rows]:
    """`count` random rows (n, dim), unit-norm, each a bit off one of some pictures; in parts."""
    rng = np.random.default_rng(3)
    for start in range(0, count, PART):
        size = min(PART, count - start)
        noise = normalise(rng.standard_normal((size, pictures.shape[1]), dtype=np.float32))
        yield normalise(pictures[rng.integers(0, len(pictures), size)] + noise)


def measure_cost(count: int, encoder: Encoder, directory: Path) -> None:
    """What relevance adds to a query for words in a catalog of so many pictures, whose ten hits were never hit: their
    embeddings come from SQLite, by id. Words are embedded beforehand, as the search needs that too.

    Beside the wall clock's percentiles stands the median of what the processor does, which others on the machine change
    less; the fastest tenth is nearest to a machine without others.
    """
    load = partial(load_bank, fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
    once = {"bank encoded, or from the cache": seconds_of(load), "bank from the cache": seconds_of(load)}
    bank = load()
    queries = bank.embeddings[:: len(bank.embeddings) // COST_QUERIES][:COST_QUERIES]
    ids = np.random.default_rng(4).permutation(count)[: HITS * len(queries)].reshape(-1, HITS) + 1
    if not (directory / DATABASE_NAME).exists():
        pairs = read_caption_pairs(sample_data_folder() / "captions.jsonl").pairs
        samples = embed_pictures([pair.image for pair in pairs], encoder=encoder)
        fill(directory, picture_like(samples, count), dim=encoder.dim)
    with Store(directory) as store:
        model = store.reader.find_current_model()
        assert model is not None
        where: dict[str, Any] = {"store": store, "model_id": model.model_id, "folder": index_folder(directory)}
        if store.reader.find_snapshot("images", model_id=model.model_id) is None:
            write_snapshot("images", **where)
        index = CatalogIndex("images", **where).get()
        fetch = partial(store.reader.embeddings, model_id=model.model_id, dim=encoder.dim)
        index.search(queries[:1], HITS)
        once["background"] = seconds_of(lambda: learn_background(index, bank))
        background = learn_background(index, bank)
        times = []
        for query, hits in zip(queries, ids.tolist(), strict=True):
            moments = [(perf_counter(), process_time())]
            scores, _ = index.search(query[np.newaxis], HITS)
            moments.append((perf_counter(), process_time()))
            direction = background.direction([query], [1.0], are_words=[True])
            moments.append((perf_counter(), process_time()))
            levels = background.own_levels_of(hits, fetch)
            direction.relevances(scores[0], levels)
            moments.append((perf_counter(), process_time()))
            times.append(1_000 * np.diff(moments, axis=0))
        index.close()
    search, of_words, of_hits = np.moveaxis(np.array(times), 1, 0)
    rows = []
    for name, each in (
        ("the search alone", search),
        ("relevance adds", of_words + of_hits),
        ("… for the words: level and share", of_words),
        ("… for the hits: their own levels, from SQLite", of_hits),
    ):
        wall = np.percentile(each[:, 0], (10, 50, 95))
        rows.append([name, *(f"{value:.2f}" for value in (*wall, np.median(each[:, 1])))])
    print_table([f"ms, of {len(queries)} queries among {count:,}", "p10", "p50", "p95", "processor, p50"], rows)
    print("once a process:", ", ".join(f"{name} {1_000 * seconds:.0f} ms" for name, seconds in once.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", nargs="*", type=Path, default=[sample_data_folder() / "captions.jsonl"])
    parser.add_argument("--model", default="starter")
    half = parser.add_mutually_exclusive_group()
    half.add_argument("--even", dest="every_other", action="store_const", const=0)
    half.add_argument("--odd", dest="every_other", action="store_const", const=1)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--bank", action="store_true")
    parser.add_argument("--things", type=int, metavar="N")
    parser.add_argument("--pictures", action="store_true")
    parser.add_argument("--confidence", action="store_true")
    parser.add_argument("--cost", nargs="?", type=int, const=100_000, metavar="PICTURES")
    parser.add_argument("--folder", type=Path, help="keep what --cost makes here, and use it again")
    parser.add_argument("--diagram", type=Path)
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
    if options.cost:
        with workplace(options.folder) as place:
            measure_cost(options.cost, encoder, place / f"cost-{options.cost}")
        return
    if options.confidence:
        # What is learnt of catalogs that nobody opens again is not kept.
        with workplace(None):
            for captions in options.captions:
                report_confidence(captions, encoder, bank)
        return
    lines = {}
    for captions in options.captions:
        data = load(captions, encoder, every_other=options.every_other)
        if options.fit:
            fit(data, bank)
        elif options.bank:
            compare_banks(data, bank)
        elif options.pictures:
            report_pictures(data, bank)
        elif options.things:
            report_things(data, bank, options.things)
        else:
            lines[data.name] = reliability(report(data, encoder, bank), data.is_right)
    if options.diagram:
        draw_reliability(lines).save(options.diagram)


if __name__ == "__main__":
    main()
