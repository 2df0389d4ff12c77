"""Hubs and templates, both ways: python -m tests.benchmarks.labels [CAPTIONS.jsonl ...]

Recall@1, @5 and @10 of pictures by their captions and of captions by their pictures: with the cosine alone; with what a
text or picture scores on average taken off ("mean"); by cross-domain similarity local scaling ("CSLS", 10 neighbours);
and as `labelling` does it. Each of them with captions as they are, and put into templates. Captions by their pictures
once more where the catalog has no other pictures than those with the same caption, as that of somebody who takes
pictures of one thing. `--among NAME` adds the labels of a set to the captions. Without arguments: the sample pictures.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch import CaptionPair, read_caption_pairs
from clipsearch.encoders.bank import Bank, load_bank
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.labels import TEMPLATES
from clipsearch.encoders.load import load_encoder
from clipsearch.errors import ImageReadError
from clipsearch.label_sets import BUILT_IN, built_in_labels
from clipsearch.labelling import learn_labels
from clipsearch.query_pictures import embed_pictures
from clipsearch.settings import sample_data_folder
from clipsearch.vectors import normalise

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


def report(name: str, pairs: list[CaptionPair], others: list[str], encoder: Encoder) -> None:
    readable = {}
    for path in dict.fromkeys(pair.image for pair in pairs):
        try:
            readable[path] = embed_pictures([path], encoder=encoder)[0]
        except ImageReadError as error:
            print(error)
    pairs = [pair for pair in pairs if pair.image in readable]
    paths, captions = list(readable), list(dict.fromkeys(pair.caption for pair in pairs))
    images = np.stack(list(readable.values()))
    is_right = np.zeros((len(captions), len(paths)), dtype=np.bool_)
    for pair in pairs:
        is_right[captions.index(pair.caption), paths.index(pair.image)] = True
    bank = load_bank(fingerprint=encoder.fingerprint, dim=encoder.dim, load_encoder=lambda: encoder)
    candidates = captions + [label for label in others if label not in captions]
    counts = is_right.sum(axis=1)
    is_right = np.pad(is_right, ((0, len(candidates) - len(captions)), (0, 0)))
    print(f"\n{name}: {len(paths)} pictures, {len(captions)} captions among {len(candidates)}; recall@1 @5 @10")
    print(f"{'captions':14} {'scores':10} {'text → image':20} {'image → text':20} {'of one thing':20}")
    scorings = {"cosine": by_cosine, "mean": less_mean, "CSLS": by_csls, "labelling": by_labelling(bank)}
    for name_of_forms, templates in FORMS.items():
        # Of all captions, long ones too.
        filled = [encoder.encode_texts([form.format(caption) for caption in candidates]) for form in templates]
        texts = normalise(np.mean(filled, axis=0))
        for scoring, score in scorings.items():
            forward = "" if scoring == "labelling" or others else recalls(score(texts, images, bank), is_right)
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
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    others = built_in_labels(options.among) if options.among else []
    for path in options.captions:
        report(f"{path.parent.name}/{path.name}", list(read_caption_pairs(path).pairs), others, encoder)


if __name__ == "__main__":
    main()
