"""Concepts taught by examples: python -m tests.benchmarks.concepts LABELS.jsonl ... [--fit | --pictures N]

Average precision of the words alone, of examples alone and of both, for each thing of the files: pictures with a name
each, as `clipsearch eval` takes them. Some pictures of a thing are examples, the others are to be found among all
pictures of the file that are not examples, so that nothing is found that was shown. A thing of five pictures is taught
with four of them, each left out in turn, and with three; one of more pictures with five, chosen at random. `--groups`
adds kinds of things, each with the pictures of several, where the names are those of ImageNet's detection challenge;
`tests.benchmarks.stamps` makes kinds.jsonl of drawings.

`--fit` tries ridges and weights of the words on every other thing, sorted by name, and prints the gain of both over the
words alone, that where the words fail, and the number of things that lose more than 0.02; without it, the others are
measured with those of `scoring.concepts`. Relevance is counted at the default cut-off: the share of the pictures to be
found that reach it, and the share of those that reach it that are right. `--pictures N` times a round of N random
pictures: the examples change, the concept is learnt again, and the index is searched.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

from clipsearch import read_caption_pairs
from clipsearch.encoders.bank import load_bank
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.embed_image import embed_pictures
from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.prompts import encode_labels
from clipsearch.indexes.flat import FaissIndex
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.concepts import RIDGE, WORDS_EXAMPLES, ConceptExamples, WeakNegatives, learn_concept
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.settings import STARTER
from clipsearch.types import ModelOptions
from clipsearch.vectors import normalise
from tests.benchmarks.measuring import note, print_table
from tests.benchmarks.relevance import background_of

Rows = NDArray[np.float32]

# Below this average precision of the words alone, examples matter most.
WORDS_FAIL = 0.4
REPEATS = 5

# Kinds of things among the labelled photographs, for more than five pictures of each.
GROUPS = {
    "fruit": "apple strawberry orange lemon fig pineapple banana pomegranate",
    "stringed instrument": "banjo cello guitar harp violin",
    "wind instrument": "trumpet flute french_horn oboe saxophone trombone harmonica",
    "ball": "baseball basketball croquet_ball golf_ball ping-pong_ball rugby_ball soccer_ball tennis_ball volleyball",
    "insect": "ladybug bee ant dragonfly butterfly",
    "reptile": "turtle lizard snake",
    "wild cat": "lion tiger",
    "farm animal": "horse swine cattle sheep",
    "sea animal": "ray jellyfish lobster whale seal starfish goldfish",
    "vehicle with wheels": "bus car motorcycle bicycle train golfcart cart snowplow",
    "fast food": "hamburger hotdog pizza burrito bagel pretzel",
    "vegetable": "head_cabbage cucumber artichoke bell_pepper mushroom",
    "furniture": "baby_bed bench bookshelf chair filing_cabinet sofa table",
    "kitchen appliance": "coffee_maker dishwasher microwave refrigerator stove toaster waffle_iron washer",
    "cosmetics": "face_powder hair_spray lipstick perfume",
    "tool": "axe chain_saw hammer power_drill screwdriver nail",
    "computer equipment": "computer_keyboard laptop computer_mouse printer tv_or_monitor",
    "swimwear": "bathing_cap maillot swimming_trunks brassiere",
    "hat": "bathing_cap hat_with_a_wide_brim helmet",
    "gymnastics": "balance_beam horizontal_bar dumbbell",
    "winter sports": "ski snowmobile snowplow puck",
    "bear": "bear giant_panda koala_bear",
    "rodent": "rabbit hamster porcupine squirrel",
    "kitchen utensil": "ladle spatula strainer frying_pan can_opener corkscrew bowl",
    "drink": "wine_bottle water_bottle cup_or_mug pitcher cocktail_shaker milk_can",
    "stationery": "binder pencil_box pencil_sharpener rubber_eraser ruler",
    "african animal": "zebra hippopotamus elephant antelope lion camel",
    "medical equipment": "stethoscope syringe stretcher crutch neck_brace band_aid",
}


@dataclass(frozen=True)
class Things:
    """Pictures (n, dim), and the rows of each thing.

    Attributes:
        queries, labels: embeddings (dim,) of the names, as a query and as words of a concept.
    """

    name: str
    pictures: Rows
    rows: dict[str, NDArray[np.int64]]
    queries: dict[str, Rows]
    labels: dict[str, Rows]

    def half(self, first: int) -> "Things":
        """Return every other thing, sorted by name; all pictures stay."""
        rows = {name: self.rows[name] for name in sorted(self.rows)[first::2]}
        return Things(self.name, self.pictures, rows, self.queries, self.labels)


def load(path: Path, encoder: Encoder, *, groups: bool) -> list[Things]:
    pairs = read_caption_pairs(path).pairs
    images = list(dict.fromkeys(pair.image for pair in pairs))
    parts = [embed_pictures(images[first : first + 50], encoder=encoder) for first in range(0, len(images), 50)]
    row_of = {image: row for row, image in enumerate(images)}
    rows: dict[str, list[int]] = {}
    for pair in pairs:
        rows.setdefault(pair.caption, []).append(row_of[pair.image])
    sets = [(f"{path.parent.name}/{path.name}", rows)]
    if groups:
        named = {
            kind: [row for thing in things.split() for row in rows.get(thing.replace("_", " "), ())]
            for kind, things in GROUPS.items()
        }
        found = {kind: found for kind, found in named.items() if found}
        sets += [("kinds of things", found)] if found else []
    return [
        Things(
            name,
            np.concatenate(parts),
            {thing: np.array(found) for thing, found in things.items()},
            dict(zip(things, encoder.encode_texts(list(things)), strict=True)),
            dict(zip(things, encode_labels(list(things), encoder), strict=True)),
        )
        for name, things in sets
    ]


def average_precision(scores: Rows, is_right: NDArray[np.bool_]) -> float:
    in_order = is_right[np.argsort(-scores, kind="stable")]
    places = np.flatnonzero(in_order) + 1
    return float((np.arange(1, len(places) + 1) / places).mean())


def choices(rows: NDArray[np.int64], count: int, *, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield examples of one thing; none when too few pictures would be left to find."""
    rng = np.random.default_rng(seed)
    if len(rows) == count + 1:
        yield from (np.delete(rows, place) for place in range(len(rows)))
    elif len(rows) > count:
        yield from (rng.choice(rows, count, replace=False) for _ in range(REPEATS))


