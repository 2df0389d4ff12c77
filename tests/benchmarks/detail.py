"""Whether crops find small things: python -m tests.benchmarks.detail CAPTIONS.jsonl [--pages 200]

Pictures with a caption each are put together by fours, at random, as pages of 1024 × 1024 pixels, and each caption is
looked for among the pages, then among the pictures themselves: recall@1, 5 and 10 (a picture with the same caption is
right too; of a page one of its four) and pictures encoded, without --detail and with it. Both in one run, with the same
pages.
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image

from clipsearch import Catalog
from clipsearch.captions.pairs import read_caption_pairs
from clipsearch.images.decode import decode_image
from clipsearch.query import Query, Term
from clipsearch.types import ModelOptions
from tests.benchmarks.measuring import note, print_table

CELL = 512
DEPTHS = (1, 5, 10)


def make_pages(pairs: list[tuple[str, str]], folder: Path, count: int, seed: int) -> dict[str, set[str]]:
    """Write pages of four pictures; return the captions of each by path."""
    order = np.random.default_rng(seed).permutation(len(pairs))[: 4 * count].reshape(-1, 4)
    captions: dict[str, set[str]] = {}
    for number, chosen in enumerate(order.tolist()):
        page = Image.new("RGB", (2 * CELL, 2 * CELL), "white")
        for place, row in enumerate(chosen):
            image = decode_image(Path(pairs[row][0])).image
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            square = image.resize((CELL, CELL), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
            page.paste(square, (CELL * (place % 2), CELL * (place // 2)))
        path = folder / f"{number:04}.jpg"
        page.save(path, quality=92)
        captions[str(path)] = {pairs[row][1] for row in chosen}
    return captions


def recalls(catalog: Catalog, captions: dict[str, set[str]], template: str) -> list[float]:
    """Return the share of captions that one of the first hits has, at each depth; each caption once."""
    found = []
    for caption in sorted(set().union(*captions.values())):
        query = Query(((Term("words", template.format(caption)),),))
        hits = catalog.search(query, top_k=max(DEPTHS), written=False)
        is_right = [any(caption in captions[path] for path in (hit.path, *hit.copies)) for hit in hits]
        found.append([any(is_right[:depth]) for depth in DEPTHS])
    return np.mean(found, axis=0).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", type=Path)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--template", default="{}", help='around a caption: "a photo of a {}"')
    parser.add_argument("--model", default="starter")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    pairs = [(str(pair.image.resolve()), pair.caption) for pair in read_caption_pairs(arguments.captions).pairs]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "pages").mkdir()
        sets = {"pages of four": make_pages(pairs, folder / "pages", arguments.pages, arguments.seed)}
        sets["pictures"] = {}
        for image, caption in pairs:
            sets["pictures"].setdefault(image, set()).add(caption)
        rows = []
        for name, captions in sets.items():
            for detail in (False, True):
                options = ModelOptions(arguments.model)
                place = folder / f"{len(rows)}.catalog"
                with Catalog.open(place, model=options.name, create=True) as catalog:
                    start = perf_counter()
                    catalog.index(*sorted({str(Path(path).parent) for path in captions}), detail=detail)
                    seconds = perf_counter() - start
                    note(f"{name}, detail {detail}: indexed in {seconds:.0f} s")
                    known = {path: captions.get(path, set()) for path in _paths(catalog)}
                    found = recalls(catalog, known, arguments.template)
                rows.append((name, "yes" if detail else "no", *(f"{each:.3f}" for each in found), f"{seconds:.0f} s"))
        print_table(("", "--detail", *(f"recall@{depth}" for depth in DEPTHS), "indexed in"), rows)


def _paths(catalog: Catalog) -> list[str]:
    return [file.path for file in catalog._session.store.reader.files_below()]


if __name__ == "__main__":
    main()
