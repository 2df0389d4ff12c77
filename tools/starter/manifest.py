"""The training and evaluation pictures: which files, which texts. README.md describes the data folder."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

LABEL_TEMPLATES = (
    "{}",
    "a photo of {a}",
    "a picture of {a}",
    "{a}",
    "a close-up of {a}",
    "an image showing {a}",
    "there is {a} in the picture",
    "a photo of the {}",
    "{} photo",
    "a drawing of {a}",
)
EMOJI_TEMPLATES = ("{} emoji", "an emoji of {a}", "{} icon")
CALTECH_NAMES = {
    "faces": "face of a person",
    "faces easy": "human face",
    "car side": "side view of a car",
    "cougar face": "cougar",
    "cougar body": "cougar",
    "flamingo head": "flamingo",
    "crocodile head": "crocodile",
    "leopards": "leopard",
    "airplanes": "airplane",
    "motorbikes": "motorbike",
    "water lilly": "water lily",
    "windsor chair": "wooden chair",
    "hawksbill": "sea turtle",
    "ketch": "sailing boat",
    "bass": "fish",
    "wild cat": "wild cat",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One picture, or one box of a picture, with what can be said of it: texts, or a label and tags."""

    source: str
    path: str  # relative to the data folder
    key: str  # items with one key share their texts: each is a match for the other's
    views: int  # how many augmented copies are cached
    texts: tuple[str, ...] = ()
    label: str | None = None
    tags: tuple[str, ...] = ()
    box: tuple[int, int, int, int] | None = None
    present: tuple[str, ...] = ()  # COCO object names, largest first


def item_from_json(fields: dict[str, Any]) -> Item:
    """The inverse of `dataclasses.asdict` and JSON: lists become tuples again."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    return Item(**values)


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a tab-separated file whose first line has the column names."""
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"), strict=False)) for line in lines if line.strip()]


def with_article(name: str) -> str:
    return ("an " if name[:1].lower() in "aeiou" else "a ") + name


def fill(template: str, name: str) -> str:
    """Puts a name into a template: {a} with its article, {} without."""
    return template.replace("{a}", with_article(name)).replace("{}", name)


def flickr_captions(data: Path, split: str) -> dict[str, list[str]]:
    """Picture path → its captions, for one split (train, dev or test) of Flickr8k."""
    captions: dict[str, list[str]] = {}
    for row in table(data / f"flickr8k/captions_{split}.tsv"):
        captions.setdefault("flickr8k/images/" + Path(row["path"]).name, []).append(row["caption"])
    return captions


def caltech_number(path: str) -> int:
    """The picture number of a file such as image_0042.jpg."""
    return int(path[-8:-4])


def flickr_items(data: Path, split: str, source: str, views: int) -> Iterable[Item]:
    for path, texts in flickr_captions(data, split).items():
        yield Item(source, path, key=path, views=views, texts=tuple(texts))


def caltech_items(data: Path, most_per_class: int = 30) -> Iterable[Item]:
    """Even-numbered pictures only: the odd ones are for evaluation."""
    taken: dict[str, int] = {}
    for row in table(data / "caltech101/labels.tsv"):
        label = row["label"]
        if caltech_number(row["path"]) % 2 == 0 and taken.get(label, 0) < most_per_class:
            taken[label] = taken.get(label, 0) + 1
            name = CALTECH_NAMES.get(label, label)
            yield Item("caltech", "caltech101/" + row["path"], key="caltech:" + label, views=3, label=name)


def emoji_items(data: Path) -> Iterable[Item]:
    for row in table(data / "fluent-emoji-3d/labels.tsv"):
        if row["group"] in "89" or "keycap" in row["label"]:  # symbols and flags
            continue
        words = [tag for tag in row["tags"].split("|") if len(tag) > 3 and not any(c.isdigit() for c in tag)]
        path, key = "fluent-emoji-3d/" + row["path"], "emoji:" + row["label"]
        yield Item("emoji", path, key=key, views=2, label=row["label"], tags=tuple(words[:4]))


def stamp_items(data: Path) -> Iterable[Item]:
    for row in table(data / "tuxpaint-stamps/captions.tsv"):
        if row["group"] != "symbols":
            text = row["caption"].split(".")[0].strip().lower()
            texts = (text, row["caption"])
            yield Item("stamp", "tuxpaint-stamps/" + row["path"], key="stamp:" + text, views=4, texts=texts)


