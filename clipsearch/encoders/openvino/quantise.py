"""Rewrite an OpenVINO model so that its linear layers and convolutions multiply int8 numbers.

Each layer's input is rounded to 256 steps of one scale (uint8), its weights to one scale for each output (int8); sums
are int32, and all between the layers (normalisation, attention, activation functions) stays in floating point.
Channels with large values would take most of the steps. So each channel is divided by a factor of its own, with which
the weights are multiplied: SmoothQuant with α = 0.5. Source: arXiv:2211.10438, section 4.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.openvino_loader import import_openvino

# Exponent of the activations, 1 - α that of the weights. On a random CLIP ViT-B/32, 0.75 gave a lowest cosine of 0.967
# and 0.95 one of 0.911, where 0.5 gave 0.993.
_ALPHA = 0.5

_STEPS = 255

# Highest magnitude of weights. The narrow one is for instructions that add two products of a uint8 and an int8 in 16
# bits (AVX2's vpmaddubsw), where 2 · 255 · 63 still fits and 2 · 255 · 127 does not.
_WIDE, _NARROW = 127, 63

# Rows of each layer's input that its rounding error is estimated from, of each batch that is observed.
_ROWS_A_BATCH = 16

_TINY = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A linear layer or convolution with constant weights.

    Attributes:
        name: of the operation in the model.
        operation: OpenVINO's node.
        source: OpenVINO's output that is its input, with `source_key` the same in each copy of the model.
        weights: (outputs, inputs), or (outputs, inputs, height, width) of a convolution.
        channel_axis: of the input.
    """

    name: str
    operation: Any
    source: Any
    source_key: tuple[str, int]
    weights: NDArray[np.float32]
    channel_axis: int

    @property
    def is_convolution(self) -> bool:
        return self.weights.ndim == 4


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Values of a layer's input: the lowest and highest of each channel (channels,), and some rows (n, channels)."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    rows: NDArray[np.float32]


def find_layers(model: Any) -> list[Layer]:
    """Find the layers that can be quantised, from the first to the last; empty where the weights already are."""
    found = []
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind not in ("MatMul", "Convolution"):
            continue
        weights, source = _constant(node.input_value(1)), node.input_value(0)
        shape = source.get_partial_shape()
        if weights is None or shape.rank.is_dynamic or len(shape) not in ((4,) if kind == "Convolution" else (2, 3)):
            continue
        if kind == "MatMul":
            transposes = node.get_attributes()
            if weights.ndim != 2 or transposes["transpose_a"]:
                continue
            weights = weights if transposes["transpose_b"] else np.ascontiguousarray(weights.T)
        key = (source.get_node().get_friendly_name(), source.get_index())
        axis = 1 if kind == "Convolution" else len(shape) - 1
        found.append(Layer(node.get_friendly_name(), node, source, key, weights, axis))
    return found


def observe_ranges(model: Any, batches: Iterable[Mapping[Any, Any]]) -> dict[tuple[str, int], Ranges]:
    """Run a model in float32 on batches of its inputs, and return the ranges of its layers' inputs by `source_key`.

    The model gets more outputs. A batch should be small: the inputs of all layers are in memory at once.
    """
    layers = {layer.source_key: layer for layer in find_layers(model)}
    first = len(model.outputs)
    model.add_outputs([layer.source for layer in layers.values()])
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    request = import_openvino().Core().compile_model(model, "CPU", options).create_infer_request()
    rng = np.random.default_rng(0)
    found: dict[tuple[str, int], Ranges] = {}
    for batch in batches:
        request.infer(batch)
        for number, (key, layer) in enumerate(layers.items()):
            values = np.moveaxis(request.get_output_tensor(first + number).data, layer.channel_axis, -1)
            rows = values.reshape(-1, values.shape[-1]).astype(np.float32)
            some = rows[rng.integers(0, len(rows), min(_ROWS_A_BATCH, len(rows)))]
            known = found.get(key) or Ranges(rows[0], rows[0], rows[:0])
            found[key] = Ranges(
                np.minimum(known.low, rows.min(axis=0)),
                np.maximum(known.high, rows.max(axis=0)),
                np.concatenate([known.rows, some]),
            )
    return found


