"""Ask what OpenVINO can do on this processor."""

import os
from pathlib import Path
from typing import Any

from clipsearch import processes
from clipsearch.encoders.openvino.spec import Precision
from clipsearch.errors import ModelError
from clipsearch.images.preprocess import Preprocess
from clipsearch.openvino_loader import import_openvino, reason_of

# OpenVINO's capability names of precisions that not every processor supports.
_CAPABILITIES: dict[Precision, str] = {"bf16": "BF16", "f16": "FP16"}

# Instructions that add products of int8 numbers in 32 bits, by their names in /proc/cpuinfo.
_INT8_PRODUCTS = {"avx_vnni", "avx512_vnni", "amx_int8", "asimddp"}


def has_int8_products() -> bool:
    """Return whether this processor adds products of int8 numbers in 32 bits; False where that is unknown."""
    return not limits_instructions() and not _INT8_PRODUCTS.isdisjoint(processes.processor_flags())


def can_calculate_with(precision: Precision) -> bool:
    """Return whether this processor supports a precision natively; OpenVINO would emulate it, slowly."""
    if precision not in _CAPABILITIES:
        return True  # supported everywhere, so skip the query, which creates a Core
    if limits_instructions():
        return False
    capabilities = import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return _CAPABILITIES[precision] in capabilities


def limits_instructions() -> bool:
    """Return whether ONEDNN_MAX_CPU_ISA, which OpenVINO's kernels obey, allows no instructions newer than AVX2.

    Source: oneDNN's documentation, "CPU Dispatcher Control".
    """
    return os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in ("SSE41", "AVX", "AVX2")


def with_preprocessing(path: Path, preprocess: Preprocess) -> Any:
    """Read an image model of normalised pixels and prepend preprocessing of uint8 crops (n, height, width, 3)."""
    openvino = import_openvino()
    try:
        model = openvino.Core().read_model(str(path))
    except RuntimeError as error:
        raise ModelError(f"can't read the model {path}: {reason_of(error)}") from error
    steps = openvino.preprocess.PrePostProcessor(model)
    image = steps.input(0)
    image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    image.model().set_layout(openvino.Layout("NCHW"))
    scale = preprocess.rescale_factor
    image.preprocess().convert_element_type(openvino.Type.f32).mean([mean / scale for mean in preprocess.mean])
    image.preprocess().scale([std / scale for std in preprocess.std])
    return steps.build()
