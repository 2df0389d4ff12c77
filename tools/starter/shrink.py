"""Stores the weights of an ONNX file small: float16, or int8 with one scale per output channel.

The first nodes of the graph widen them again; OpenVINO and ONNX Runtime fold those nodes while loading, so that the
arithmetic stays float32.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

WeightKind = Literal["fp32", "fp16", "int8", "mixed"]  # mixed: convolutions float16, all else int8
SMALL = 2048  # numbers; tensors below stay as they are
PRODUCER = "clipsearch-starter"


@dataclass
class Rewrite:
    """The new graph while it is put together."""

    widen: list[NodeProto] = field(default_factory=list)  # nodes that go in front of all others
    tensors: list[TensorProto] = field(default_factory=list)
    replaced: dict[int, list[NodeProto]] = field(default_factory=dict)  # id of an old node → what stands in its place


def is_transposed(gemm: NodeProto) -> bool:
    return any(attribute.name == "transB" and attribute.i for attribute in gemm.attribute)


def scale_axes(node: NodeProto, dimensions: int) -> tuple[int, ...] | None:
    """The axes one int8 scale covers: all but the output channel. None where int8 does not apply."""
    if node.op_type == "Gather":
        return (1,)  # rows of a table
    if node.op_type == "MatMul":
        return (0,)
    if node.op_type == "Gemm":
        return (1,) if is_transposed(node) else (0,)
    if node.op_type == "Conv":
        return tuple(range(1, dimensions))
    return None


def is_depthwise(node: NodeProto, weight: NDArray[np.float32]) -> bool:
    return node.op_type == "Conv" and weight.shape[1] == 1


def store_half(rewrite: Rewrite, name: str, weight: NDArray[np.float32]) -> None:
    rewrite.tensors.append(numpy_helper.from_array(weight.astype(np.float16), name + "_h"))
    rewrite.widen.append(helper.make_node("Cast", [name + "_h"], [name], to=TensorProto.FLOAT))


def store_int8(
    rewrite: Rewrite, name: str, weight: NDArray[np.float32], axes: tuple[int, ...], table: NodeProto | None
) -> None:
    """`table`: the only node that looks rows of this weight up, if that is what it is for."""
    scale = np.maximum(np.abs(weight).max(axes, keepdims=True), 1e-12) / 127
    quantized = np.clip(np.rint(weight / scale), -127, 127).astype(np.int8)
    rewrite.tensors.append(numpy_helper.from_array(quantized, name + "_q"))
    if table is not None:  # look up first, widen after
        rewrite.tensors.append(numpy_helper.from_array(scale.astype(np.float32), name + "_s"))
        ids, out = table.input[1], table.output[0]
        rewrite.replaced[id(table)] = [
            helper.make_node("Gather", [name + "_q", ids], [out + "_q"], axis=0),
            helper.make_node("Gather", [name + "_s", ids], [out + "_s"], axis=0),
            helper.make_node("Cast", [out + "_q"], [out + "_f"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [out + "_f", out + "_s"], [out]),
        ]
        return
    # Cast → Neg → Mul(-scale), not Cast → Mul: OpenVINO 2026.4 takes the short form for compressed weights and then
    # computes nonsense with more than one stream; the long form is simply folded.
    rewrite.tensors.append(numpy_helper.from_array((-scale).astype(np.float32), name + "_s"))
    rewrite.widen += [
        helper.make_node("Cast", [name + "_q"], [name + "_c"], to=TensorProto.FLOAT),
        helper.make_node("Neg", [name + "_c"], [name + "_n"]),
        helper.make_node("Mul", [name + "_n", name + "_s"], [name]),
    ]


def shrink(path: Path, kind: WeightKind, smallest: int = SMALL) -> None:
    """Rewrites the file in place."""
    model = onnx.load(path)
    graph = model.graph
    nodes = list(graph.node)  # kept alive: `Rewrite.replaced` knows them by id
    users: dict[str, list[tuple[NodeProto, int]]] = {}
    for node in nodes:
        for place, name in enumerate(node.input):
            users.setdefault(name, []).append((node, place))
    rewrite = Rewrite()
    for tensor in graph.initializer:
        weight = numpy_helper.to_array(tensor)
        if weight.dtype != np.float32 or weight.size < smallest or kind == "fp32":
            rewrite.tensors.append(tensor)
            continue
        node, place = users[tensor.name][0]
        axes = scale_axes(node, weight.ndim)
        half = kind == "fp16" or (kind == "mixed" and node.op_type == "Conv")
        if half or axes is None or weight.ndim < 2 or is_depthwise(node, weight):
            store_half(rewrite, tensor.name, weight)
            continue
        looked_up = node.op_type == "Gather" and place == 0 and len(users[tensor.name]) == 1
        store_int8(rewrite, tensor.name, weight, axes, node if looked_up else None)
    kept = [new for node in nodes for new in rewrite.replaced.get(id(node), [node])]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(rewrite.widen + kept)
    graph.initializer.extend(rewrite.tensors)
    model.producer_name, model.doc_string = PRODUCER, ""
    onnx.checker.check_model(model)
    onnx.save(model, path)
