"""Stage 2: trains the last image blocks and the text transformer together with the heads (10 to 15 minutes).

MiniLM's word embeddings stay, so that words never seen in training keep their place. A moving average of the weights
is what is scored and kept. The step with the best recall on Flickr8k dev wins; nothing reads the held-out pictures.
"""

import argparse
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from batches import Batch, Prototypes, Sampler
from numpy.typing import NDArray
from scores import Scores, dev_sets, evaluate, photos_of, prototype_accuracy
from torch import Tensor, nn
from towers import (
    HeadShape,
    ImageHead,
    TextHead,
    Top,
    encode_texts,
    first_block_of_width,
    load_efficientnet,
    load_minilm,
    mean_pool,
    tokenize,
)
from training import build_heads, contrastive_loss, stage_parser, start
from transformers import BertModel

State = dict[str, dict[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Parts:
    """All that is trained, but the logit scale."""

    top: Top
    bert: BertModel
    image_head: ImageHead
    text_head: TextHead

    def named(self) -> dict[str, nn.Module]:
        return {"top": self.top, "bert": self.bert, "image_head": self.image_head, "text_head": self.text_head}

    def state(self) -> State:
        """A copy of all weights."""
        return {
            name: {key: value.detach().clone() for key, value in part.state_dict().items()}
            for name, part in self.named().items()
        }

    def load(self, state: State) -> None:
        for name, part in self.named().items():
            part.load_state_dict(state[name])


def freeze(parts: Parts, top_skip: int, text_skip: int) -> None:
    """Leaves the first blocks of the top, the first text layers and all word embeddings as they are."""
    parts.top.requires_grad_(True)
    for block in parts.top.blocks[:top_skip]:
        block.requires_grad_(False)
    parts.bert.embeddings.requires_grad_(False)
    for layer in parts.bert.encoder.layer[:text_skip]:
        layer.requires_grad_(False)


def make_optimizer(parts: Parts, scale: nn.Parameter, options: argparse.Namespace) -> torch.optim.Optimizer:
    def group(parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> dict[str, Any]:
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        return {"params": trained, "lr": lr, "weight_decay": weight_decay}

    heads = [*parts.image_head.parameters(), *parts.text_head.parameters()]
    return torch.optim.AdamW(
        [
            group(parts.top.parameters(), options.lr_top, 0.05),
            group(parts.bert.parameters(), options.lr_text, 0.01),
            group(heads, options.lr_head, options.weight_decay),
            group([scale], options.lr_head, 0.0),
        ]
    )


def warm_up_then_cosine(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    warm = max(1, steps // 12)

    def factor(step: int) -> float:
        return min(1, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * min(1, step / steps)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def follow(average: State, parts: Parts, decay: float) -> None:
    """Moves the averaged weights towards the present ones."""
    with torch.no_grad():
        for name, part in parts.named().items():
            for key, value in part.state_dict().items():
                if value.is_floating_point():
                    average[name][key].lerp_(value, 1 - decay)
                else:
                    average[name][key].copy_(value)


class Stage:
    """Everything one training step and one evaluation need."""

    def __init__(self, options: argparse.Namespace) -> None:
        bert, self.tokenizer = load_minilm()
        self.sampler = Sampler(
            options.data, options.work, bert, self.tokenizer, holdout=options.holdout, seed=options.seed
        )
        self.net = load_efficientnet(self.sampler.arch)
        cut = first_block_of_width(self.net, self.sampler.width)
        self.published = torch.tensor(np.load(options.work / "features.npy"))  # by the network as published
        self.maps: NDArray[np.float16] = np.load(options.work / "maps.npy", mmap_mode="r" if options.mmap else None)
        flickr = self.sampler.first_views(self.sampler.by_source["flickr"])
        self.prototypes = Prototypes(self.published[flickr], self.net._fc, options.seed)
        checkpoint = torch.load(options.work / options.init, weights_only=True)
        self.shape = checkpoint["shape"]
        image_head, text_head = build_heads(self.sampler, self.published, self.net, HeadShape(**self.shape))
        image_head.load_state_dict(checkpoint["image_head"])
        text_head.load_state_dict(checkpoint["text_head"])
        self.scale = nn.Parameter(torch.tensor(checkpoint["scale"]))
        self.parts = Parts(Top(self.net, cut), bert, image_head, text_head)
        if "top" in checkpoint:  # a second round
            self.parts.top.load_state_dict(checkpoint["top"])
            bert.load_state_dict(checkpoint["bert"])
        freeze(self.parts, options.top_skip, options.text_skip)
        self.net._fc.requires_grad_(False)
        self.sets = dev_sets(self.sampler)

    def features_of(self, view_rows: list[int]) -> Tensor:
        return self.parts.top(torch.from_numpy(np.asarray(self.maps[view_rows])).float())

    def embed_images(self, view_rows: list[int], batch: int = 64) -> Tensor:
        starts = range(0, len(view_rows), batch)
        return self.parts.image_head(torch.cat([self.features_of(view_rows[row : row + batch]) for row in starts]))

    def embed_texts(self, texts: list[str]) -> Tensor:
        return self.parts.text_head(encode_texts(self.parts.bert, self.tokenizer, texts))

    def evaluate(self, average: State) -> Scores:
        """Scores of the averaged weights; the present ones are put back afterwards."""
        present = self.parts.state()
        self.parts.load(average)
        for part in self.parts.named().values():
            part.eval()
        with torch.inference_mode():
            class_embeddings = self.embed_texts(photos_of(self.sampler.class_names))
            accuracy = prototype_accuracy(self.parts.image_head, self.prototypes, class_embeddings)
            scores = evaluate(self.sets, self.embed_images, self.embed_texts)
        self.parts.load(present)
        return scores | {"proto": accuracy}

    def losses(self, batch: Batch, *, bf16: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Contrastive loss, and how far image and text features have moved from the published towers'."""
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            image_features = self.features_of(batch.view_rows)
            text_features = mean_pool(self.parts.bert, *tokenize(self.tokenizer, batch.texts))
        image_features, text_features = image_features.float(), text_features.float()
        images = self.parts.image_head(torch.cat([image_features, self.prototypes.draw(batch.classes)]))
        loss = contrastive_loss(images, self.parts.text_head(text_features), self.scale, batch)
        with torch.no_grad():
            target = F.softmax(self.net._fc(self.published[batch.view_rows]), -1)
        answer = F.log_softmax(self.net._fc(image_features), -1)
        # Kullback-Leibler divergence: cross entropy less the target's own entropy
        negative_entropy = (target * target.clamp(min=1e-9).log()).sum(-1).mean()
        image_drift = -(target * answer).sum(-1).mean() + negative_entropy
        published_texts = self.sampler.bank.embeddings[batch.text_rows]
        text_drift = (1 - (F.normalize(text_features, dim=-1) * published_texts).sum(-1)).mean()
        return loss, image_drift, text_drift


def train(options: argparse.Namespace) -> None:
    """Trains, prints the scores, and writes the best checkpoint whenever there is a better one."""
    start(options)
    stage = Stage(options)
    optimizer = make_optimizer(stage.parts, stage.scale, options)
    schedule = warm_up_then_cosine(optimizer, options.steps)
    average = stage.parts.state()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    best: dict[str, Any] = {"score": -1.0}
    started = time.monotonic()
    print(0, stage.evaluate(average), flush=True)
    for step in range(options.steps):
        for part in stage.parts.named().values():
            part.train()
        batch = stage.sampler.draw(options.flickr, options.labels, options.protos)
        loss, image_drift, text_drift = stage.losses(batch, bf16=options.bf16)
        total = loss + options.keep_image * image_drift + options.keep_text * text_drift
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        schedule.step()
        follow(average, stage.parts, min(options.ema, (1 + step) / (10 + step)))  # short memory at first
        seconds = time.monotonic() - started
        if step % 10 == 0:
            drift = f"keep {image_drift.item():.3f} {text_drift.item():.3f}"
            print(step, f"loss {loss.item():.3f} {drift} {seconds:.0f} s", flush=True)
        if (step + 1) % options.every == 0 or step + 1 == options.steps:
            scores = stage.evaluate(average)
            print(step + 1, scores, f"scale {stage.scale.exp().item():.1f} {seconds:.0f} s", flush=True)
            if scores["score"] > best["score"]:
                best = {**scores, "step": step + 1}
                extra = {"scale": stage.scale.item(), "shape": stage.shape, "dev": scores}
                origin = {"arch": stage.sampler.arch, "width": stage.sampler.width, "size": stage.sampler.size}
                torch.save({**average, **extra, **origin}, options.work / options.out)
    print("best", best)


def main() -> None:
    """Command line entry point."""
    parser = stage_parser(__doc__, "tuned.pt")
    parser.add_argument("--init", default="heads.pt", help="checkpoint to start from (%(default)s)")
    parser.add_argument("--lr-top", type=float, default=1e-4, help="of the image blocks (%(default)s)")
    parser.add_argument("--lr-text", type=float, default=4e-5, help="of the text layers (%(default)s)")
    parser.add_argument("--lr-head", type=float, default=2e-4, help="of the heads (%(default)s)")
    parser.add_argument("--top-skip", type=int, default=0, help="image blocks to leave as they are (%(default)s)")
    parser.add_argument("--text-skip", type=int, default=0, help="text layers to leave as they are (%(default)s)")
    parser.add_argument("--keep-image", type=float, default=0.3, help="weight against image drift (%(default)s)")
    parser.add_argument("--keep-text", type=float, default=0.5, help="weight against text drift (%(default)s)")
    parser.add_argument("--ema", type=float, default=0.99, help="memory of the averaged weights (%(default)s)")
    parser.add_argument("--bf16", action="store_true", help="towers in bfloat16: faster on processors that have it")
    parser.add_argument("--mmap", action="store_true", help="read the cached maps from disk instead of memory")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
