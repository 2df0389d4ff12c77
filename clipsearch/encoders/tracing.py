"""Trace one picture and a few texts through a model, stage by stage.

For models run by transformers, forward hooks record the output of each named module during `encode_texts` and
`encode_images`. Other models are traced only as far as the `Encoder` protocol allows. See `clipsearch model inspect`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder, ProbabilityHead
from clipsearch.errors import QueryError
from clipsearch.images.preprocess import to_pixel_values

if TYPE_CHECKING:
    from clipsearch.encoders.torch_encoder import TransformersEncoder


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a model.

    Attributes:
        name: of the stage.
        shape: of its output, batch first; () for a scalar.
        note: short description.
        values: all numbers of a small output, the first few of a large one.
    """

    name: str
    shape: tuple[int, ...]
    note: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Score of one text against the picture: cosine, logit (scaled; with the bias for SigLIP) and probability."""

    text: str
    cosine: float
    logit: float
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Walkthrough:
    """Trace of a text and a picture through a model.

    Attributes:
        model_name: name of the encoder.
        text: the traced text, the first of those passed.
        text_stages: from token ids to the embedding.
        image_stages: from pixels to the embedding.
        text_embedding: (dim,) unit-norm float32, the complete output of the last text stage.
        image_embedding: (dim,) unit-norm float32, the complete output of the last picture stage.
        head: maps cosines to probabilities.
        candidates: all texts, in order; with a softmax head the probabilities sum to 1.
    """

    model_name: str
    text: str
    text_stages: tuple[Stage, ...]
    image_stages: tuple[Stage, ...]
    text_embedding: NDArray[np.float32]
    image_embedding: NDArray[np.float32]
    head: ProbabilityHead
    candidates: tuple[Candidate, ...]


_ENCODER_LAYERS = "encoder layers"

# Names of the modules in each model family: CLIP, MetaCLIP 2, SigLIP and SigLIP 2, Chinese-CLIP, AltCLIP; others are
# traced by `walk_any`. Source: transformers 5.24, models/*/modeling_{clip,siglip,siglip2,chinese_clip,altclip}.py.
_TEXT_MODULES = {
    "embeddings": ("text_model.embeddings", "text_model.roberta.embeddings"),
    _ENCODER_LAYERS: (
        "text_model.encoder.layers",
        "text_model.encoder.layer",
        "text_model.roberta.encoder.layers",
        "text_model.roberta.encoder.layer",
    ),
    "final norm": ("text_model.final_layer_norm", "text_model.pre_LN"),
    "transformation": ("text_model.transformation",),
    "projection": ("text_projection", "text_model.head"),
}
_IMAGE_MODULES = {
    "patches": ("vision_model.embeddings.patch_embedding",),
    "embeddings": ("vision_model.embeddings",),
    "pre norm": ("vision_model.pre_layrnorm",),
    _ENCODER_LAYERS: ("vision_model.encoder.layers",),
    "post norm": ("vision_model.post_layernorm",),
    "head": ("vision_model.head",),
    "projection": ("visual_projection",),
}


def walk(encoder: Encoder, texts: Sequence[str], crop: NDArray[np.uint8]) -> Walkthrough:
    """Trace with `walk_modules` if the model is run by transformers and of a known family, else with `walk_any`."""
    model = getattr(encoder, "model", None)
    if model is not None and _has_stages(model):
        return walk_modules(encoder, texts, crop)  # type: ignore[arg-type]
    return walk_any(encoder, texts, crop)


def walk_modules(encoder: TransformersEncoder, texts: Sequence[str], crop: NDArray[np.uint8]) -> Walkthrough:
    """Trace the modules of a model run by transformers.

    Args:
        encoder: of one of the families above.
        texts: at least one; the first is traced.
        crop: (height, width, 3) uint8, see `preprocess.resize_and_crop`.

    Raises:
        QueryError: no text, or the first exceeds the model's context.
    """
    _require_fitting(encoder, texts)
    with _recorded(encoder.model, _TEXT_MODULES) as text:
        text_embedding: NDArray[np.float32] = encoder.encode_texts(texts[:1])[0]
    with _recorded(encoder.model, _IMAGE_MODULES) as image:
        image_embedding: NDArray[np.float32] = encoder.encode_images(crop[None])[0]
    text_stages = [_token_stage(encoder.tokenize(texts[0])), *_text_stages(text, encoder.model.config)]
    text_stages.append(_norm_stage(text_embedding, text["projection"].output))
    image_stages = [_pixel_stage(to_pixel_values(crop[None], encoder.preprocess))]
    image_stages += _image_stages(image, encoder.model.config)
    features = image["projection" if "projection" in image else "head"].output
    image_stages.append(_norm_stage(image_embedding, features))
    return _finish(encoder, texts, text=(text_stages, text_embedding), image=(image_stages, image_embedding))


def walk_any(encoder: Encoder, texts: Sequence[str], crop: NDArray[np.uint8]) -> Walkthrough:
    """Trace through the `Encoder` protocol only: token ids if there is a `tokenize`, pixel values, embeddings.

    Raises:
        QueryError: no text, or the first exceeds the model's context.
    """
    _require_fitting(encoder, texts)
    text_stages: list[Stage] = []
    tokenize = getattr(encoder, "tokenize", None)
    if tokenize is not None:
        text_stages.append(_token_stage(tokenize(texts[0])))
    text_embedding = encoder.encode_texts(texts[:1])[0]
    text_stages.append(_stage("text model, L2 norm", text_embedding[None], "the embedding, of length 1"))
    pixel_values = to_pixel_values(crop[None], encoder.preprocess)
    image_embedding = encoder.encode_images(crop[None])[0]
    image_stages = [
        _pixel_stage(pixel_values),
        _stage("image model, L2 norm", image_embedding[None], "the embedding, of length 1"),
    ]
    return _finish(encoder, texts, text=(text_stages, text_embedding), image=(image_stages, image_embedding))


def _require_fitting(encoder: Encoder, texts: Sequence[str]) -> None:
    if not texts:
        raise QueryError("a text is needed to follow it through the model")
    limit = encoder.context_length
    if encoder.count_tokens(texts[0]) > limit:
        raise QueryError(f"the text is longer than the model's {limit} tokens; a shorter one is needed")


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """First argument and output of a module, as tensors; for a list of layers, those of the last layer."""

    input: Any
    output: Any
    layers: int = 1


def _find_module(model: Any, paths: Sequence[str]) -> Any:
    """Return the first module found under the paths, or None."""
    for path in paths:
        found = model
        for name in path.split("."):
            found = getattr(found, name, None)
        if found is not None:
            return found
    return None


def _has_stages(model: Any) -> bool:
    text, image = (
        {name for name, paths in modules.items() if _find_module(model, paths) is not None}
        for modules in (_TEXT_MODULES, _IMAGE_MODULES)
    )
    return (
        text >= {"embeddings", _ENCODER_LAYERS, "projection"}
        and image >= {"patches", "embeddings", _ENCODER_LAYERS, "post norm"}
        and bool(image & {"projection", "head"})
    )


@contextmanager
def _recorded(model: Any, modules: Mapping[str, Sequence[str]]) -> Iterator[dict[str, _Call]]:
    """Record the last call of each module, by stage name, while the block runs the model."""
    calls: dict[str, _Call] = {}

    def record(name: str, layers: int) -> Callable[..., None]:
        def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            calls[name] = _Call(next(iter((*args, *kwargs.values()))), _tensor_of(output), layers)

        return hook

    with ExitStack() as stack:
        for name, paths in modules.items():
            module = _find_module(model, paths)
            if module is None:
                continue
            layers = len(module) if name == _ENCODER_LAYERS else 1
            last = module[-1] if name == _ENCODER_LAYERS else module
            stack.callback(last.register_forward_hook(record(name, layers), with_kwargs=True).remove)
        yield calls


def _tensor_of(output: Any) -> Any:
    """Return the tensor of an output, which older versions of transformers wrap in a tuple."""
    return output[0] if isinstance(output, tuple) else output


def _text_stages(calls: Mapping[str, _Call], config: Any) -> list[Stage]:
    """Build the text stages from the token embeddings to the projected features, (1, dim)."""
    is_causal = config.model_type in ("clip", "metaclip_2")
    layers, projection = calls[_ENCODER_LAYERS], calls["projection"]
    hidden = calls["embeddings"].output
    stages = [_stage("token + position embedding", hidden, "a row for each token, its place added")]
    view = "each token sees those before it" if is_causal else "every token sees all others"
    note = f"{config.text_config.num_attention_heads} heads of attention, {view}, and an MLP"
    hidden = layers.output
    stages.append(_stage(f"{layers.layers} encoder layers", hidden, note))
    if "final norm" in calls:
        hidden = calls["final norm"].output
        stages.append(_stage("final layer norm", hidden, ""))
    if "transformation" in calls:
        hidden = calls["transformation"].output
        stages.append(_stage("transformation", hidden, "to the width of the projection"))
    pooled = projection.input
    number = int((hidden[0] == pooled[0]).all(dim=-1).int().argmax())
    if is_causal:
        note = f"the end-of-text token, number {number}: it has seen all others"
    else:
        note = f"the token number {number}, which stands for the whole"
    stages.append(_stage("pooling", pooled, note))
    stages.append(_stage("projection", projection.output, "into the space shared with pictures"))
    return stages


def _image_stages(calls: Mapping[str, _Call], config: Any) -> list[Stage]:
    """Build the picture stages from the patches to the projected features, (1, dim)."""
    config = config.vision_config
    patches, hidden, layers = calls["patches"].output, calls["embeddings"].output, calls[_ENCODER_LAYERS]
    size = config.patch_size
    if patches.ndim == 4:
        stages = [_stage("patch convolution", patches, f"one column for each {size}×{size} pixels")]
        patches = patches.flatten(2).transpose(1, 2)
        stages.append(_stage("patches in a row", patches, f"{patches.shape[1]} tokens"))
    else:
        stages = [_stage("patch projection", patches, f"one row for each {size}×{size} pixels, and padding")]
    if hidden.shape[1] > patches.shape[1]:
        note = "one token more, which will stand for the whole"
        stages.append(_stage("class token + position embedding", hidden, note))
    else:
        stages.append(_stage("position embedding", hidden, "its place added to each patch"))
    if "pre norm" in calls:
        stages.append(_stage("pre layer norm", calls["pre norm"].output, ""))
    note = f"{config.num_attention_heads} heads of attention, every patch sees all others, and an MLP"
    stages.append(_stage(f"{layers.layers} encoder layers", layers.output, note))
    normed = calls["post norm"].output
    if normed.ndim == 2:
        stages.append(_stage("pooling, post layer norm", normed, "the class token"))
    else:
        stages.append(_stage("post layer norm", normed, ""))
    if "head" in calls:
        stages.append(_stage("attention pooling", calls["head"].output, "one learnt query looks at all patches"))
    if "projection" in calls:
        stages.append(_stage("projection", calls["projection"].output, "into the space shared with texts"))
    return stages


def _norm_stage(embedding: NDArray[np.float32], features: Any) -> Stage:
    """Build the last stage, in which features (1, dim), a tensor, are normalised to the embedding (dim,)."""
    length = float(np.linalg.norm(features.float().cpu().numpy()))
    return _stage("L2 norm", embedding[None], f"divided by its length, {length:.4f}")


def _finish(
    encoder: Encoder,
    texts: Sequence[str],
    *,
    text: tuple[Sequence[Stage], NDArray[np.float32]],
    image: tuple[Sequence[Stage], NDArray[np.float32]],
) -> Walkthrough:
    (text_stages, text_embedding), (image_stages, image_embedding) = text, image
    head = encoder.head
    rows = text_embedding[None]
    if len(texts) > 1:
        rows = np.concatenate([rows, encoder.encode_texts(texts[1:])])
    cosines = rows @ image_embedding
    shift = head.logit_bias if head.kind == "sigmoid" else 0.0
    candidates = tuple(
        Candidate(candidate, float(cosine), head.logit_scale * float(cosine) + shift, float(probability))
        for candidate, cosine, probability in zip(texts, cosines, head.probabilities(cosines), strict=True)
    )
    return Walkthrough(
        model_name=encoder.name,
        text=texts[0],
        text_stages=tuple(text_stages),
        image_stages=tuple(image_stages),
        text_embedding=text_embedding,
        image_embedding=image_embedding,
        head=head,
        candidates=candidates,
    )


def _token_stage(ids: Sequence[int]) -> Stage:
    return Stage("token ids", (1, len(ids)), f"{len(ids)} tokens, start and end included", tuple(map(float, ids)))


def _pixel_stage(pixel_values: NDArray[np.float32]) -> Stage:
    low, high = float(pixel_values.min()), float(pixel_values.max())
    note = f"resized, cropped, less the mean, by the deviation: {low:.2f} to {high:.2f}"
    return _stage("pixel values", pixel_values, note)


def _stage(name: str, result: Any, note: str, *, shown: int = 4) -> Stage:
    """Build a stage from a tensor or array and its first `shown` numbers."""
    first = result.reshape(-1)[:shown].tolist()
    return Stage(name, tuple(int(length) for length in result.shape), note, tuple(float(value) for value in first))