@dataclass(frozen=True)
class Measured:
    """Average precision of each thing, and relevances at the cut-off of all: (found, to be found, shown)."""

    words: NDArray[np.float64]
    examples: NDArray[np.float64]
    both: NDArray[np.float64]
    by_words: tuple[int, int, int]
    by_both: tuple[int, int, int]


def measure(
    things: Things, count: int, bank: Bank, *, ridge: float = RIDGE, words_examples: float = WORDS_EXAMPLES
) -> Measured:
    background = background_of(things.pictures, bank)
    others = WeakNegatives.learn(background.sample, ridge=ridge)
    levels = background.levels_at(things.pictures)
    no_negatives = np.empty((0, things.pictures.shape[1]), dtype=np.float32)
    per_thing, counts = [], np.zeros((2, 3), dtype=np.int64)
    for number, (name, rows) in enumerate(sorted(things.rows.items())):
        is_one = np.zeros(len(things.pictures), dtype=np.bool_)
        is_one[rows] = True
        words = background.direction([things.queries[name]], [1.0], are_words=[True])
        found = []
        for chosen in choices(rows, count, seed=number):
            is_left = np.ones(len(things.pictures), dtype=np.bool_)
            is_left[chosen] = False
            positives, left, right = things.pictures[chosen], things.pictures[is_left], is_one[is_left]
            familiarity = bank.familiarity_of(things.labels[name])
            alone = learn_concept(ConceptExamples(positives, no_negatives), others)
            both = learn_concept(
                ConceptExamples(positives, no_negatives, things.labels[name], familiarity),
                others,
                words_examples=words_examples,
            )
            assert alone is not None and both is not None
            direction = background.direction([both.embedding], [1.0], are_words=[False], levels=[both.level])
            found.append(
                [average_precision(left @ row, right) for row in (words.embedding, alone.embedding, both.embedding)]
            )
            for line, each in enumerate((words, direction)):
                is_shown = each.relevances(left @ each.embedding, levels[is_left]) >= DEFAULT_CUTOFF
                counts[line] += ((is_shown & right).sum(), right.sum(), is_shown.sum())
        if found:
            per_thing.append(np.mean(found, axis=0))
    words_ap, examples_ap, both_ap = np.array(per_thing).T.reshape(3, -1)
    by_words, by_both = (tuple(int(value) for value in line) for line in counts)
    return Measured(words_ap, examples_ap, both_ap, by_words, by_both)  # type: ignore[arg-type]


