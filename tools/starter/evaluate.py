"""Scores an exported model folder on the held-out sets.

Example:
    python tools/starter/evaluate.py clipsearch/encoders/starter DATA --only flickr8k-test coco-283
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from inference import Floats, StarterModel
from manifest import CALTECH_NAMES, caltech_number, coco128_items, fill, flickr_captions, table
from numpy.typing import NDArray
from pictures import Resize, preprocess
from PIL import Image

Result = dict[str, Any] | list[float] | float
# A label's embedding is the mean over these.
PROMPTS = ("a photo of {a}", "{}", "a close-up of {a}", "a picture of the {}")


def recalls(ranks: NDArray[np.int64], top_ks: Sequence[int] = (1, 5, 10)) -> list[float]:
    """recall@k in per cent of ranks that count from 0."""
    return [round(100 * float((ranks < top_k).mean()), 1) for top_k in top_ks]


def retrieval(images: Floats, texts: Floats, truth: NDArray[np.int64]) -> dict[str, Any]:
    """Recalls both ways (picture → text: best of a picture's texts) and score ranges; truth[j] = picture of text j."""
    scores = texts @ images.T
    each = np.arange(len(truth))
    matching = scores[each, truth]
    own = np.zeros(scores.T.shape, bool)
    own[truth, each] = True
    by_picture = scores.T
    best_own = np.where(own, by_picture, -9).max(1)
    return {
        "text to image": recalls((scores > matching[:, None]).sum(1)),
        "image to text": recalls((by_picture > best_own[:, None]).sum(1)),
        "matching": round(float(matching.mean()), 3),
        "mean": round(float(scores.mean()), 3),
        "std": round(float(scores.std()), 3),
    }


def classification(images: Floats, classes: Floats, truth: NDArray[np.int64]) -> list[float]:
    """Top-1 and top-5 accuracy in per cent."""
    scores = images @ classes.T
    ranks = (scores > scores[np.arange(len(truth)), truth][:, None]).sum(1)
    return recalls(ranks, (1, 5))


def mean_average_precision(scores: Floats, relevant: NDArray[np.bool_]) -> float:
    """In per cent; both are (texts, pictures)."""
    precisions = []
    for row, wanted in zip(scores, relevant, strict=True):
        hits = wanted[np.argsort(-row)].astype(float)
        precisions.append((hits * hits.cumsum() / np.arange(1, len(hits) + 1)).sum() / hits.sum())
    return round(100 * float(np.mean(precisions)), 1)


class Evaluation:
    """A model, the data folder, and one method a set."""

    def __init__(self, model: StarterModel, data: Path, resize: Resize | None = None) -> None:
        self.model, self.data = model, data
        self.size: int = model.spec["preprocess"]["size"]
        self.resize: Resize = resize or model.spec["preprocess"]["resize"]

    def embed_pictures(self, paths: Sequence[str]) -> Floats:
        def load(row: int) -> Floats:
            with Image.open(self.data / paths[row]) as picture:
                return preprocess(picture, self.size, self.resize)

        return self.model.encode_pictures(load, len(paths))

    def embed_labels(self, names: Sequence[str]) -> Floats:
        by_prompt = [self.model.encode_texts([fill(prompt, name) for name in names]) for prompt in PROMPTS]
        means: Floats = np.stack(by_prompt).mean(0)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        return means

    def captions(self, captions: dict[str, list[str]]) -> Result:
        paths = sorted(captions)
        truth = np.array([number for number, path in enumerate(paths) for _ in captions[path]])
        texts = [text for path in paths for text in captions[path]]
        return retrieval(self.embed_pictures(paths), self.model.encode_texts(texts), truth)

    def flickr_dev(self) -> Result:
        return self.captions(flickr_captions(self.data, "dev"))

    def flickr_test(self) -> Result:
        return self.captions(flickr_captions(self.data, "test"))

    def coco(self) -> Result:
        captions: dict[str, list[str]] = {}
        for row in table(self.data / "coco-283/captions.tsv"):
            captions.setdefault("coco-283/" + row["path"], []).append(row["caption"])
        return self.captions(captions)

    def imagenet(self) -> Result:
        names = json.loads((self.data / "imagenet-sample/class_names.json").read_text(encoding="utf-8"))
        rows = table(self.data / "imagenet-sample/labels.tsv")
        images = self.embed_pictures(["imagenet-sample/" + row["path"] for row in rows])
        return classification(images, self.embed_labels(names), np.array([int(row["class_index"]) for row in rows]))

    def labelled(self, folder: str, keep: Callable[[str], bool], names: dict[str, str]) -> Result:
        """A folder with labels.tsv; `names` says which labels are better put in other words."""
        rows = [row for row in table(self.data / folder / "labels.tsv") if keep(row["path"])]
        labels = sorted({row["label"] for row in rows})
        images = self.embed_pictures([f"{folder}/{row['path']}" for row in rows])
        classes = self.embed_labels([names.get(label, label) for label in labels])
        return classification(images, classes, np.array([labels.index(row["label"]) for row in rows]))

    def imagen(self) -> Result:
        return self.labelled("imagen-200", lambda path: True, {})

    def caltech_odd(self) -> Result:
        return self.labelled("caltech101", lambda path: caltech_number(path) % 2 == 1, CALTECH_NAMES)

    def caltech_even_sample(self) -> Result:
        return self.labelled("caltech101", lambda path: caltech_number(path) % 10 == 4, CALTECH_NAMES)

    def coco128(self) -> Result:
        scenes = [item for item in coco128_items(self.data) if item.source == "coco128"]
        names = sorted({name for item in scenes for name in item.present})
        scores = self.embed_labels(names) @ self.embed_pictures([item.path for item in scenes]).T
        return mean_average_precision(scores, np.array([[name in item.present for item in scenes] for name in names]))


SETS: dict[str, Callable[[Evaluation], Result]] = {
    "flickr8k-dev": Evaluation.flickr_dev,
    "flickr8k-test": Evaluation.flickr_test,
    "coco-283": Evaluation.coco,
    "imagenet-1k": Evaluation.imagenet,
    "imagen-200": Evaluation.imagen,
    "caltech-odd": Evaluation.caltech_odd,
    "caltech-even-sample": Evaluation.caltech_even_sample,
    "coco128": Evaluation.coco128,
}
ONLY_WHEN_ASKED = ("caltech-even-sample",)  # pictures seen in training


def main() -> None:
    """Command line entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="exported model folder")
    parser.add_argument("data", type=Path, help="folder of the evaluation pictures, see README.md")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SETS,
        default=[name for name in SETS if name not in ONLY_WHEN_ASKED],
        metavar="SET",
        help=f"some of {', '.join(SETS)}; all but {', '.join(ONLY_WHEN_ASKED)} when left out",
    )
    parser.add_argument("--resize", choices=get_args(Resize), help="instead of what model.json says")
    options = parser.parse_args()
    evaluation = Evaluation(StarterModel(options.model), options.data, options.resize)
    started = time.monotonic()
    for name in options.only:
        print(name, SETS[name](evaluation), flush=True)
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
