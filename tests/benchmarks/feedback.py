"""Whether marking pictures helps: python -m tests.benchmarks.feedback LABELS.jsonl [LABELS.jsonl …]

Simulates a user: each name is a query; of the first ten pictures that are not marked yet, up to three right and three
wrong ones are marked, and the search is repeated with all marks, for three rounds. Residual collection: marked pictures
count for nothing, neither as right nor as wrong, so that a rule gains nothing by returning what it was shown; a name
whose right pictures are all marked leaves the mean. "before" is the ranking of the round before on the same pictures,
so that "drift" below 0 means that the last marks made it worse. Source: Chang, Cirillo and Razon, "Evaluation of
feedback retrieval using modified freezing, residual collection and test and control groups", in: Salton, "The SMART
retrieval system", 1971.

Rules: "words" has no marks; "terms" writes them into the query, as `+ 0.5:id:7 - 0.5:id:9`; "Rocchio" adds their means
with weights 1 and -0.25, the minus of any picture; "feedback" is that of `Catalog.search`. "error" is the calibration
error of the relevance on unmarked pictures.

`--even` (tuned on) and `--odd` (reported) take every other name, sorted; `--kinds` asks for the kinds of things among
the names (a musical instrument, fruit), which have more pictures each.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch import Catalog, Query, SearchHit, read_caption_pairs
from clipsearch.evaluation.calibration import Reliability, calibration_error
from clipsearch.query import Term
from tests.benchmarks.measuring import note, print_table, workplace

ROUNDS, SHOWN, MARKED = 3, 10, 3

KINDS = {
    "a musical instrument": "accordion banjo cello chime trumpet drum flute french_horn guitar harmonica harp maraca "
    "oboe piano saxophone trombone violin",
    "a ball": "baseball basketball croquet_ball golf_ball ping-pong_ball rugby_ball soccer_ball tennis_ball volleyball",
    "a vehicle": "airplane bicycle bus car cart golfcart motorcycle snowmobile snowplow train unicycle watercraft",
    "fruit": "apple strawberry orange lemon fig pineapple banana pomegranate",
    "an insect": "ladybug bee ant dragonfly butterfly",
    "clothes": "bathing_cap bow_tie brassiere diaper hat_with_a_wide_brim maillot miniskirt swimming_trunks tie",
    "furniture": "baby_bed bench bookshelf chair filing_cabinet sofa table",
    "a tool": "axe chain_saw hammer nail power_drill screwdriver can_opener corkscrew",
    "a wild animal": "fox lion tiger bear zebra hippopotamus antelope camel otter skunk armadillo monkey elephant "
    "red_panda giant_panda koala_bear",
    "a reptile": "turtle lizard snake",
    "vegetables": "head_cabbage cucumber artichoke bell_pepper mushroom",
    "fast food": "hamburger hotdog pizza burrito bagel pretzel",
    "an animal of the sea": "goldfish ray jellyfish lobster whale seal starfish",
    "a kitchen appliance": "coffee_maker dishwasher microwave refrigerator stove toaster waffle_iron",
    "cosmetics": "face_powder hair_spray lipstick perfume",
    "sports equipment": "balance_beam dumbbell horizontal_bar puck punching_bag racket ski",
    "electronics": "tv_or_monitor laptop computer_keyboard computer_mouse iPod printer remote_control tape_player "
    "digital_clock",
    "medical equipment": "band_aid crutch neck_brace stethoscope stretcher syringe",
    "a farm animal": "horse swine cattle sheep",
    "tableware": "bowl cup_or_mug ladle pitcher spatula strainer plate_rack frying_pan beaker",
}


@dataclass(frozen=True)
class Labelled:
    """A catalog, and which content ids are right for each name."""

    name: str
    catalog: Catalog
    right: dict[str, frozenset[int]]


# Catalog, name, wanted and unwanted ids → all pictures, best first.
Rule = Callable[[Catalog, str, Sequence[int], Sequence[int]], list[SearchHit]]


def by_terms(plus: Callable[[int], float], minus: Callable[[int], float]) -> Rule:
    """A rule that writes marks into the query, with the weight of each for their number."""

    def search(catalog: Catalog, name: str, more: Sequence[int], less: Sequence[int]) -> list[SearchHit]:
        wanted = [Term("id", str(number), plus(len(more))) for number in more]
        unwanted = [Term("id", str(number), -minus(len(less))) for number in less]
        return catalog.search(Query(((Term("words", name), *wanted, *unwanted),)), top_k=100_000, written=False)

    return search


def by_feedback(catalog: Catalog, name: str, more: Sequence[int], less: Sequence[int]) -> list[SearchHit]:
    return catalog.search(Query(((Term("words", name),),)), top_k=100_000, more=more, less=less, written=False)


RULES: dict[str, Rule] = {
    "words": lambda catalog, name, more, less: by_feedback(catalog, name, [], []),
    "terms": by_terms(lambda count: 0.5, lambda count: 0.5),
    "Rocchio": by_terms(lambda count: 1 / count, lambda count: 0.25 / count),
    "feedback": by_feedback,
}


def average_precision(ids: Sequence[int], right: frozenset[int]) -> float:
    ranks = np.flatnonzero([number in right for number in ids]) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).sum() / len(right))


@dataclass(frozen=True)
class Round:
    """Average precisions of one round on the pictures that are not marked, and relevances with what is right."""

    words: float
    before: float
    after: float
    relevances: NDArray[np.float64]
    is_right: NDArray[np.bool_]


def simulate(data: Labelled, name: str, rule: Rule) -> Iterator[Round]:
    """The rounds of one name, until all its pictures are marked."""
    right, more, less = data.right[name], list[int](), list[int]()
    words = before = by_feedback(data.catalog, name, [], [])
    for _ in range(ROUNDS):
        left = [hit.content_id for hit in before if hit.content_id not in {*more, *less}][:SHOWN]
        more += [number for number in left if number in right][:MARKED]
        less += [number for number in left if number not in right][:MARKED]
        after = rule(data.catalog, name, more, less)
        rest = right - {*more}
        if not rest:
            return
        kept = [[hit for hit in hits if hit.content_id not in {*more, *less}] for hits in (words, before, after)]
        precisions = [average_precision([hit.content_id for hit in hits], rest) for hits in kept]
        is_right = np.array([hit.content_id in rest for hit in kept[2]])
        yield Round(*precisions, np.array([hit.relevance for hit in kept[2]]), is_right)
        before = after


def error_of(rounds: Sequence[Round]) -> float:
    reliability = Reliability()
    for each in rounds:
        reliability.add(each.relevances, each.is_right)
    return calibration_error(reliability.bins)


def report(data: Labelled, names: Sequence[str], rules: Sequence[str]) -> None:
    print(f"\n{data.name}: {len(names)} names\n")
    rows = []
    for label in rules:
        rule = RULES[label]
        note(f"{data.name}: {label}")
        runs = [list(simulate(data, name, rule)) for name in names]
        for number in range(ROUNDS):
            rounds = [run[number] for run in runs if len(run) > number]
            if rounds:
                words, before, after = np.mean([(each.words, each.before, each.after) for each in rounds], axis=0)
                cells = [f"{value:.3f}" for value in (words, before, after)]
                error = f"{error_of(rounds):.3f}"
                rows.append([f"{label}, round {number + 1}", str(len(rounds)), *cells, f"{after - before:+.3f}", error])
    print_table(["mean average precision", "names", "words", "before", "after", "drift", "error"], rows)


def load(labels: Path, place: Path, model: str, *, are_kinds: bool) -> Labelled:
    """Index the pictures of a file of labels in a catalog of their own."""
    pairs = read_caption_pairs(labels).pairs
    kind_of = {name.replace("_", " "): kind for kind, names in KINDS.items() for name in names.split()}
    catalog = Catalog.open(place / f"{labels.parent.name}-{labels.stem}.catalog", model=model, create=True)
    catalog.index(*sorted({str(pair.image.parent) for pair in pairs}))
    ids = {path: hit.content_id for hit in catalog.search(Query(), top_k=1_000_000) for path in (hit.path, *hit.copies)}
    right: dict[str, set[int]] = defaultdict(set)
    for pair in pairs:
        name = kind_of.get(pair.caption) if are_kinds else pair.caption
        if name is not None and str(pair.image.resolve()) in ids:
            right[name].add(ids[str(pair.image.resolve())])
    name = f"{labels.parent.name}/{labels.stem}" + (", kinds" if are_kinds else "")
    return Labelled(name, catalog, {name: frozenset(its) for name, its in right.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", nargs="+", type=Path)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--folder", type=Path, help="keep catalogs and caches there")
    parser.add_argument("--kinds", action="store_true")
    parser.add_argument("--rule", action="append", choices=RULES, help="only this one; may be repeated")
    half = parser.add_mutually_exclusive_group()
    half.add_argument("--even", dest="first", action="store_const", const=0)
    half.add_argument("--odd", dest="first", action="store_const", const=1)
    options = parser.parse_args()
    with workplace(options.folder) as place:
        for labels in options.labels:
            data = load(labels, place, options.model, are_kinds=options.kinds)
            with data.catalog:
                names = sorted(data.right)
                names = names if options.first is None else names[options.first :: 2]
                report(data, names, options.rule or list(RULES))


if __name__ == "__main__":
    main()
