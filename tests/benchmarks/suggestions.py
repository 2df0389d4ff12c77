"""Suggestions: python -m tests.benchmarks.suggestions [--catalog DIR] [--rows 100000]

"Did you mean" on words that `tests/search/test_suggestions.py` does not have: how many of 20 typing errors are mended
to the word that was meant, and how many of 60 odd words and brands are left alone. "Narrow by" and "related" on the
sample pictures or a catalog, for the queries below: what is suggested, the hits that a label is said to fit and those
that `QUERY & label` has, and whether each related query has one. `--rows` makes a catalog of that size around
those; the times are CPU times of a search of 100 hits, and of the suggestions, which begin with one.
"""

import argparse
import os
import shutil
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np

from clipsearch import Catalog
from clipsearch.paths import sample_data_folder
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from tests.benchmarks import material
from tests.benchmarks.measuring import note, print_table, workplace

ERRORS = (
    "camrea camera, lapotp laptop, kangroo kangaroo, suitcse suitcase, helicoptr helicopter, keybaord keyboard, "
    "toothbursh toothbrush, sandwhich sandwich, strawbery strawberry, watermelom watermelon, raccon raccoon, "
    "microwvae microwave, scisors scissors, refridgerator refrigerator, dolhpin dolphin, teapott teapot, "
    "snowbaord snowboard, cucmber cucumber, hamburgre hamburger, parott parrot"
)
ODD = (
    "nokia sony canon leitz zeiss ikarus vespa ducati tesla škoda lidl zara chanel gucci hermes kodak polaroid dyson "
    "spotify netflix twitch reddit ubuntu debian bonsai ikebana origami sashimi okonomiyaki pierogi borscht poutine "
    "churros tzatziki gnocchi focaccia chihuahua dachshund akita basenji schnauzer axolotl numbat quoll dugong serval "
    "oslo porto lviv tbilisi quito cusco bruges ghent tromsø banksy hokusai vermeer dali klimt"
)
QUERIES = (
    "an animal",
    "a dog",
    "food",
    "fruit",
    "a vehicle",
    "a house",
    "people",
    "something sweet",
    "a tool",
    "sports",
)


def did_you_mean(catalog: Catalog) -> None:
    pairs = [pair.split() for pair in ERRORS.split(", ")]
    wrong = [(typed, catalog.suggest(typed)) for typed, meant in pairs if catalog.suggest(typed) != meant]
    changed = [(word, found) for word in ODD.split() if (found := catalog.suggest(word)) is not None]
    print_table(
        ["did you mean", "words", "right", "others"],
        [
            ["typing errors mended", str(len(pairs)), str(len(pairs) - len(wrong)), str(wrong)],
            ["odd words left alone", str(len(ODD.split())), str(len(ODD.split()) - len(changed)), str(changed)],
        ],
    )


def narrowing(catalog: Catalog) -> None:
    rows = []
    for query in QUERIES:
        found = catalog.suggestions(query)
        said = sum(each.count for each in found.narrow)
        hits = [catalog.search(each.query, top_k=100, min_relevance=DEFAULT_CUTOFF) for each in found.narrow]
        labels = ", ".join(
            f"{each.label} {each.count} ({len(its)})" for each, its in zip(found.narrow, hits, strict=True)
        )
        present = sum(bool(catalog.search(each, top_k=8, min_relevance=DEFAULT_CUTOFF)) for each in found.related)
        rows.append(
            [
                query,
                labels,
                f"{said} ({sum(map(len, hits))})",
                ", ".join(found.related),
                f"{present}/{len(found.related)}",
            ]
        )
    print_table(["query", "narrow by, its count (hits)", "sum", "related", "have hits"], rows)


def speed(catalog: Catalog) -> None:
    for query in QUERIES:
        catalog.suggestions(query)
    searches, suggestions = [], []
    for query in QUERIES * 3:
        start = process_time()
        catalog.search(query, top_k=100, min_relevance=DEFAULT_CUTOFF)
        middle = process_time()
        catalog.suggestions(query)
        searches.append(middle - start)
        suggestions.append(process_time() - middle)
    search, both = 1000 * median(searches), 1000 * median(suggestions)
    pictures = catalog.admin.status().pictures
    print(f"{pictures:,} pictures: search {search:.1f} ms, with suggestions {both:.1f} ms: {both - search:.1f} ms more")


def grow(place: Path, catalog: Catalog, rows: int) -> Path:
    """Make a catalog of this many pictures around those of another one."""
    ids = [hit.content_id for hit in catalog.search("a photo", top_k=100_000)]
    material.tree(place / "pictures", rows)
    around = np.stack([catalog.pictures.embedding(number) for number in ids])
    material.catalog(place / "catalog", place / "pictures", encoder=catalog.encoder, around=around)
    material.write_image_snapshot(place / "catalog")
    return place / "catalog"


def main() -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        if os.environ.get(name) != "1":
            note(f"{name}=1 keeps the times of threads that wait out of the figures")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", type=Path)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--folder", type=Path, help="keep catalogs and caches there")
    options = parser.parse_args()
    with workplace(options.folder) as place:
        directory = place / "samples.catalog"
        if options.catalog is not None:
            shutil.copytree(options.catalog, directory, dirs_exist_ok=True)
        with Catalog.open(directory, model="starter", create=True) as catalog:
            if options.catalog is None:
                catalog.index(sample_data_folder())
            did_you_mean(catalog)
            narrowing(catalog)
            speed(catalog)
            if options.rows:
                with Catalog.open(grow(place / f"rows-{options.rows}", catalog, options.rows)) as many:
                    speed(many)


if __name__ == "__main__":
    main()
