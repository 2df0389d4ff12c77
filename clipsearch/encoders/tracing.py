"""What happens inside a model, stage by stage, for one picture and a few texts.

For CLIP the stages are the model's own modules, called one after the other, so the numbers at the end are those that
`encode_texts` and `encode_images` give. For other models the outline is what the `Encoder` protocol lets one see.
Nothing is printed here; see `clipsearch model inspect`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.encoders.base import Encoder, ProbabilityHead
from clipsearch.errors import QueryError
from clipsearch.images.preprocess import to_pixel_values
from clipsearch.vectors import normalise

if TYPE_CHECKING:
    from clipsearch.encoders.torch_encoder import TransformersEncoder


@dataclass(frozen=True, slots=True)
class Stage:
    """One step.

    Attributes:
        name: of the step.
        shape: of what comes out, batch first; () for a single number.
        note: what the step does, in a few words.
        values: all numbers of a small result, the first few of a large one.
    """

    name: str
    shape: tuple[int, ...]
    note: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text against the picture: cosine, logit (scaled, for SigLIP shifted) and probability."""

    text: str
    cosine: float
    logit: float
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Walkthrough:
    """The way of a text and a picture through a model.

    Attributes:
        model_name: as the encoder says.
        text: the one that is followed, the first of those given.
        text_stages: from token ids to the embedding.
        image_stages: from pixels to the embedding.
        text_embedding: (dim,) unit-norm float32, the last text stage in full.
        image_embedding: (dim,) unit-norm float32, the last picture stage in full.
        head: how cosines become probabilities.
        candidates: every text given, in order; with a softmax head the probabilities add up to 1.
    """

    model_name: str
    text: str
    text_stages: tuple[Stage, ...]
    image_stages: tuple[Stage, ...]
    text_embedding: NDArray[np.float32]
    image_embedding: NDArray[np.float32]
    head: ProbabilityHead
    candidates: tuple[Candidate, ...]


def walk(encoder: Encoder, texts: Sequence[str], crop: NDArray[np.uint8]) -> Walkthrough:
    """The closest look the model allows: `walk_clip` for CLIP through transformers, else `walk_any`."""
    config = getattr(getattr(encoder, "model", None), "config", None)
    if getattr(config, "model_type", None) == "clip":
        return walk_clip(encoder, texts, crop)  # type: ignore[arg-type]
    return walk_any(encoder, texts, crop)


def walk_clip(encoder: TransformersEncoder, texts: Sequence[str], crop: NDArray[np.uint8]) -> Walkthrough:
    """Runs CLIP's own modules one by one.

    Args:
        encoder: of a CLIP (`model_type` "clip").
        texts: at least one; the first is followed.
        crop: (height, width, 3) uint8, see `preprocess.resize_and_crop`.

    Raises:
        QueryError: no text, or the first is longer than the model's context.

    Source: `CLIPTextModel.forward`, `CLIPVisionModel.forward` and `CLIPModel.get_*_features` in transformers 5.23,
        models/clip/modeling_clip.py.
    """
    import torch

    _require_fitting(encoder, texts)
    with torch.inference_mode():
        text_stages, text_features = _text_stages(encoder, texts[0])
        image_stages, image_features = _image_stages(encoder, crop)
    text_embedding = _add_norm(text_stages, text_features.float().cpu().numpy())
    image_embedding = _add_norm(image_stages, image_features.float().cpu().numpy())
    return _finish(encoder, texts, text=(text_stages, text_embedding), image=(image_stages, image_embedding))