def rank_layers(
    layers: Collection[Layer], ranges: Mapping[tuple[str, int], Ranges], *, has_wide_sums: bool
) -> list[str]:
    """Return the names of layers in the order of their relative rounding error, the largest first."""
    errors = {}
    for sharing in _by_source(layers).values():
        values = ranges[sharing[0].source_key]
        scaling = _scaling_of(sharing, values)
        rounded = scaling.rounded(values.rows)
        for layer in sharing:
            quantised, steps = _quantised_weights(layer, scaling, has_wide_sums)
            weights = _as_matrix(layer.weights)
            exact = values.rows @ weights.T
            difference = rounded @ _as_matrix(quantised * steps).T - exact
            errors[layer.name] = float(np.linalg.norm(difference) / max(_TINY, float(np.linalg.norm(exact))))
    return sorted(errors, key=lambda name: -errors[name])


def quantise_model(
    model: Any,
    ranges: Mapping[tuple[str, int], Ranges],
    *,
    kept: Collection[str] = (),
    has_wide_sums: bool,
    as_convolutions: bool,
) -> None:
    """Quantise the layers of a model in place.

    Args:
        model: OpenVINO's.
        ranges: as observed in a copy of it.
        kept: names of layers that stay in floating point.
        has_wide_sums: the processor adds products of int8 numbers in 32 bits, else weights take 7 bits.
        as_convolutions: write linear layers of three-dimensional input as convolutions of one pixel, for which OpenVINO
            has an int8 kernel for AVX2 that is faster than float32; that of its linear layers is not. Only with a
            static batch does it cost nothing to change the layout.
    """
    layers = [layer for layer in find_layers(model) if layer.name not in kept]
    for sharing in _by_source(layers).values():
        scaling = _scaling_of(sharing, ranges[sharing[0].source_key])
        becomes_convolution = as_convolutions and sharing[0].channel_axis == 2
        rounded = _round_input(sharing[0], scaling, becomes_convolution)
        for layer in sharing:
            _replace(layer, rounded, *_quantised_weights(layer, scaling, has_wide_sums), becomes_convolution)
    model.validate_nodes_and_infer_types()


