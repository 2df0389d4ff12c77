"""Describe what differs between families of dual encoders, as data: one record for each model type of transformers.

Sources: transformers 5.24, models/*/modeling_*.py and processing_*.py; licences: docs/models.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Family:
    """What differs between families.

    Attributes:
        text_padding: "longest" with an attention mask; "context": to the full context, without one.
        lower_case: texts are lower-cased before tokenization.
        text_tokens: most tokens of a text, where the model was trained on fewer than it takes; None: what it takes.
        prompt_names: prompts of `config_sentence_transformers.json` for the texts of queries, the first one found.
        text_attention: attention implementation of transformers for texts; None: its default. AIMv2's default drops the
            causal mask where no text of a batch is padded, so that a row would depend on the other texts.
        text_call: how texts become features: projected by `get_text_features`, or the mean of the tokens' outputs.
        image_call: how pictures become features: `get_image_features` of pixels or of patches ("patches"), or the mean
            of the outputs for the tokens of a picture ("tokens").
        scale: where the scale of the probability head lies: "logit_scale", exp-ed; "temperature", inverted; or a number
            where the model has none.
        max_scale: setting of the model with the upper limit of the scale; None: none.
        has_fixed_size: pictures have the size in the model's settings; a convolutional network takes any.
        pooler: name of the image model's pooling layer, where its kernel is larger than any input: replaced by pooling
            of the whole input, which is the same and which OpenVINO supports.
        patches_from: setting of the image model with the number of tokens between the class token and the patches,
            where the patches' outputs lie in the space of the texts; None: they do not.
        settings: settings that change the rows but not the shapes of the weights, besides those of all models.
        licence: of the published models, where it forbids commercial use; a notice gives it.
    """

    text_padding: Literal["longest", "context"] = "longest"
    lower_case: bool = False
    text_tokens: int | None = None
    prompt_names: tuple[str, ...] = ()
    text_attention: str | None = None
    text_call: Literal["features", "mean"] = "features"
    image_call: Literal["pixels", "patches", "tokens"] = "pixels"
    scale: Literal["logit_scale", "temperature"] | float = "logit_scale"
    max_scale: str | None = None
    has_fixed_size: bool = True
    pooler: str | None = None
    patches_from: str | None = None
    settings: tuple[str, ...] = ()
    licence: str | None = None


# Any other model with CLIP's interface.
_DEFAULT = Family()

# SigLIP was trained on text padded to the full context without a mask, lower case. Source: arXiv:2303.15343 and
# 2502.14786, and transformers' model pages of siglip and siglip2 at v5.0.
_SIGLIP = Family(text_padding="context", lower_case=True)

_FAMILIES: dict[str, Family] = {
    "siglip": _SIGLIP,
    "siglip2": Family(text_padding="context", lower_case=True, image_call="patches", has_fixed_size=False),
    "tipsv2": Family(
        lower_case=True,
        scale="temperature",
        patches_from="num_register_tokens",
        settings=("scale_sqrt_depth", "pooling_epsilon", "use_swiglu_ffn"),
    ),
    "metaclip_2": Family(licence="CC-BY-NC, not for commercial use"),
    "aimv2": Family(
        text_attention="eager",
        max_scale="max_logit_scale",
        settings=("rms_norm_eps", "is_native", "use_head"),
        licence="Apple's AMLR, for research only",
    ),
    "align": Family(
        text_tokens=64,
        scale="temperature",
        has_fixed_size=False,
        pooler="pooler",
        settings=("depthwise_padding", "strides", "pooling_type", "batch_norm_eps"),
    ),
    # It publishes no scale: that of sentence-transformers' MultipleNegativesRankingLoss is taken. Texts of 8,192 tokens
    # would need gigabytes a batch.
    "embedding_gemma2": Family(
        text_tokens=512,
        prompt_names=("SearchQuery", "Retrieval-query", "query"),
        text_call="mean",
        image_call="tokens",
        scale=20.0,
        has_fixed_size=False,
        settings=(
            "hidden_activation",
            "rms_norm_eps",
            "sliding_window",
            "layer_types",
            "rope_parameters",
            "pooling_kernel_size",
            "standardize",
            "use_clipped_linears",
        ),
    ),
}


def family_of(config: Mapping[str, Any]) -> Family:
    """Return the record of a model by its config.json; that of CLIP for model types without one."""
    return _FAMILIES.get(str(config.get("model_type")), _DEFAULT)
