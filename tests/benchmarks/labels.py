"""Hubs and templates, both ways: python -m tests.benchmarks.labels [CAPTIONS.jsonl ...]

Recall@1, @5 and @10 of pictures by their captions and of captions by their pictures: with the cosine alone; with what a
text or picture scores on average taken off ("mean"); by cross-domain similarity local scaling ("CSLS", 10 neighbours);
and as `labelling` does it. Each of them with captions as they are, and put into templates. Captions by their pictures
once more where the catalog has no other pictures than those with the same caption, as that of somebody who takes
pictures of one thing. `--among NAME` adds the labels of a set to the captions. Without arguments: the sample pictures.

Then what relevance is worth, at the default cut-off: that of captions as labels; and that of the five nearest where
they are stored captions, as `caption` does it and with a `LabelSpace` of all of them. `--odd` and `--even` take every
other caption, sorted; `--relevance` leaves the recalls out.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch import read_caption_pairs
from clipsearch.data import BUILT_IN, built_in_labels
from clipsearch.encoders.bank import load_bank
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.embed_image import embed_pictures
from clipsearch.encoders.load import load_encoder
from clipsearch.encoders.prompts import TEMPLATES, encode_labels
from clipsearch.errors import ImageReadError
from clipsearch.evaluation.calibration import calibration_error
from clipsearch.paths import sample_data_folder
from clipsearch.scoring.bank import Bank
from clipsearch.scoring.labels import learn_labels
from clipsearch.scoring.relevance import DEFAULT_CUTOFF
from clipsearch.vectors import normalise
from tests.benchmarks.relevance import relevances, reliability

NEIGHBOURS = 10

# The last: "a subset of 7 templates" that does as well as 80. Source: openai/CLIP,
# notebooks/Prompt_Engineering_for_ImageNet.ipynb.
FORMS: dict[str, tuple[str, ...]] = {
    "as they are": ("{}",),
    "a photo of a": ("a photo of a {}",),
    "both of these": TEMPLATES,
    "CLIP's seven": (
        "itap of a {}.",
        "a bad photo of the {}.",
        "a origami {}.",
        "a photo of the large {}.",
        "a {} in a video game.",
        "art of the {}.",
        "a photo of the small {}.",
    ),
}

Rows = NDArray[np.float32]
# Embeddings of queries, candidates, and of what stands for the queries' kind → scores (queries, candidates).
Scoring = Callable[[Rows, Rows, Rows], Rows]


def by_cosine(queries: Rows, candidates: Rows, background: Rows) -> Rows:
    return queries @ candidates.T


def less_mean(queries: Rows, candidates: Rows, background: Rows) -> Rows:
    return queries @ candidates.T - (background @ candidates.T).mean(axis=0)


def by_csls(queries: Rows, candidates: Rows, background: Rows) -> Rows:
    """Source: Conneau et al., "Word translation without parallel data", ICLR 2018, equation 6."""
    near = np.sort(background @ candidates.T, axis=0)[-NEIGHBOURS:].mean(axis=0)
    return 2 * queries @ candidates.T - near


def by_labelling(bank: Bank) -> Scoring:
    def score(queries: Rows, candidates: Rows, background: Rows) -> Rows:
        return learn_labels([""] * len(candidates), candidates, bank=bank, pictures=background).scores(queries)

    return score


def recalls(scores: Rows, is_right: NDArray[np.bool_]) -> str:
    in_order = np.take_along_axis(is_right, np.argsort(-scores, axis=1, kind="stable"), axis=1)
    ranks = in_order.argmax(axis=1) + 1
    return " ".join(f"{(ranks <= top_k).mean():.3f}" for top_k in (1, 5, 10))


@dataclass(frozen=True)
class Captioned:
    """Pictures (p, dim), captions, and which of them are right (captions, pictures)."""

    name: str
    pictures: Rows
    captions: list[str]
    is_right: NDArray[np.bool_]


def load(path: Path, encoder: Encoder, *, every_other: int | None = None) -> Captioned:
    pairs = read_caption_pairs(path).pairs
    captions = list(dict.fromkeys(pair.caption for pair in pairs))
    if every_other is not None:
        captions = sorted(captions)[every_other::2]
    readable = {}
    chosen = set(captions)
    for image in dict.fromkeys(pair.image for pair in pairs if pair.caption in chosen):
        try:
            readable[image] = embed_pictures([image], encoder=encoder)[0]
        except ImageReadError as error:
            print(error)
    rows, columns = {text: row for row, text in enumerate(captions)}, {image: row for row, image in enumerate(readable)}
    is_right = np.zeros((len(captions), len(readable)), dtype=np.bool_)
    for pair in pairs:
        if pair.caption in rows and pair.image in columns:
            is_right[rows[pair.caption], columns[pair.image]] = True
    return Captioned(f"{path.parent.name}/{path.name}", np.stack(list(readable.values())), captions, is_right)


def report_relevance(data: Captioned, others: list[str], encoder: Encoder, bank: Bank) -> None:
    """Of labels all, of stored captions the five nearest."""
    candidates = data.captions + [label for label in others if label not in set(data.captions)]
    is_right = np.pad(data.is_right, ((0, len(candidates) - len(data.captions)), (0, 0))).T
    labels, texts = encode_labels(candidates, encoder), encoder.encode_texts(candidates)
    print(f"\n{data.name}: {len(data.pictures):,} pictures, {len(data.captions)} captions among {len(candidates)}")
    print(f"{'':34} top 1  top 5  precision recall  F1     error of what is claimed")
    as_labels = learn_labels(candidates, labels, bank=bank, pictures=data.pictures).relevances(data.pictures)
    report_line("labels", as_labels, as_labels, is_right)
    cosines = data.pictures @ texts.T
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :5]
    of_space = learn_labels(candidates, texts, bank=bank, pictures=data.pictures).relevances(data.pictures)
    for name, found in (
        ("captions, each as a query", relevances(texts, data.pictures, bank).T),
        ("captions, as labels", of_space),
    ):
        shown = np.zeros_like(found)
        np.put_along_axis(shown, nearest, np.take_along_axis(found, nearest, axis=1), axis=1)
        report_line(name, cosines, shown, is_right)


def report_line(
    name: str, order: NDArray[np.floating], found: NDArray[np.float64], is_right: NDArray[np.bool_]
) -> None:
    """order, found, is_right: (pictures, captions)."""
    in_order = np.take_along_axis(is_right, np.argsort(-order, axis=1, kind="stable"), axis=1)
    kept = found >= DEFAULT_CUTOFF
    right = (kept & is_right).sum()
    precision, recall = right / max(1, kept.sum()), right / is_right.sum()
    f1 = 2 * right / max(1, kept.sum() + is_right.sum())
    print(
        f"{name:34} {in_order[:, 0].mean():.3f}  {in_order[:, :5].any(axis=1).mean():.3f}  {precision:.2f}      "
        f"{recall:.2f}    {f1:.3f}  {calibration_error(reliability(found, is_right)):.3f}"
    )


def report(data: Captioned, others: list[str], encoder: Encoder, bank: Bank) -> None:
    images, captions, is_right = data.pictures, data.captions, data.is_right
    candidates = captions + [label for label in others if label not in captions]
    counts = is_right.sum(axis=1)
    is_right = np.pad(is_right, ((0, len(candidates) - len(captions)), (0, 0)))
    print(f"\n{data.name}: {len(images)} pictures, {len(captions)} captions among {len(candidates)}; recall@1 @5 @10")
    print(f"{'captions':14} {'scores':10} {'text → image':20} {'image → text':20} {'of one thing':20}")
    scorings = {"cosine": by_cosine, "mean": less_mean, "CSLS": by_csls, "labelling": by_labelling(bank)}
    for name_of_forms, templates in FORMS.items():
        # Of all captions, long ones too.
        filled = [encoder.encode_texts([form.format(caption) for caption in candidates]) for form in templates]
        texts = normalise(np.mean(filled, axis=0))
        for scoring, score in scorings.items():
            forward = (
                "" if scoring == "labelling" or others else recalls(score(texts, images, bank.embeddings), is_right)
            )
            back = recalls(score(images, texts, images), is_right.T)
            like = ""
            if counts.min() > 1:
                alone = [(images[row], row) for row in is_right[: len(captions)]]
                like = recalls(
                    np.concatenate([score(some, texts, some) for some, _ in alone]),
                    np.concatenate([is_right.T[row] for _, row in alone]),
                )
            print(f"{name_of_forms:14} {scoring:10} {forward:20} {back:20} {like:20}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", nargs="*", type=Path, default=[sample_data_folder() / "captions.jsonl"])
    parser.add_argument("--model", default="starter")
    parser.add_argument("--among", choices=BUILT_IN)
    half = parser.add_mutually_exclusive_group()
    half.add_argument("--even", dest="every_other", action="store_const", const=0)
    half.add_argument("--odd", dest="every_other", action="store_const", const=1)
    parser.add_argument("--relevance", action="store_true")
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
    others = built_in_labels(options.among) if options.among else []
    for path in options.captions:
        data = load(path, encoder, every_other=options.every_other)
        if not options.relevance:
            report(data, others, encoder, bank)
        report_relevance(data, others, encoder, bank)


if __name__ == "__main__":
    main()