def cifar_items(data: Path, rng: random.Random, per_class: int = 100) -> Iterable[Item]:
    by_label: dict[str, list[str]] = {}
    for row in table(data / "cifar10/labels.tsv"):
        by_label.setdefault(row["label"], []).append(row["path"])
    for label, paths in sorted(by_label.items()):
        for path in rng.sample(sorted(paths), per_class):
            yield Item("cifar", "cifar10/" + path, key="cifar:" + label, views=1, label=label)


def skimage_items(data: Path) -> Iterable[Item]:
    for row in table(data / "skimage/captions.tsv"):
        yield Item("skimage", "skimage/" + row["path"], key=row["path"], views=4, texts=(row["caption"],))


@dataclass(frozen=True, slots=True)
class Box:
    """One labelled box of YOLO's format: centre and size as fractions of the picture."""

    name: str
    x: float
    y: float
    width: float
    height: float

    def in_pixels(self, width: int, height: int, margin: float = 0.1) -> tuple[int, int, int, int]:
        """Left, top, right, bottom with a margin around, cut at the picture's edges."""
        half_width, half_height = self.width * (0.5 + margin), self.height * (0.5 + margin)
        return (
            int(max(0, (self.x - half_width) * width)),
            int(max(0, (self.y - half_height) * height)),
            int(min(width, (self.x + half_width) * width)),
            int(min(height, (self.y + half_height) * height)),
        )


def read_boxes(path: Path, names: list[str]) -> list[Box]:
    boxes = []
    for line in path.read_text().splitlines():
        if line.strip():
            number, *place = line.split()
            boxes.append(Box(names[int(number)], *map(float, place[:4])))
    return boxes


def coco128_items(data: Path, most_per_class: int = 3, smallest: int = 48) -> Iterable[Item]:
    """Whole pictures named after their largest objects, and crops of the objects themselves."""
    base = data / "coco128"
    lines = (base / "config.yaml").read_text().splitlines()
    names = [line.split(": ")[1].strip() for line in lines if line[:2] == "  " and ": " in line]
    for picture in sorted((base / "images").rglob("*.jpg"), key=str):
        label_file = next((base / "labels").rglob(picture.stem + ".txt"), None)
        boxes = read_boxes(label_file, names) if label_file else []
        if not boxes:
            continue
        area: dict[str, float] = {}
        for box in boxes:
            area[box.name] = area.get(box.name, 0.0) + box.width * box.height
        present = sorted(area, key=lambda name: (-area[name], name))
        with_articles = [with_article(name) for name in present]
        texts = (
            "a photo of " + " and ".join(with_articles[:2]),
            ", ".join(present[:4]),
            "a photo with " + " and ".join(with_articles[:3]),
        )
        path = picture.relative_to(data).as_posix()
        yield Item("coco128", path, key=path, views=4, texts=texts, present=tuple(present))
        with Image.open(picture) as opened:
            width, height = opened.size
        taken: dict[str, int] = {}
        for box in boxes:
            large_enough = box.width * width >= smallest and box.height * height >= smallest
            if large_enough and taken.get(box.name, 0) < most_per_class:
                taken[box.name] = taken.get(box.name, 0) + 1
                pixels = box.in_pixels(width, height)
                yield Item("box", path, key="coco:" + box.name, views=2, label=box.name, box=pixels)


def training_items(data: Path) -> list[Item]:
    """Everything training reads, Flickr8k dev included; nothing of the held-out sets."""
    return [
        *flickr_items(data, "train", "flickr", views=6),
        *flickr_items(data, "dev", "dev", views=1),
        *caltech_items(data),
        *emoji_items(data),
        *stamp_items(data),
        *cifar_items(data, random.Random(0)),
        *skimage_items(data),
        *coco128_items(data),
    ]


def draw_text(item: Item, rng: random.Random) -> str:
    """One of the many things that can be said of a picture."""
    if item.texts:
        return rng.choice(item.texts)
    if item.tags and rng.random() < 0.4:
        return rng.choice(item.tags)
    if item.label is None:
        raise ValueError(f"{item.path} has neither texts nor a label")
    if item.source == "emoji" and rng.random() < 0.3:
        return fill(rng.choice(EMOJI_TEMPLATES), item.label)
    return fill(rng.choice(LABEL_TEMPLATES), item.label)


def every_text(item: Item) -> list[str]:
    """All that `draw_text` can return for a picture."""
    texts = [*item.texts, *item.tags]
    if item.label is not None:
        texts += [fill(template, item.label) for template in (*LABEL_TEMPLATES, *EMOJI_TEMPLATES)]
    return texts
