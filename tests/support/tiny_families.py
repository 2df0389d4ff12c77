"""Small random models of the families beside CLIP and SigLIP, each with its real architecture, in the hub's layout."""

from pathlib import Path
from typing import Any

from transformers import (
    Aimv2Config,
    Aimv2Model,
    AlignConfig,
    AlignModel,
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


def _save_words(
    directory: Path,
    special: list[str],
    *,
    model_max_length: int,
    prefix: str = "",
    suffix: str | None = None,
    **options: Any,
) -> None:
    """Write a tokenizer of whole words; of the special tokens, the first with "pad" or "PAD" pads, and so on."""
    unknown = next(token for token in special if "unk" in token.lower())
    pad = next(token for token in special if "pad" in token.lower())
    end = "<eos>" if suffix is None else suffix
    word_tokenizer(special, unknown=unknown, prefix=prefix, suffix=end).save(str(directory / "tokenizer.json"))
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
