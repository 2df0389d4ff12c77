"""Small random models in the hub's layout: two layers, 32 wide, made in a fraction of a second."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    AltCLIPConfig,
    AltCLIPModel,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    CLIPConfig,
    CLIPModel,
    SiglipConfig,
    SiglipModel,
)
from transformers.utils import logging as transformers_logging

# Default end tokens lie outside the small vocabularies, which transformers notes on stderr.
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()

IMAGE_SIZE = 32
CONTEXT_LENGTH = 16

TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
VISION = {**TOWER, "image_size": IMAGE_SIZE, "patch_size": 8}

CLIP_PROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": IMAGE_SIZE},
    "crop_size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
    "resample": 3,
    "do_resize": True,
    "do_center_crop": True,
    "do_rescale": True,
    "do_normalize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
SIGLIP_PROCESSOR = {
    "image_processor_type": "SiglipImageProcessor",
    "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
    "resample": 2,
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def compile_quietly(source: Path, target: Path) -> None:
    """`compile_model` as in the process that compiles, where PyTorch's tracer may warn of every size it looks at."""
    from clipsearch.encoders.openvino.compile import compile_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile_model(source, target)


def make_clip(
    directory: Path, *, eos_token_id: int | None = None, tokenizer: Path | None = None, seed: int = 0
) -> Path:
    """CLIP with a byte-level BPE without merges: one token a byte, so that long texts are easily had.

    `eos_token_id=2` gives the older configurations, where the end token is found by its number being the highest.
    `tokenizer` is a folder with the vocab.json and merges.txt of another CLIP.
    """
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocab: dict[str, int] = {word: row for row, word in enumerate(words)}
    merges = "#version: 0.2\n"
    if tokenizer is not None:
        vocab = json.loads((tokenizer / "vocab.json").read_text(encoding="utf-8"))
        merges = (tokenizer / "merges.txt").read_text(encoding="utf-8")
    start, end = vocab["<|startoftext|>"], vocab["<|endoftext|>"]
    text = {
        **TOWER,
        "vocab_size": len(vocab),
        "max_position_embeddings": CONTEXT_LENGTH,
        "bos_token_id": start,
        "eos_token_id": end if eos_token_id is None else eos_token_id,
        "pad_token_id": end,
    }
    config = CLIPConfig(text_config=text, vision_config=VISION, projection_dim=24)
    save(CLIPModel, config, directory, CLIP_PROCESSOR, seed=seed)
    write_json(directory / "vocab.json", vocab)
    (directory / "merges.txt").write_text(merges, encoding="utf-8")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    write_json(
        directory / "tokenizer_config.json",
        {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "unk_token": "<|endoftext|>", **special},
    )
    return directory


def make_siglip(directory: Path, *, tokenizer_class: str = "PreTrainedTokenizerFast") -> Path:
    """SigLIP, as SigLIP 2 of fixed resolution is too: no lower-casing in the tokenizer, sigmoid head."""
    text = {**TOWER, "vocab_size": 64, "max_position_embeddings": CONTEXT_LENGTH, "projection_size": 32}
    config = SiglipConfig(text_config=text, vision_config=VISION)
    save(SiglipModel, config, directory, SIGLIP_PROCESSOR)
    tokenizer = word_tokenizer(["<pad>", "<eos>", "<unk>"], unknown="<unk>", suffix="<eos>")
    tokenizer.save(str(directory / "tokenizer.json"))
    write_json(
        directory / "tokenizer_config.json",
        {
            "tokenizer_class": tokenizer_class,
            "model_max_length": CONTEXT_LENGTH,
            "padding_side": "right",
            "pad_token": "<pad>",
            "eos_token": "<eos>",
            "unk_token": "<unk>",
        },
    )
    return directory


def make_chinese_clip(directory: Path) -> Path:
    """Chinese-CLIP: a BERT text tower, the vocabulary as a bare vocab.txt."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"一只猫狗在雪地里的照片红色汽车两", "a", "cat", "dog"]
    text = {**TOWER, "vocab_size": len(words), "max_position_embeddings": CONTEXT_LENGTH, "pad_token_id": 0}
    config = ChineseCLIPConfig(text_config=text, vision_config=VISION, projection_dim=24)
    processor = {**CLIP_PROCESSOR, "image_processor_type": "ChineseCLIPImageProcessor"}
    processor["size"] = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    processor["do_center_crop"] = False
    save(ChineseCLIPModel, config, directory, processor)
    (directory / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    return directory


def make_altclip(directory: Path) -> Path:
    """AltCLIP: an XLM-RoBERTa text tower, whose positions begin at 2."""
    text = {
        **TOWER,
        "vocab_size": 64,
        "max_position_embeddings": CONTEXT_LENGTH + 2,
        "type_vocab_size": 1,
        "project_dim": 24,
        "pad_token_id": 1,
    }
    config = AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=24)
    save(AltCLIPModel, config, directory, CLIP_PROCESSOR)
    tokenizer = word_tokenizer(["<s>", "<pad>", "</s>", "<unk>"], unknown="<unk>", prefix="<s>", suffix="</s>")
    tokenizer.save(str(directory / "tokenizer.json"))
    write_json(
        directory / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 512,
            "pad_token": "<pad>",
            "eos_token": "</s>",
            "bos_token": "<s>",
            "unk_token": "<unk>",
        },
    )
    return directory


def word_tokenizer(special: list[str], *, unknown: str, suffix: str, prefix: str = "") -> Tokenizer:
    """Whole words, lower case and upper case kept apart, with start and end tokens."""
    words = ["a", "the", "of", "in", "on", "photo", "cat", "dog", "horse", "snow", "donut", "red", "car", "Cat", "A"]
    vocab = {word: row for row, word in enumerate([*special, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token=unknown))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    template = f"{prefix} $A {suffix}".strip()
    used = [(token, vocab[token]) for token in (prefix, suffix) if token]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=used)
    return tokenizer


def save(model_class: Any, config: Any, directory: Path, processor: dict[str, Any], *, seed: int = 0) -> None:
    torch.manual_seed(seed)
    model = model_class(config).eval()
    # Random weights of the libraries' choice are so small that all embeddings look alike.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 0.3)
    model.save_pretrained(directory)
    write_json(directory / "preprocessor_config.json", processor)


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
