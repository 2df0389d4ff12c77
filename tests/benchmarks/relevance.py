"""What relevance is worth: python -m tests.benchmarks.relevance [CAPTIONS.jsonl ...]

Half of the pictures are taken away, whole folders of them where there are many, and all captions are asked: half of
them have no answer. Without arguments: the sample pictures. `--diagram FILE` draws how often hits of each relevance
are right.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from clipsearch import Catalog, read_caption_pairs, words_query
from clipsearch.relevance import DEFAULT_CUTOFF
from clipsearch.settings import sample_data_folder

ROUNDS = 4
BINS = 10


def ask(pairs: list[tuple[Path, str]], *, seed: int, model: str) -> np.ndarray:
    """(n, 3): relevance of the first hit, whether it is right, whether the caption has an answer."""
    rng = np.random.default_rng(seed)
    places = [str(path.parent) for path, _ in pairs]
    # A duck is no answer to a drake: what is taken away has to be alike. Few pictures have nothing alike.
    units = places if len(pairs) > 200 else [str(path) for path, _ in pairs]
    names = sorted(set(units))
    hidden = {names[number] for number in rng.permutation(len(names))[: len(names) // 2]}
    shown = [pair for pair, unit in zip(pairs, units, strict=True) if unit not in hidden]
    right: dict[str, set[str]] = {}
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pictures"
        folder.mkdir()
        for number, (path, caption) in enumerate(shown):
            link = folder / f"{number}{path.suffix}"
            os.symlink(path.resolve(), link)
            right.setdefault(caption, set()).add(str(link))
        with Catalog.open(Path(scratch) / "catalog", model=model, create=True) as catalog:
            catalog.index(folder)
            for caption in dict.fromkeys(caption for _, caption in pairs):
                (hit,) = catalog.search(words_query(caption), top_k=1)
                answers = right.get(caption, set())
                rows.append((hit.relevance, bool(answers & {hit.path, *hit.copies}), bool(answers)))
    return np.array(rows, dtype=np.float64)


def report(name: str, rows: np.ndarray) -> None:
    relevance, is_right, has_answer = rows[:, 0], rows[:, 1] > 0, rows[:, 2] > 0
    print(f"\n{name}: {len(rows)} queries in {ROUNDS} rounds, {has_answer.mean():.0%} with an answer,", end=" ")
    print(f"first hit right for {is_right[has_answer].mean():.2f} of these")
    print("cut-off  first hits shown: right  have an answer   of right first hits: shown   no answer: none shown")
    for cutoff in (0.1, 0.2, DEFAULT_CUTOFF, 0.5, 0.7):
        kept = relevance >= cutoff
        print(
            f"{cutoff:7.1f} {is_right[kept].mean():24.2f} {has_answer[kept].mean():15.2f} "
            f"{kept[is_right].mean():27.2f} {(~kept)[~has_answer].mean():23.2f}"
        )


def reliability(rows: np.ndarray) -> list[tuple[float, float, int]]:
    """(mean relevance, share right, number) of each tenth that has at least 10 hits."""
    place = np.minimum((rows[:, 0] * BINS).astype(int), BINS - 1)
    chosen = [rows[place == number] for number in range(BINS)]
    return [(float(part[:, 0].mean()), float(part[:, 1].mean()), len(part)) for part in chosen if len(part) >= 10]


def draw(lines: dict[str, list[tuple[float, float, int]]], file: Path) -> None:
    side, margin, scale = 420, 60, 2
    picture = Image.new("RGB", ((side + 2 * margin) * scale, (side + 2 * margin) * scale), "white")
    pen = ImageDraw.Draw(picture)

    def at(x: float, y: float) -> tuple[float, float]:
        return (margin + x * side) * scale, (margin + (1 - y) * side) * scale

    for tick in range(0, 11, 2):
        pen.line([at(tick / 10, 0), at(tick / 10, 1)], fill="#dddddd", width=scale)
        pen.line([at(0, tick / 10), at(1, tick / 10)], fill="#dddddd", width=scale)
        pen.text(at(tick / 10, -0.03), f"{tick / 10:.1f}", fill="#444444", anchor="mt", font_size=13 * scale)
        pen.text(at(-0.02, tick / 10), f"{tick / 10:.1f}", fill="#444444", anchor="rm", font_size=13 * scale)
    pen.line([at(0, 0), at(1, 1)], fill="#999999", width=scale)
    pen.text(at(0.5, -0.09), "relevance of the first hit", fill="black", anchor="mt", font_size=14 * scale)
    pen.text(at(0, 1.05), "share of these that is right", fill="black", anchor="lm", font_size=14 * scale)
    for (name, points), colour in zip(lines.items(), ("#1f6fb4", "#d2691e", "#2e8b57"), strict=False):
        pen.line([at(x, y) for x, y, _ in points], fill=colour, width=3 * scale)
        for x, y, number in points:
            left, top = at(x, y)
            size = (2 + number**0.5 / 4) * scale
            pen.ellipse((left - size, top - size, left + size, top + size), fill=colour)
        row = list(lines).index(name)
        pen.text(at(0.03, 0.96 - 0.05 * row), name, fill=colour, anchor="lm", font_size=14 * scale)
    picture.save(file, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", nargs="*", type=Path, default=[sample_data_folder() / "captions.jsonl"])
    parser.add_argument("--model", default="starter")
    parser.add_argument("--diagram", type=Path)
    options = parser.parse_args()
    lines = {}
    for captions in options.captions:
        pairs = [(pair.image, pair.caption) for pair in read_caption_pairs(captions).pairs]
        name = f"{captions.parent.name}, {len(pairs)} pictures"
        rows = np.concatenate([ask(pairs, seed=seed, model=options.model) for seed in range(ROUNDS)])
        report(name, rows)
        lines[name] = reliability(rows)
        for mean, share, number in lines[name]:
            print(f"relevance {mean:.2f}: {share:.2f} of {number} right")
    if options.diagram:
        draw(lines, options.diagram)


if __name__ == "__main__":
    main()