def report(sets: Sequence[tuple[Things, int]], bank: Bank) -> None:
    lines = []
    for things, count in sets:
        found = measure(things, count, bank)
        if not len(found.words):
            continue
        gain = found.both - found.words
        fail = found.words < WORDS_FAIL
        lines.append(
            [
                things.name,
                str(count),
                str(len(gain)),
                f"{found.words.mean():.3f}",
                f"{found.examples.mean():.3f}",
                f"{found.both.mean():.3f}",
                f"{gain.mean():+.3f}",
                f"{gain[fail].mean():+.3f} ({fail.sum()})" if fail.any() else "-",
                f"{gain.min():+.3f}",
                str(int((gain < -0.02).sum())),
                *(
                    f"{right / wanted:.2f} / {right / max(shown, 1):.2f}"
                    for right, wanted, shown in (found.by_words, found.by_both)
                ),
            ]
        )
    print_table(
        (
            "pictures",
            "examples",
            "things",
            "words",
            "examples alone",
            "both",
            "gain",
            f"words < {WORDS_FAIL}",
            "least",
            "< -0.02",
            "recall / precision: words",
            "both",
        ),
        lines,
    )


def fit(sets: Sequence[tuple[Things, int]], bank: Bank) -> None:
    lines = []
    for ridge in (0.5, 1.0, 2.0):
        for words_examples in (3.0, 6.0, 9.0):
            cells = []
            for things, count in sets:
                found = measure(things, count, bank, ridge=ridge, words_examples=words_examples)
                gain = found.both - found.words
                fail, less = found.words < WORDS_FAIL, (gain < -0.02).sum()
                low = f"{gain[fail].mean():+.3f}" if fail.any() else "-"
                cells.append(f"{gain.mean():+.3f} {low} {less}" if len(gain) else "-")
            lines.append([f"{ridge}, {words_examples}", *cells])
    print_table(("ridge, words", *(f"{things.name}, {count}" for things, count in sets)), lines)


def time_rounds(count: int, dim: int) -> None:
    """Time what a change of the examples costs, without and with the search of an index."""
    rng = np.random.default_rng(0)
    index = FaissIndex(dim)
    for first in range(0, count, 100_000):
        ids = np.arange(first, min(first + 100_000, count)) + 1
        index.add(ids, normalise(rng.standard_normal((len(ids), dim), dtype=np.float32)))
    sample = index.sample(1_024)
    start = perf_counter()
    others = WeakNegatives.learn(sample)
    first_ms = 1000 * (perf_counter() - start)
    lines = []
    for examples in (3, 5, 20):
        positives, words = (normalise(rng.standard_normal((n, dim), dtype=np.float32)) for n in (examples, 1))
        wall, cpu = perf_counter(), process_time()
        for _ in range(20):
            found = learn_concept(ConceptExamples(positives, positives[:2], words[0]), others)
        learnt_ms, cpu_ms = 50 * (perf_counter() - wall), 50 * (process_time() - cpu)
        assert found is not None
        wall = perf_counter()
        for _ in range(5):
            index.search(found.embedding[np.newaxis], 50)
        lines.append([str(examples), f"{learnt_ms:.1f}", f"{cpu_ms:.1f}", f"{200 * (perf_counter() - wall):.1f}"])
    note(f"the weak negatives, once for a catalog: {first_ms:.0f} ms")
    print_table(("examples", "learning, ms", "of it CPU", "search, ms"), lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", metavar="LABELS.jsonl")
    parser.add_argument("--fit", action="store_true", help="choose the constants, on the other half of the things")
    parser.add_argument("--all", action="store_true", help="measure all things, not half of them")
    parser.add_argument("--groups", action="store_true", help="add kinds of things")
    parser.add_argument("--pictures", type=int, metavar="N", help="time a round")
    parser.add_argument("--model", default=STARTER)
    chosen = parser.parse_args()
    encoder = load_encoder(ModelOptions(chosen.model, show_progress=True))
    if chosen.pictures:
        time_rounds(chosen.pictures, encoder.dim)
    bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
    sets = []
    for path in chosen.files:
        note(f"embedding {path}")
        for whole in load(path, encoder, groups=chosen.groups):
            things = whole if chosen.all else whole.half(0 if chosen.fit else 1)
            most = max(len(rows) for rows in things.rows.values())
            sets += [(things, count) for count in ((1, 3, 4) if most == 5 else (1, 3, 5, 10))]
    if sets:
        (fit if chosen.fit else report)(sets, bank)


if __name__ == "__main__":
    main()
