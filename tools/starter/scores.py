"""How good the heads are while they are trained: Flickr8k dev, and what was held out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from batches import Prototypes, Sampler
from manifest import with_article
from torch import Tensor, nn
from towers import IMAGENET_CLASSES

Scores = dict[str, float | list[float]]


@dataclass(frozen=True, slots=True)
class DevSet:
    """Pictures and texts with what belongs together."""

    view_rows: list[int]
    texts: list[str]
    truth: Tensor  # dev: picture of each text; scene: (texts, pictures) bool; others: text of each picture


def recalls(ranks: Tensor) -> list[float]:
    """recall@1, @5 and @10 in per cent of ranks that count from 0."""
    return [round(100 * float((ranks < top_k).float().mean()), 1) for top_k in (1, 5, 10)]


def retrieval(image_embeddings: Tensor, text_embeddings: Tensor, truth: Tensor) -> list[float]:
    """Text → picture recalls, then picture → text recalls (best of a picture's texts); truth[j] = picture of text j."""
    scores = text_embeddings @ image_embeddings.T
    each = torch.arange(len(truth))
    text_ranks = (scores > scores[each, truth][:, None]).sum(1)
    own = torch.zeros(len(image_embeddings), len(text_embeddings), dtype=torch.bool)
    own[truth, each] = True
    by_picture = scores.T
    best_own = by_picture.masked_fill(~own, -9).max(1).values
    return recalls(text_ranks) + recalls((by_picture > best_own[:, None]).sum(1))


def mean_average_precision(scores: Tensor, relevant: Tensor) -> float:
    """Over the texts that have a relevant picture; both are (texts, pictures)."""
    precisions = []
    for row, wanted in zip(scores, relevant, strict=True):
        if wanted.any():
            hits = wanted[row.argsort(descending=True)].float()
            precisions.append(float((hits * hits.cumsum(0) / torch.arange(1, len(hits) + 1)).sum() / hits.sum()))
    return sum(precisions) / len(precisions)


def photos_of(names: Sequence[str]) -> list[str]:
    return ["a photo of " + with_article(name) for name in names]


def dev_sets(sampler: Sampler) -> dict[str, DevSet]:
    """Flickr8k dev and, when something is held out, Caltech classes and COCO objects never trained on."""
    items, item_rows = sampler.items, sampler.by_source["dev"]
    truth = torch.tensor([number for number, row in enumerate(item_rows) for _ in items[row].texts])
    texts = [text for row in item_rows for text in items[row].texts]
    sets = {"dev": DevSet(sampler.first_views(item_rows), texts, truth)}

    def labelled(rows: Sequence[int], names: Sequence[str]) -> DevSet:
        truth = torch.tensor([names.index(items[row].label or "") for row in rows])
        return DevSet(sampler.first_views(rows), photos_of(names), truth)

    caltech = [row for row in sampler.held_out if items[row].source == "caltech"]
    if caltech:
        sets["caltech"] = labelled(caltech, sorted({i.label for i in items if i.source == "caltech" and i.label}))
        boxes = [row for row in sampler.held_out if items[row].source == "box"]
        names = sorted({items[row].label or "" for row in boxes})
        sets["box"] = labelled(boxes, names)
        scenes = [row for row in sampler.held_out if items[row].source == "coco128"]
        present = torch.tensor([[name in items[row].present for row in scenes] for name in names])
        sets["scene"] = DevSet(sampler.first_views(scenes), photos_of(names), present)
    return sets


@torch.inference_mode()
def evaluate(
    sets: dict[str, DevSet],
    embed_images: Callable[[list[int]], Tensor],
    embed_texts: Callable[[list[str]], Tensor],
) -> Scores:
    """Recalls for dev with their mean as "score", mean average precision for scene, accuracies for the rest."""
    found: Scores = {}
    for name, dev_set in sets.items():
        images, texts = embed_images(dev_set.view_rows), embed_texts(dev_set.texts)
        if name == "dev":
            six = retrieval(images, texts, dev_set.truth)
            found[name] = six
            found["score"] = round(sum(six) / 6, 2)
        elif name == "scene":
            found[name] = round(100 * mean_average_precision(texts @ images.T, dev_set.truth), 1)
        else:
            hits = (images @ texts.T).argmax(1) == dev_set.truth
            found[name] = round(100 * float(hits.float().mean()), 1)
    return found


def prototype_accuracy(image_head: nn.Module, prototypes: Prototypes, class_embeddings: Tensor) -> float:
    """Per cent of the ImageNet classes whose prototype is nearest to their own name."""
    scores = image_head(prototypes.draw(range(IMAGENET_CLASSES), 0.8, 0.8)) @ class_embeddings.T
    return round(100 * float((scores.argmax(1) == torch.arange(IMAGENET_CLASSES)).float().mean()), 1)
