"""Import OpenVINO, and ask what it can do on this processor."""

import importlib
import os
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from clipsearch import processes
from clipsearch.encoders.openvino.spec import Precision
from clipsearch.errors import ModelError
from clipsearch.images.preprocess import Preprocess

# A lock of its own, as that of the encoder is held while a model is loaded. Lock order: the encoder's, then this one.
_import_lock = threading.Lock()

# OpenVINO's capability names of precisions that not every processor supports.
_CAPABILITIES: dict[Precision, str] = {"bf16": "BF16", "f16": "FP16"}

# Instructions that add products of int8 numbers in 32 bits, by their names in /proc/cpuinfo.
_INT8_PRODUCTS = {"avx_vnni", "avx512_vnni", "amx_int8", "asimddp"}

# Those that openvino/__init__.py imports; one that is newer is imported with it.
_OPSETS = tuple(f"openvino.opset{number}" for number in range(1, 18))


def has_int8_products() -> bool:
    """Return whether this processor adds products of int8 numbers in 32 bits; False where that is unknown."""
    return not limits_instructions() and not _INT8_PRODUCTS.isdisjoint(processes.processor_flags())


def reason_of(error: RuntimeError) -> str:
    """Return the last line of OpenVINO's error, which follows locations in its source code."""
    return (str(error).strip().splitlines() or ["it does not say why"])[-1].split(" Please check")[0]


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


def import_openvino() -> Any:
    """Import OpenVINO without telemetry, and with a lazy converter and lazy operation sets; thread-safe.

    Importing it sends telemetry through the package openvino_telemetry, and writes an id to the home folder, unless
    that package can't be imported. The converter and the operation sets, from which models are built, are not needed
    for a query, and take a quarter and a third of the import time.

    Source: openvino/__init__.py, openvino/tools/ovc/__init__.py and telemetry_utils.py of OpenVINO 2026.4.1.
    """
    with _import_lock:
        is_first = "openvino" not in sys.modules
        modules = cast(dict[str, object], sys.modules)
        if is_first:
            modules["openvino_telemetry"] = modules["openvino.tools.ovc"] = None
            modules.update((name, ModuleType(name)) for name in _OPSETS)
        import openvino  # not from sys.modules, which has it while another thread is still importing it

        if is_first:
            del modules["openvino.tools.ovc"]
            openvino.convert_model = _convert_model
            for name in _OPSETS:
                del modules[name]
                vars(openvino).pop(name.rpartition(".")[2], None)
            openvino.__getattr__ = _import_opset
    return openvino


def _import_opset(name: str) -> ModuleType:
    """Import an operation set when it is first used as an attribute of `openvino`."""
    if f"openvino.{name}" not in _OPSETS:
        raise AttributeError(f"module 'openvino' has no attribute {name!r}")
    return importlib.import_module(f"openvino.{name}")


def _convert_model(*arguments: Any, **options: Any) -> Any:
    """Call the real `openvino.convert_model`, importing it lazily."""
    from openvino.tools.ovc import convert_model

    return convert_model(*arguments, **options)
