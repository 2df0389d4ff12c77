"""Call a transformers model as its family needs, see `families`: uint8 crops and token ids in, features out.

All steps are torch operations on whole batches, so that OpenVINO can trace them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from clipsearch.encoders.base import ProbabilityHead
from clipsearch.encoders.families import Family
from clipsearch.errors import ModelError
from clipsearch.images.preprocess import Preprocess


@dataclass(frozen=True, slots=True)
class Adapter:
    """Calls of one model.

    Attributes:
        family: what differs in its family.
        preprocess: preprocessing of pictures, whose last step, from uint8, is done here.
        frame: token ids before and after those of a picture, for families that take pictures as tokens.
    """

    family: Family
    preprocess: Preprocess
    frame: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    def patch_grid(self, model: Any) -> tuple[int, int] | None:
        """Return rows and columns of the patches, where they are aligned with texts and cover the whole picture."""
        size = getattr(getattr(model.config, "vision_config", None), "patch_size", None)
        if self.family.patches_from is None or not self.preprocess.covers_picture or not isinstance(size, int):
            return None
        return self.preprocess.height // size, self.preprocess.width // size

    def image_features(self, model: Any, crops: torch.Tensor) -> torch.Tensor:
        """Return projected features (n, dim) of uint8 crops (n, height, width, 3), not normalised."""
        return projected_features(self._image_output(model, crops))

    def patch_features(self, model: Any, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features as `image_features` does, and those of the patches (n, patches, dim) in the space of texts.

        Only for families with `patches_from`.
        """
        output = self._image_output(model, crops)
        first = 1 + int(getattr(model.config.vision_config, str(self.family.patches_from)))
        return projected_features(output), output.last_hidden_state[:, first:]

    def text_features(self, model: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return projected features (n, dim) of token ids and, for most families, their mask; not normalised."""
        if self.family.text_call == "mean":
            return _mean_of_tokens(model(**inputs).last_hidden_state, inputs["attention_mask"])
        return projected_features(model.get_text_features(**inputs))

    def _image_output(self, model: Any, crops: torch.Tensor) -> Any:
        if self.family.image_call == "pixels":
            pixel_values = pixel_values_of(crops, self.preprocess).contiguous().to(model.dtype)
            return model.get_image_features(pixel_values=pixel_values)
        values, shapes, is_patch = patches_of(crops, self.preprocess)
        if self.family.image_call == "tokens":
            return self._features_of_tokens(model, values.to(model.dtype), shapes, is_patch)
        return model.get_image_features(
            pixel_values=values.to(model.dtype), pixel_attention_mask=is_patch.int(), spatial_shapes=shapes
        )

    def _features_of_tokens(
        self, model: Any, values: torch.Tensor, shapes: torch.Tensor, is_patch: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean of the outputs (n, dim) for pictures that stand as tokens in a frame, without other text.

        The same as the model's forward, which takes pictures apart by their number of tokens and so can't be traced.
        Source: transformers 5.24, EmbeddingGemma2Model.forward, Gemma4VisionModel.forward.
        """
        tower, pool = model.vision_tower, model.config.vision_config.pooling_kernel_size**2
        columns = shapes[:, 1:]
        numbers = torch.arange(values.shape[1], device=values.device)[None]
        positions = torch.stack([numbers % columns, numbers // columns], dim=-1)
        positions = torch.where(is_patch[..., None], positions, -1)
        hidden = tower.patch_embedder(values, positions, ~is_patch)
        hidden = tower.encoder(inputs_embeds=hidden, attention_mask=is_patch, pixel_position_ids=positions)
        soft, _ = tower.pooler(
            hidden_states=hidden.last_hidden_state,
            pixel_position_ids=positions,
            padding_positions=~is_patch,
            output_length=values.shape[1] // pool,
        )
        if model.config.vision_config.standardize:
            soft = (soft - tower.std_bias.float()) * tower.std_scale.float()
        soft = model.embed_vision(inputs_embeds=soft.to(values.dtype))
        # In a row: the frame's start, the picture's tokens, the frame's end, padding.
        before, after = (torch.tensor(ids, device=values.device) for ids in self.frame)
        embed = model.get_input_embeddings()
        counts = shapes.prod(dim=1, keepdim=True) // pool
        places = torch.arange(len(before) + soft.shape[1] + len(after), device=values.device)[None]
        in_picture = places - len(before)
        in_after = in_picture - counts
        is_picture = (in_picture >= 0) & (in_after < 0)
        sources = torch.where(is_picture, in_picture + len(before) + len(after), in_after + len(before))
        sources = torch.where(in_picture < 0, places, sources).clamp(max=places.shape[1] - 1)
        frame = embed(torch.cat([before, after]))[None].expand(soft.shape[0], -1, -1)
        row = torch.cat([frame, soft], dim=1)
        row = row.gather(1, sources[..., None].expand(-1, -1, row.shape[2]))
        mask = (in_after < len(after)).long()
        output = model.language_model(inputs_embeds=row, attention_mask=mask).last_hidden_state
        return _mean_of_tokens(output, mask)


def _mean_of_tokens(outputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask[..., None].to(outputs.dtype)
    return (outputs * weights).sum(dim=1) / weights.sum(dim=1)


def frame_of(config: Any, tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return `Adapter.frame`: start and end of a text, and of a picture in it.

    Raises:
        ModelError: the tokenizer and the settings of the model differ.
    """
    picture = [config.boi_token_id, config.image_token_id, config.eoi_token_id]
    ids = tokenizer("".join(map(str, tokenizer.convert_ids_to_tokens(picture))), verbose=False)["input_ids"]
    place = ids.index(picture[1]) if picture[1] in ids else 0
    if ids[place - 1 : place + 2] != picture:
        raise ModelError(f"the tokenizer does not know the model's tokens of pictures, {picture}")
    return tuple(ids[:place]), tuple(ids[place + 1 :])


def simplify_pooling(model: Any, family: Family) -> None:
    """Replace the pooling layer that `Family.pooler` names."""
    if family.pooler is None:
        return
    is_mean = isinstance(getattr(model.vision_model, family.pooler), torch.nn.AvgPool2d)
    pooling = torch.nn.AdaptiveAvgPool2d(1) if is_mean else torch.nn.AdaptiveMaxPool2d(1)
    setattr(model.vision_model, family.pooler, pooling)


def pixel_values_of(crops: torch.Tensor, spec: Preprocess) -> torch.Tensor:
    """Convert uint8 crops (n, height, width, 3) to float32 pixel values (n, 3, height, width), on any device.

    The same as `preprocess.to_pixel_values`.
    """
    return _rescaled(crops, spec).permute(0, 3, 1, 2)


def patches_of(crops: torch.Tensor, spec: Preprocess) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Unpack packed patches, see `PatchGrid.pack`, on any device.

    Returns:
        pixel values as those of `preprocess.to_pixel_values`; rows and columns (n, 2); bool (n, max_patches), False
        for padding.
    """
    header = crops[:, 0, :2, :2].long()
    shapes = header[..., 0] * 256 + header[..., 1]
    positions = torch.arange(crops.shape[1] - 1, device=crops.device)
    is_patch = positions < shapes[:, :1] * shapes[:, 1:]
    values = _rescaled(crops[:, 1:], spec).flatten(2)
    return values * is_patch[..., None], shapes, is_patch


def _rescaled(values: torch.Tensor, spec: Preprocess) -> torch.Tensor:
    scale, shift = (torch.tensor(numbers, device=values.device) for numbers in (spec.scale, spec.shift))
    return values.float() * scale - shift


def projected_features(output: Any) -> torch.Tensor:
    """Return the projected features (n, dim), which transformers 5 wraps in an output object, unlike older versions."""
    features = output if isinstance(output, torch.Tensor) else getattr(output, "pooler_output", None)
    if not isinstance(features, torch.Tensor) or features.ndim != 2:
        raise ModelError("the model's features are not an (n, dim) matrix: clipsearch does not support this model")
    return features


def head_of(model: Any, family: Family, name: str) -> ProbabilityHead:
    """Read the probability head of a model.

    Raises:
        ModelError: its scale is missing, or not a positive number.
    """
    if isinstance(family.scale, float):
        return ProbabilityHead("softmax", logit_scale=family.scale)
    parameter = getattr(model, family.scale, None)
    if not isinstance(parameter, torch.Tensor):
        raise ModelError(
            f"{name} ({model.config.model_type}) has no {family.scale}: its scores can't become probabilities"
        )
    value = parameter.detach().float()
    if family.scale == "temperature":
        if not float(value) > 0:
            raise ModelError(f"{name}: the temperature is {float(value)}, not a positive number")
        return ProbabilityHead("softmax", logit_scale=1 / float(value))
    scale = float(value.exp())
    if family.max_scale is not None:
        scale = min(max(scale, 1.0), float(getattr(model.config, family.max_scale)))
    logit_bias = getattr(model, "logit_bias", None)
    if isinstance(logit_bias, torch.Tensor):
        return ProbabilityHead("sigmoid", logit_scale=scale, logit_bias=float(logit_bias.detach().float()))
    return ProbabilityHead("softmax", logit_scale=scale)
