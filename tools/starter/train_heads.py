"""Stage 1: trains small heads on the frozen towers (3 minutes on two cores).

The step with the best recall on Flickr8k dev is kept. Nothing here reads the held-out pictures.
"""

import argparse
import math
import time
from dataclasses import asdict

import numpy as np
import torch
import torch.nn.functional as F
from batches import Prototypes, Sampler
from scores import dev_sets, evaluate, photos_of, prototype_accuracy
from torch import Tensor, nn
from towers import HeadShape, encode_texts, load_efficientnet, load_minilm
from training import Checkpoint, build_heads, contrastive_loss, logit_scale, stage_parser, start


def make_optimizer(
    image_head: nn.Module, text_head: nn.Module, scale: nn.Parameter, options: argparse.Namespace
) -> torch.optim.Optimizer:
    """Weight decay for matrices only, and not for the class names, which start where they should be."""
    named = [*image_head.named_parameters(), *text_head.named_parameters()]
    trained = [(name, parameter) for name, parameter in named if parameter.requires_grad]
    decayed = [parameter for name, parameter in trained if parameter.ndim > 1 and name != "class_names"]
    rest = [parameter for name, parameter in trained if parameter.ndim <= 1 or name == "class_names"]
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": options.weight_decay},
            {"params": [*rest, scale], "weight_decay": 0.0},
        ],
        lr=options.lr,
    )


def train(options: argparse.Namespace) -> None:
    """Trains, prints the scores, and writes the best checkpoint."""
    start(options)
    shape = HeadShape(options.hidden, options.drop, options.text_hidden, options.text_drop, not options.no_concepts)
    bert, tokenizer = load_minilm()
    sampler = Sampler(options.data, options.work, bert, tokenizer, holdout=options.holdout, seed=options.seed)
    net = load_efficientnet(sampler.arch)
    cached = torch.tensor(np.load(options.work / "features.npy"))
    seen = [item_row for source, rows in sampler.by_source.items() if source != "dev" for item_row in rows]
    train_rows = [view_row for item_row in seen for view_row in sampler.views[item_row]]
    prototypes = Prototypes(cached[sampler.first_views(sampler.by_source["flickr"])], net._fc, options.seed)
    image_head, text_head = build_heads(sampler, cached[train_rows], net, shape)
    scale = nn.Parameter(torch.tensor(math.log(15.0)))
    optimizer = make_optimizer(image_head, text_head, scale, options)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.lr, total_steps=options.steps, pct_start=0.1)
    sets = dev_sets(sampler)
    class_features = sampler.bank.of(photos_of(sampler.class_names))

    def embed_images(view_rows: list[int]) -> Tensor:
        return image_head(cached[view_rows])

    def embed_texts(texts: list[str]) -> Tensor:
        known = all(text in sampler.bank.row for text in texts)
        return text_head(sampler.bank.of(texts) if known else encode_texts(bert, tokenizer, texts))

    best: Checkpoint = {"dev": {"score": -1.0}}
    started = time.monotonic()
    for step in range(1, options.steps + 1):
        image_head.train()
        text_head.train()
        batch = sampler.draw(options.flickr, options.labels, options.protos)
        image_features = cached[batch.view_rows]
        noisy = image_features + options.noise * torch.randn_like(image_features) * image_head.std
        if batch.classes:
            noisy = torch.cat([noisy, prototypes.draw(batch.classes)])
        images, texts = image_head(noisy), text_head(sampler.bank.embeddings[batch.text_rows])
        loss = contrastive_loss(images, texts, scale, batch)
        if options.distill:
            with torch.no_grad():
                target = F.softmax(net._fc(image_features), -1)
            logits = images[: len(image_features)] @ text_head(class_features).T * logit_scale(scale)
            loss = loss - options.distill * (target * F.log_softmax(logits, -1)).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % options.every == 0 or step == options.steps:
            image_head.eval()
            text_head.eval()
            scores = evaluate(sets, embed_images, embed_texts)
            with torch.no_grad():
                scores["proto"] = prototype_accuracy(image_head, prototypes, text_head(class_features))
            seconds = time.monotonic() - started
            print(step, f"{loss.item():.3f}", scores, f"scale {scale.exp().item():.1f} {seconds:.0f} s", flush=True)
            if scores["score"] > best["dev"]["score"]:
                best = {
                    "image_head": {name: value.clone() for name, value in image_head.state_dict().items()},
                    "text_head": {name: value.clone() for name, value in text_head.state_dict().items()},
                    "scale": scale.item(),
                    "shape": asdict(shape),
                    "dev": scores,
                    "step": step,
                }
    print("best", best["step"], best["dev"])
    torch.save(best, options.work / options.out)


def main() -> None:
    """Command line entry point."""
    shape = HeadShape()
    parser = stage_parser(__doc__, "heads.pt")
    parser.add_argument("--lr", type=float, default=1e-3, help="highest learning rate (%(default)s)")
    parser.add_argument("--noise", type=float, default=0.2, help="noise on the features, in spreads (%(default)s)")
    parser.add_argument("--distill", type=float, default=0.0, help="weight of the classifier's answers (%(default)s)")
    parser.add_argument("--hidden", type=int, default=shape.hidden, help="width of the image MLP (%(default)s)")
    parser.add_argument("--drop", type=float, default=shape.drop, help="dropout of the image MLP (%(default)s)")
    parser.add_argument("--text-hidden", type=int, default=shape.text_hidden, help="text MLP's width (%(default)s)")
    parser.add_argument("--text-drop", type=float, default=shape.text_drop, help="text MLP's dropout (%(default)s)")
    parser.add_argument("--no-concepts", action="store_true", help="leave the concept path out")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