def walk_any(encoder: Encoder, texts: Sequence[str], crop: NDArray[np.uint8]) -> Walkthrough:
    """An outline through the protocol only: token ids if the encoder has `tokenize`, pixel values, embeddings.

    Raises:
        QueryError: no text, or the first is longer than the model's context.
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


def _text_stages(encoder: TransformersEncoder, text: str) -> tuple[list[Stage], Any]:
    """The stages and the projected features, a (1, dim) tensor."""
    from transformers.masking_utils import create_causal_mask

    model = encoder.model
    tower = model.text_model
    inputs = encoder.inputs_of([text])
    input_ids = inputs["input_ids"]
    ids = input_ids[0].tolist()
    stages = [_token_stage(ids)]

    hidden = tower.embeddings(input_ids=input_ids)
    stages.append(_stage("token + position embedding", hidden, "a row for each token, its place added"))
    # By place: the last one, which is for what was calculated before, was renamed in transformers 5.24.
    mask = create_causal_mask(tower.config, hidden, inputs.get("attention_mask"), None)
    for layer in tower.encoder.layers:
        hidden = layer(hidden, mask, is_causal=True)
    note = f"{tower.config.num_attention_heads} heads of attention, each token sees those before it, and an MLP"
    stages.append(_stage(f"{len(tower.encoder.layers)} encoder layers", hidden, note))
    hidden = tower.final_layer_norm(hidden)
    stages.append(_stage("final layer norm", hidden, ""))

    # Older configurations say end token 2, which it is not; there the end is the token with the highest number.
    end = max(range(len(ids)), key=ids.__getitem__) if tower.eos_token_id == 2 else ids.index(tower.eos_token_id)
    pooled = hidden[:, end]
    stages.append(_stage("pooling", pooled, f"the end-of-text token, number {end}: it has seen all others"))
    features = model.text_projection(pooled)
    stages.append(_stage("projection", features, "into the space shared with pictures"))
    return stages, features


def _image_stages(encoder: TransformersEncoder, crop: NDArray[np.uint8]) -> tuple[list[Stage], Any]:
    """The stages and the projected features, a (1, dim) tensor."""
    import torch

    model = encoder.model
    tower = model.vision_model
    embeddings = tower.embeddings
    array = to_pixel_values(crop[None], encoder.preprocess)
    stages = [_pixel_stage(array)]
    pixel_values = torch.from_numpy(array).to(encoder.device)

    patches = embeddings.patch_embedding(pixel_values.to(dtype=embeddings.patch_embedding.weight.dtype))
    size = tower.config.patch_size
    stages.append(_stage("patch convolution", patches, f"one column for each {size}×{size} pixels"))
    patches = patches.flatten(2).transpose(1, 2)
    stages.append(_stage("patches in a row", patches, f"{patches.shape[1]} tokens"))
    hidden = torch.cat([embeddings.class_embedding.expand(1, 1, -1), patches], dim=1)
    hidden = hidden + embeddings.position_embedding(embeddings.position_ids)
    stages.append(_stage("class token + position embedding", hidden, "one token more, which will stand for the whole"))
    hidden = tower.pre_layrnorm(hidden)
    stages.append(_stage("pre layer norm", hidden, ""))
    for layer in tower.encoder.layers:
        hidden = layer(hidden, None)
    note = f"{tower.config.num_attention_heads} heads of attention, every patch sees all others, and an MLP"
    stages.append(_stage(f"{len(tower.encoder.layers)} encoder layers", hidden, note))
    pooled = tower.post_layernorm(hidden[:, 0, :])
    stages.append(_stage("pooling, post layer norm", pooled, "the class token"))
    features = model.visual_projection(pooled)
    stages.append(_stage("projection", features, "into the space shared with texts"))
    return stages, features


def _add_norm(stages: list[Stage], features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Adds the last stage and gives its row."""
    embeddings = normalise(features)
    length = float(np.linalg.norm(features))
    stages.append(_stage("L2 norm", embeddings, f"divided by its length, {length:.4f}"))
    row: NDArray[np.float32] = embeddings[0]
    return row


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
    """`result` is a tensor or an array; its first numbers are kept."""
    first = result.reshape(-1)[:shown].tolist()
    return Stage(name, tuple(int(length) for length in result.shape), note, tuple(float(value) for value in first))
