"""Batches for contrastive training: pictures, prototypes of ImageNet classes, and their texts."""

import json
import random
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
import vocabulary
from manifest import Item, draw_text, every_text, fill, item_from_json
from tokenizers import Tokenizer
from torch import Tensor, nn
from towers import IMAGENET_CLASSES, encode_texts
from transformers import BertModel

CLASS_TEMPLATES = (
    "{}",
    "a photo of {a}",
    "a close-up of {a}",
    "there is {a} in the photo",
    "a picture of the {}",
    "a blurry photo of {a}",
)
# How often each kind of labelled picture is drawn.
SOURCE_WEIGHTS = {
    "caltech": 0.30,
    "emoji": 0.15,
    "stamp": 0.12,
    "box": 0.23,
    "coco128": 0.12,
    "cifar": 0.06,
    "skimage": 0.02,
}
HELD_OUT_SOURCES = ("caltech", "box", "coco128")
SAME_MEANING = 0.5  # texts whose frozen MiniLM rows are closer than this are no negatives of each other
SAME_CAPTION = 0.85  # the same for two Flickr8k captions, which are alike by nature


class TextBank:
    """Distinct texts and their unit-norm rows by the published MiniLM, kept in a file."""

    def __init__(self, texts: Iterable[str], bert: BertModel, tokenizer: Tokenizer, path: Path) -> None:
        self.texts = sorted(set(texts))
        self.row = {text: row for row, text in enumerate(self.texts)}
        if path.exists():
            stored = torch.load(path, weights_only=True)
            if stored["texts"] == self.texts:
                self.embeddings: Tensor = stored["embeddings"]
                return
        started = time.monotonic()
        self.embeddings = F.normalize(encode_texts(bert, tokenizer, self.texts), dim=-1)
        torch.save({"texts": self.texts, "embeddings": self.embeddings}, path)
        print(f"encoded {len(self.texts)} texts in {time.monotonic() - started:.0f} s", flush=True)

    def rows(self, texts: Sequence[str]) -> Tensor:
        return torch.tensor([self.row[text] for text in texts])

    def of(self, texts: Sequence[str]) -> Tensor:
        """(n, DIM) rows of texts that are in the bank."""
        return self.embeddings[self.rows(texts)]


@dataclass(frozen=True, slots=True)
class Batch:
    """n pictures, then m - n prototypes, against m texts."""

    view_rows: list[int]  # n rows of the cached features
    classes: list[int]  # m - n ImageNet classes
    texts: list[str]
    text_rows: Tensor  # of the text bank
    positive: Tensor  # (m, m), 1 where text fits picture
    ignore: Tensor  # (m, m), True where a text is too much like a fitting one to count as wrong