@dataclass(frozen=True, slots=True, eq=False)
class _Scaling:
    """Rounding of a layer's input: each channel is divided by its factor (channels,), then rounded between bounds."""

    factors: NDArray[np.float32]
    low: float
    high: float

    def rounded(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        step = (self.high - self.low) / _STEPS
        numbers = np.clip(np.round((rows / self.factors - self.low) / step), 0, _STEPS)
        return np.asarray((numbers * step + self.low) * self.factors, dtype=np.float32)


def _by_source(layers: Iterable[Layer]) -> dict[tuple[str, int], list[Layer]]:
    """Group layers that share an input, such as queries, keys and values: it is rounded once for all."""
    groups: dict[tuple[str, int], list[Layer]] = {}
    for layer in layers:
        groups.setdefault(layer.source_key, []).append(layer)
    return groups


def _scaling_of(sharing: list[Layer], ranges: Ranges) -> _Scaling:
    factors = np.ones_like(ranges.low)
    if not any(layer.is_convolution for layer in sharing):  # a factor would need a product of all pixels
        largest = np.maximum(np.maximum(-ranges.low, ranges.high), _TINY)
        weights = np.maximum(np.max([np.abs(layer.weights).max(axis=0) for layer in sharing], axis=0), _TINY)
        factors = largest**_ALPHA / weights ** (1 - _ALPHA)
        factors = (factors / np.exp(np.log(factors).mean())).astype(np.float32)
    low, high = min(0.0, float((ranges.low / factors).min())), max(0.0, float((ranges.high / factors).max()))
    step = max(high - low, _TINY) / _STEPS
    zero = round(-low / step)  # zero is one of the steps
    return _Scaling(factors, -zero * step, (_STEPS - zero) * step)


def _quantised_weights(
    layer: Layer, scaling: _Scaling, has_wide_sums: bool
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return the weights, times the factors of their channels, as int8 and the steps of each output."""
    limit = _WIDE if has_wide_sums else _NARROW
    weights = layer.weights * scaling.factors.reshape(1, -1, *(1,) * (layer.weights.ndim - 2))
    largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
    steps = (np.maximum(largest, _TINY) / limit).astype(np.float32)
    return np.clip(np.round(weights / steps), -limit, limit).astype(np.int8), steps


def _as_matrix(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum a convolution's weights over its window, as if all of that had the values of one row."""
    return weights if weights.ndim == 2 else weights.sum(axis=(2, 3))


def _round_input(layer: Layer, scaling: _Scaling, becomes_convolution: bool) -> Any:
    operations = import_openvino().opset13
    low, high = (operations.constant(np.float32(bound)) for bound in (scaling.low, scaling.high))
    source = layer.source
    if becomes_convolution:  # (n, tokens, channels) to (n, channels, tokens, 1)
        source = operations.transpose(_unsqueeze(source, 2), np.array([0, 3, 1, 2]))
        factors = scaling.factors.reshape(1, -1, 1, 1)
        # It divides by the factors too, as its bounds are those of each channel.
        bounds = (operations.constant(scaling.low * factors), operations.constant(scaling.high * factors))
        return operations.fake_quantize(source, *bounds, low, high, _STEPS + 1)
    if not layer.is_convolution:
        source = operations.multiply(source, operations.constant(1 / scaling.factors))
    return operations.fake_quantize(source, low, high, low, high, _STEPS + 1)


def _replace(
    layer: Layer,
    rounded: Any,
    quantised: NDArray[np.int8],
    steps: NDArray[np.float32],
    becomes_convolution: bool,
) -> None:
    operations = import_openvino().opset13
    if becomes_convolution:
        quantised, steps = quantised[:, :, np.newaxis, np.newaxis], steps[:, :, np.newaxis, np.newaxis]
    weights = operations.multiply(operations.convert(operations.constant(quantised), "f32"), operations.constant(steps))
    old = layer.operation
    if layer.is_convolution:
        found = old.get_attributes()
        places = [found[name] for name in ("strides", "pads_begin", "pads_end", "dilations", "auto_pad")]
        new = operations.convolution(rounded, weights, *places)
    elif becomes_convolution:
        new = operations.convolution(rounded, weights, [1, 1], [0, 0], [0, 0], [1, 1])
        bias, after = _find_bias(layer)
        if bias is not None:
            old, new = after, operations.add(new, operations.constant(bias.reshape(1, -1, 1, 1)))
        new = operations.squeeze(operations.transpose(new, np.array([0, 2, 3, 1])), operations.constant(np.array([2])))
    else:
        new = operations.matmul(rounded, weights, False, True)
    old.output(0).replace(new.output(0))


def _find_bias(layer: Layer) -> tuple[NDArray[np.float32] | None, Any]:
    """Find the constant that is added to a layer's output, and the node that adds it; None without one."""
    consumers = list(layer.operation.output(0).get_target_inputs())
    if len(consumers) == 1 and consumers[0].get_node().get_type_name() == "Add":
        node = consumers[0].get_node()
        bias = _constant(node.input_value(1 - consumers[0].get_index()))
        if bias is not None and bias.size == len(layer.weights):
            return bias, node
    return None, None


def _unsqueeze(source: Any, axis: int) -> Any:
    operations = import_openvino().opset13
    return operations.unsqueeze(source, operations.constant(np.array([axis])))


def _constant(output: Any) -> NDArray[np.float32] | None:
    """Return the value of a constant, maybe stored in float16 and converted; None for anything else."""
    node = output.get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return np.asarray(node.get_data(), dtype=np.float32) if node.get_type_name() == "Constant" else None
