"""Small random models of the families beside CLIP and SigLIP, each with its real architecture, in the hub's layout."""

from pathlib import Path
from typing import Any

from transformers import (
    Aimv2Config,
    Aimv2Model,
    AlignConfig,
    AlignModel,
    EmbeddingGemma2Config,
    EmbeddingGemma2Model,
    MetaClip2Config,
    MetaClip2Model,
    Siglip2Config,
    Siglip2Model,
    Tipsv2Config,
    Tipsv2Model,
)

from tests.support.tiny_models import (
    CLIP_PROCESSOR,
    CONTEXT_LENGTH,
    IMAGE_SIZE,
    TOWER,
    VISION,
    save,
    word_tokenizer,
    write_json,
)

PATCH = 8
NAFLEX_PATCHES = 24


def make_tipsv2(directory: Path) -> Path:
    """TIPSv2: texts without start and end tokens, a class token, one register token and patches."""
    vision = {**VISION, "mlp_ratio": 2, "num_register_tokens": 1}
    del vision["intermediate_size"]
    text = {**TOWER, "vocab_size": 64, "max_position_embeddings": CONTEXT_LENGTH}
    config = Tipsv2Config(text_config=text, vision_config=vision, temperature_init_value=0.02)
    processor = {
        "image_processor_type": "Tipsv2ImageProcessor",
        "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
    }
    save(Tipsv2Model, config, directory, processor)
    _save_words(directory, ["<pad>", "<unk>"], model_max_length=64, suffix="")
    return directory


def make_naflex(directory: Path) -> Path:
    """SigLIP 2 of variable resolution."""
    text = {**TOWER, "vocab_size": 64, "max_position_embeddings": CONTEXT_LENGTH, "projection_size": 32}
    vision = {**TOWER, "patch_size": PATCH, "num_patches": 16}
    config = Siglip2Config(text_config=text, vision_config=vision)
    processor = {
        "image_processor_type": "Siglip2ImageProcessor",
        "patch_size": PATCH,
        "max_num_patches": NAFLEX_PATCHES,
    }
    save(Siglip2Model, config, directory, processor)
    # As in the published models: padded on the right, and no mask.
    _save_words(
        directory, ["<pad>", "<eos>", "<unk>"], model_max_length=CONTEXT_LENGTH, model_input_names=["input_ids"]
    )
    return directory


def make_metaclip_2(directory: Path) -> Path:
    """MetaCLIP 2: CLIP with the vocabulary of XLM-RoBERTa, whose end token has the number 2."""
    text = {**TOWER, "vocab_size": 64, "max_position_embeddings": CONTEXT_LENGTH}
    text |= {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    config = MetaClip2Config(text_config=text, vision_config=VISION, projection_dim=24)
    save(MetaClip2Model, config, directory, CLIP_PROCESSOR)
    _save_words(directory, ["<s>", "<pad>", "</s>", "<unk>"], model_max_length=77, prefix="<s>", suffix="</s>")
    return directory


def make_aimv2(directory: Path) -> Path:
    """AIMv2 with its text tower (LiT): RMS norms, gated MLPs, a scale with an upper limit."""
    text = {**TOWER, "vocab_size": 64, "max_position_embeddings": CONTEXT_LENGTH, "eos_token_id": 2}
    config = Aimv2Config(text_config=text, vision_config=VISION, projection_dim=24, max_logit_scale=10.0)
    save(Aimv2Model, config, directory, CLIP_PROCESSOR)
    _save_words(directory, ["<s>", "<pad>", "</s>", "<unk>"], model_max_length=77, prefix="<s>", suffix="</s>")
    return directory


def make_align(directory: Path) -> Path:
    """ALIGN: an EfficientNet for pictures, BERT for texts, a temperature."""
    text = {**TOWER, "vocab_size": 64, "max_position_embeddings": 3 * CONTEXT_LENGTH, "type_vocab_size": 2}
    vision = {
        "image_size": 600,
        "width_coefficient": 1.0,
        "depth_coefficient": 1.0,
        "kernel_sizes": [3, 5],
        "in_channels": [32, 16],
        "out_channels": [16, 24],
        "strides": [1, 2],
        "num_block_repeats": [1, 2],
        "expand_ratios": [1, 4],
        "hidden_dim": 32,
    }
    config = AlignConfig(text_config=text, vision_config=vision, projection_dim=24, temperature_init_value=0.05)
    processor = {
        "image_processor_type": "EfficientNetImageProcessor",
        "size": {"height": IMAGE_SIZE + 8, "width": IMAGE_SIZE + 8},
        "crop_size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        "do_center_crop": True,
        "do_normalize": False,
        "include_top": False,
        "rescale_factor": 1 / 127.5,
        "rescale_offset": True,
        "resample": 2,
    }
    save(AlignModel, config, directory, processor)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    _save_words(directory, words, model_max_length=CONTEXT_LENGTH, prefix="[CLS]", suffix="[SEP]")
    return directory


def make_embedding_gemma_2(directory: Path, *, prompt: str = "the photo of ") -> Path:
    """EmbeddingGemma 2 without its tower for sound: pictures become tokens between texts, all outputs are averaged."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<boi>", "<img>", "<eoi>"]
    text = {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "global_head_dim": 16,
        "num_global_key_value_heads": 1,
        "hidden_size_per_layer_input": 8,
        "embedding_dim": 24,
        "sliding_window": 32,
        "sliding_window_pattern": 3,
        "max_position_embeddings": 256,
    }
    vision = {**TOWER, "model_type": "gemma4_vision", "num_key_value_heads": 4, "head_dim": 8, "patch_size": PATCH}
    vision |= {"pooling_kernel_size": 3, "position_embedding_size": 512}
    ids = {"boi_token_id": 4, "image_token_id": 5, "eoi_token_id": 6, "video_token_id": 60, "audio_token_id": 61}
    config = EmbeddingGemma2Config(
        text_config=text, vision_config=vision, audio_config=None, boa_token_id=62, eoa_token_index=63, **ids
    )
    # Of soft tokens Gemma's image processor takes some numbers only, 70 is the least.
    processor = {
        "image_processor_type": "Gemma4ImageProcessor",
        "patch_size": PATCH,
        "pooling_kernel_size": 3,
        "max_soft_tokens": 70,
    }
    save(EmbeddingGemma2Model, config, directory, processor)
    _save_words(directory, special, model_max_length=CONTEXT_LENGTH, prefix="<bos>", image_token="<img>")
    write_json(
        directory / "config_sentence_transformers.json",
        {"prompts": {"Document": "title: ", "SearchQuery": prompt}, "default_prompt_name": None},
    )
    return directory


def _save_words(
    directory: Path,
    special: list[str],
    *,
    model_max_length: int,
    prefix: str = "",
    suffix: str | None = None,
    **options: Any,
) -> None:
    """Write a tokenizer of whole words; the special tokens are known by their names."""
    unknown = next(token for token in special if "unk" in token.lower())
    pad = next(token for token in special if "pad" in token.lower())
    end = "<eos>" if suffix is None else suffix
    tokenizer = word_tokenizer(special, unknown=unknown, prefix=prefix, suffix=end)
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(directory / "tokenizer.json"))
    named = {"pad_token": pad, "unk_token": unknown, **({"eos_token": end} if end else {})}
    write_json(
        directory / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": model_max_length,
            "padding_side": "right",
            **named,
            **options,
        },
    )
