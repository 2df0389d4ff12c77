"""The published, training-free ways to see in a CLIP transformer's patches where words were found.

`tests.benchmarks.shapes` compares them with what `clipsearch.gallery.heat_map` does. Each function takes a `CLIPModel`,
`pixel_values` (1, 3, height, width) and `text`, (dim,) unit-norm, and gives a float32 map of (rows, columns) patches.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Map = NDArray[np.float32]

# Of GEM: how many of the last layers get a path of their own. Source: Bousselham et al., "Grounding Everything", CVPR
# 2024: 7 of ViT-B's 12; of fewer layers as large a share.
_GEM_SHARE = 7 / 12


def value_path(model: Any, pixel_values: torch.Tensor, text: Map) -> Map:
    """Each patch's value of the last layer, without attention to others.

    Source: Zhou et al., "Extract Free Dense Labels from CLIP" (MaskCLIP), ECCV 2022, section 3.2.
    """
    with torch.no_grad():
        layer = model.vision_model.encoder.layers[-1]
        tokens = layer.layer_norm1(_before_last_layer(model, pixel_values))
        return _against(model, layer.self_attn.out_proj(layer.self_attn.v_proj(tokens)), text)


def gem(model: Any, pixel_values: torch.Tensor, text: Map) -> Map:
    """Values gathered by how alike queries, keys and values are among themselves, summed up over the last layers.

    Source: Bousselham et al., "Grounding Everything", CVPR 2024, section 3: unit-norm rows, one iteration, the
    temperature from the rows' own norm, the mean of q-q, k-k and v-v, a path beside the layers' without their MLPs.
    """
    with torch.no_grad():
        layers = model.vision_model.encoder.layers
        tokens = _embed(model, pixel_values)
        first = len(layers) - max(1, round(_GEM_SHARE * len(layers)))
        path = tokens
        for number, layer in enumerate(layers):
            if number >= first:
                path = path + _self_self_attention(layer, path if number > first else tokens)
            tokens = _run(layer, tokens)
        return _against(model, path, text)


def grad_eclip(model: Any, pixel_values: torch.Tensor, text: Map) -> Map:
    """Last layer's values, each channel weighted by the score's gradient, each patch by its key's cosine to the query.

    Source: Zhao et al., "Gradient-based Visual Explanation for Transformer-based CLIP", ICML 2024, section 3.
    """
    layer = model.vision_model.encoder.layers[-1]
    with torch.no_grad():
        tokens = _before_last_layer(model, pixel_values)
        normal = layer.layer_norm1(tokens)
        query, keys, values = (project(normal)[0] for project in _projections(layer))
    with torch.enable_grad():
        gathered = layer.self_attn.out_proj(_attend(layer, query[None], keys[None], values[None]))
        first = gathered[:, 0].detach().requires_grad_(True)
        hidden = tokens[:, 0] + first
        hidden = hidden + layer.mlp(layer.layer_norm2(hidden))
        score = _project(model, hidden)[0] @ torch.from_numpy(text)
        gradient = torch.autograd.grad(score, first)[0][0]
    with torch.no_grad():
        alike = torch.nn.functional.cosine_similarity(query[:1], keys[1:])
        alike = (alike - alike.min()) / (alike.max() - alike.min()).clamp_min(1e-9)
        shown = torch.relu(layer.self_attn.out_proj(values[1:]) @ gradient * alike)
        return _grid(shown)


PatchMap = Callable[[Any, torch.Tensor, Map], Map]

PATCH_MAPS: dict[str, PatchMap] = {
    "value path": value_path,
    "GEM": gem,
    "Grad-ECLIP": grad_eclip,
}


def _embed(model: Any, pixel_values: torch.Tensor) -> torch.Tensor:
    vision = model.vision_model
    tokens: torch.Tensor = vision.pre_layrnorm(vision.embeddings(pixel_values))
    return tokens


def _run(layer: Any, tokens: torch.Tensor) -> torch.Tensor:
    tokens = tokens + layer.self_attn.out_proj(
        _attend(layer, *(project(layer.layer_norm1(tokens)) for project in _projections(layer)))
    )
    run: torch.Tensor = tokens + layer.mlp(layer.layer_norm2(tokens))
    return run


def _before_last_layer(model: Any, pixel_values: torch.Tensor) -> torch.Tensor:
    tokens = _embed(model, pixel_values)
    for layer in model.vision_model.encoder.layers[:-1]:
        tokens = _run(layer, tokens)
    return tokens


def _projections(layer: Any) -> tuple[Any, Any, Any]:
    attention = layer.self_attn
    return attention.q_proj, attention.k_proj, attention.v_proj


def _heads(layer: Any, rows: torch.Tensor) -> torch.Tensor:
    """(1, tokens, width) → (1, heads, tokens, width of a head)."""
    return rows.unflatten(-1, (layer.self_attn.num_heads, -1)).transpose(1, 2)


def _attend(layer: Any, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    heads = (_heads(layer, rows) for rows in (query, keys, values))
    return torch.nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)


def _self_self_attention(layer: Any, tokens: torch.Tensor) -> torch.Tensor:
    normal = layer.layer_norm1(tokens)
    values = _heads(layer, layer.self_attn.v_proj(normal))
    gathered = []
    for project in _projections(layer):
        rows = _heads(layer, project(normal))
        # The temperature is the mean norm of the rows over the root of their width, as in the paper's section 3.3.
        sharpness = math.sqrt(rows.shape[-1]) / rows.norm(dim=-1).mean()
        rows = torch.nn.functional.normalize(rows, dim=-1)
        weights = torch.softmax(rows @ rows.transpose(-1, -2) / sharpness, dim=-1)
        rows = torch.nn.functional.normalize(weights @ rows, dim=-1)
        gathered.append(torch.softmax(rows @ rows.transpose(-1, -2) / sharpness, dim=-1) @ values)
    out: torch.Tensor = layer.self_attn.out_proj(torch.stack(gathered).mean(0).transpose(1, 2).flatten(2))
    return out


def _project(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Through the last norm and the projection, unit-norm."""
    return torch.nn.functional.normalize(model.visual_projection(model.vision_model.post_layernorm(tokens)), dim=-1)


def _against(model: Any, tokens: torch.Tensor, text: Map) -> Map:
    return _grid(_project(model, tokens)[0, 1:] @ torch.from_numpy(text))


def _grid(patches: torch.Tensor) -> Map:
    return np.asarray(patches.reshape(math.isqrt(patches.numel()), -1).detach().numpy(), dtype=np.float32)