class Sampler:
    """Draws batches from the cached views."""

    def __init__(
        self, data: Path, work: Path, bert: BertModel, tokenizer: Tokenizer, *, holdout: bool = False, seed: int = 0
    ) -> None:
        manifest = json.loads((work / "items.json").read_text(encoding="utf-8"))
        self.items: list[Item] = [item_from_json(fields) for fields in manifest["items"]]
        self.arch, self.size, self.width = manifest["arch"], manifest["size"], manifest["width"]
        self.rng = random.Random(seed)
        self.views: dict[int, list[int]] = {}
        for view_row, (item_row, _) in enumerate(manifest["views"]):
            self.views.setdefault(item_row, []).append(view_row)
        self.by_source: dict[str, list[int]] = {}
        self.held_out: list[int] = []
        for item_row, item in enumerate(self.items):
            if holdout and is_held_out(item):
                self.held_out.append(item_row)
            else:
                self.by_source.setdefault(item.source, []).append(item_row)
        self.class_names: list[str] = json.loads((data / "imagenet-sample/class_names.json").read_text())
        self.groups = vocabulary.groups()
        names = self.class_names + [word for word, _ in self.groups]
        texts = self.class_names + [fill(template, name) for template in CLASS_TEMPLATES for name in names]
        for item in self.items:
            texts += every_text(item)
        self.bank = TextBank(texts, bert, tokenizer, work / "text_bank.pt")

    def first_views(self, item_rows: Iterable[int]) -> list[int]:
        return [self.views[item_row][0] for item_row in item_rows]

    def draw_items(self, flickr_count: int, labelled_count: int) -> list[int]:
        """Rows of Flickr8k pictures without repetition, then of labelled ones."""
        item_rows = self.rng.sample(self.by_source["flickr"], flickr_count)
        sources = [source for source in SOURCE_WEIGHTS if source in self.by_source]
        weights = [SOURCE_WEIGHTS[source] for source in sources]
        drawn = self.rng.choices(sources, weights, k=labelled_count)
        return item_rows + [self.rng.choice(self.by_source[source]) for source in drawn]

    def draw_class(self) -> tuple[int, set[int], str]:
        """A class, all classes its text fits, and that text: the class's own name or an everyday word."""
        if self.rng.random() < 0.55:
            number = self.rng.randrange(IMAGENET_CLASSES)
            return number, {number}, fill(self.rng.choice(CLASS_TEMPLATES), self.class_names[number])
        word, numbers = self.rng.choice(self.groups)
        number = self.rng.choice(numbers)
        return number, set(numbers), fill(self.rng.choice(CLASS_TEMPLATES), word)

    def draw(self, flickr_count: int, labelled_count: int, prototype_count: int) -> Batch:
        item_rows = self.draw_items(flickr_count, labelled_count)
        view_rows = [self.rng.choice(self.views[item_row]) for item_row in item_rows]
        texts = [draw_text(self.items[item_row], self.rng) for item_row in item_rows]
        drawn = [self.draw_class() for _ in range(prototype_count)]
        classes = [number for number, _, _ in drawn]
        texts += [text for _, _, text in drawn]

        pictures, total = len(item_rows), len(item_rows) + prototype_count
        keys = torch.tensor([zlib.crc32(self.items[item_row].key.encode()) for item_row in item_rows])
        positive = torch.zeros(total, total)
        positive[:pictures, :pictures] = (keys[:, None] == keys[None]).float()
        for column, (_, fitting, _) in enumerate(drawn):
            for row, number in enumerate(classes):
                if number in fitting:
                    positive[pictures + row, pictures + column] = 1.0

        text_rows = self.bank.rows(texts)
        similarity = self.bank.embeddings[text_rows] @ self.bank.embeddings[text_rows].T
        limit = torch.full((total, total), SAME_MEANING)
        limit[:flickr_count, :flickr_count] = SAME_CAPTION
        ignore = (similarity > limit) & (positive == 0)
        return Batch(view_rows, classes, texts, text_rows, positive, ignore)


def is_held_out(item: Item) -> bool:
    """All COCO pictures and a quarter of the Caltech classes, to measure what carries over to unseen names."""
    if item.source == "caltech":
        return zlib.crc32(item.key.encode()) % 4 == 0
    return item.source in HELD_OUT_SOURCES


class Prototypes:
    """Stand-ins for pictures of ImageNet classes: real features pushed along the classifier's row of a class."""

    def __init__(self, image_features: Tensor, classifier: nn.Linear, seed: int = 0) -> None:
        self.image_features = image_features
        self.mean = image_features.mean(0)
        weight = classifier.weight.detach()
        direction = weight - weight.mean(0)
        self.direction = direction / direction.norm(dim=1, keepdim=True)
        self.spread = (image_features - self.mean).norm(dim=1).mean()
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self, classes: Sequence[int], low: float = 0.5, high: float = 1.1) -> Tensor:
        """One row of features a class, pushed by low to high times the usual spread."""
        count = len(classes)
        push = torch.rand(count, 1, generator=self.generator) * (high - low) + low
        rows = torch.randint(0, len(self.image_features), (count,), generator=self.generator)
        other = self.image_features[rows]
        features = self.mean + 0.5 * (other - self.mean) + push * self.spread * self.direction[list(classes)]
        return features.clamp(min=0)  # features come out of a ReLU6
