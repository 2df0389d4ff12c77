"""What both training stages share: loss, heads, options."""

import argparse
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from batches import Batch, Sampler
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor
from towers import HeadShape, ImageHead, TextHead

Checkpoint = dict[str, Any]  # image_head, text_head, scale, shape; after stage 2 also top, bert, arch, size, width
LARGEST_SCALE = 60.0  # the learned logit scale is cut here


def logit_scale(scale: Tensor) -> Tensor:
    """The multiplier of the cosines; its logarithm is what is learned."""
    return scale.exp().clamp(max=LARGEST_SCALE)


def contrastive_loss(images: Tensor, texts: Tensor, scale: Tensor, batch: Batch) -> Tensor:
    """Cross entropy in both directions, every positive of a row counting alike, ignored pairs left out.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, section 2.3;
    several positives as in Khosla et al., Supervised Contrastive Learning, equation 2.
    """
    logits = (images @ texts.T * logit_scale(scale)).masked_fill(batch.ignore, -1e4)
    by_row = batch.positive / batch.positive.sum(1, keepdim=True)
    by_column = batch.positive / batch.positive.sum(0, keepdim=True)
    rows = -(by_row * F.log_softmax(logits, 1)).sum(1).mean()
    columns = -(by_column * F.log_softmax(logits, 0)).sum(0).mean()
    return (rows + columns) / 2


def build_heads(
    sampler: Sampler, image_features: Tensor, net: EfficientNet, shape: HeadShape
) -> tuple[ImageHead, TextHead]:
    """Fresh heads; mean and spread of the features are fixed from here on."""
    names = sampler.bank.of(sampler.class_names)
    std, mean = image_features.std(0) + 1e-6, image_features.mean(0)
    return ImageHead(mean, std, net._fc, names, shape), TextHead(shape)


def stage_parser(description: str | None, default_out: str) -> argparse.ArgumentParser:
    """The options both stages have."""
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, help="folder of the training pictures, see README.md")
    parser.add_argument("work", type=Path, help="folder that cache.py wrote; checkpoints go there too")
    parser.add_argument("--out", default=default_out, help="checkpoint to write in the work folder (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="processor threads (%(default)s)")
    parser.add_argument(
        "--holdout", action="store_true", help="keep a quarter of Caltech-101 and all COCO out, to measure transfer"
    )
    parser.add_argument("--steps", type=int, default=1200, help="(%(default)s)")
    parser.add_argument("--every", type=int, default=150, help="steps between two evaluations (%(default)s)")
    parser.add_argument("--flickr", type=int, default=512, help="Flickr8k pictures a batch (%(default)s)")
    parser.add_argument("--labels", type=int, default=128, help="labelled pictures a batch (%(default)s)")
    parser.add_argument("--protos", type=int, default=96, help="class prototypes a batch (%(default)s)")
    parser.add_argument("--weight-decay", type=float, default=0.1, help="of the heads (%(default)s)")
    return parser


def start(options: argparse.Namespace) -> None:
    """Fixes what can be fixed: bfloat16 and threads still make two runs equal only up to rounding."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
