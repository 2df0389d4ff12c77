"""Import OpenVINO, without what it sends and what is not needed."""

import importlib
import sys
import threading
from types import ModuleType
from typing import Any, cast

# A lock of its own, as that of the encoder is held while a model is loaded. Lock order: the encoder's, then this one.
_import_lock = threading.Lock()

# Those that openvino/__init__.py imports; one that is newer is imported with it.
_OPSETS = tuple(f"openvino.opset{number}" for number in range(1, 18))


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


def reason_of(error: RuntimeError) -> str:
    """Return the last line of OpenVINO's error, which follows locations in its source code."""
    return (str(error).strip().splitlines() or ["it does not say why"])[-1].split(" Please check")[0]
