"""Averages checkpoints of one family.

Example:
    python tools/starter/soup.py WORK/final.pt WORK/heads.pt=0.5 WORK/tuned.pt=0.25 WORK/tuned2.pt=0.25

A checkpoint of stage 1 (heads only) counts with the published weights of the towers. Mixing it with the tuned ones
keeps more of the ImageNet vocabulary. Source: Wortsman et al., Robust fine-tuning of zero-shot models.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor
from towers import Top, first_block_of_width, load_efficientnet, load_minilm
from training import Checkpoint

PARTS = ("top", "bert", "image_head", "text_head")


def with_towers(checkpoint: Checkpoint, like: Checkpoint) -> Checkpoint:
    """Adds the published towers, cut as in `like`, to a checkpoint that has only heads."""
    if "top" in checkpoint:
        return checkpoint
    net = load_efficientnet(like["arch"])
    top = Top(net, first_block_of_width(net, like["width"]))
    return {**checkpoint, "top": top.state_dict(), "bert": load_minilm()[0].state_dict()}


def mix(checkpoints: list[Checkpoint], weights: list[float]) -> Checkpoint:
    """The weighted mean; whatever is no weight is taken from the first tuned checkpoint."""
    total = sum(weights)
    weights = [weight / total for weight in weights]
    tuned = next(checkpoint for checkpoint in checkpoints if "top" in checkpoint)
    complete = [with_towers(checkpoint, tuned) for checkpoint in checkpoints]

    def mean(part: str, key: str, value: Tensor) -> Tensor:
        if not value.is_floating_point():
            return value
        return sum(
            (weight * checkpoint[part][key] for weight, checkpoint in zip(weights, complete, strict=True)),
            start=torch.zeros_like(value),
        )

    mixed = dict(tuned)
    for part in PARTS:
        mixed[part] = {key: mean(part, key, value) for key, value in tuned[part].items()}
    mixed["scale"] = sum(weight * checkpoint["scale"] for weight, checkpoint in zip(weights, complete, strict=True))
    return mixed


def file_and_weight(text: str) -> tuple[Path, float]:
    """FILE=WEIGHT, or FILE alone for the weight 1."""
    file, _, weight = text.partition("=")
    return Path(file), float(weight or 1)


def main() -> None:
    """Command line entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="checkpoint to write")
    parser.add_argument(
        "checkpoints", type=file_and_weight, nargs="+", metavar="FILE=WEIGHT", help="at least one must be of stage 2"
    )
    options = parser.parse_args()
    files, weights = zip(*options.checkpoints, strict=True)
    torch.save(mix([torch.load(file, weights_only=True) for file in files], list(weights)), options.out)


if __name__ == "__main__":
    main()
