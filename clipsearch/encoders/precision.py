"""Choose the precision that a compiled model is run in."""

from pathlib import Path

from clipsearch import settings
from clipsearch.encoders.devices import may_have_gpu
from clipsearch.encoders.openvino import cache as compile_cache
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.openvino.int8_record import Int8Record, read_record
from clipsearch.encoders.openvino.runtime import can_calculate_with
from clipsearch.encoders.openvino.spec import read_spec
from clipsearch.errors import ModelError
from clipsearch.notices import notify

_REMEDY = "leave --precision (or CLIPSEARCH_PRECISION) out"


def is_automatic(precision: str | None) -> bool:
    return precision in (None, "auto")


def require_openvino(name: str, precision: str | None, *, device: str | None, runtime: str | None) -> None:
    """Check that a precision, where one is requested, meets OpenVINO on the CPU.

    Raises:
        InputError: invalid precision.
        ModelError: another device or runtime is requested too.
    """
    settings.check_precision(precision)
    if is_automatic(precision):
        return
    if runtime == "torch":
        raise ModelError(f"{name} can't run in {precision} with torch, which has a precision of its own: {_REMEDY}")
    if device not in (None, "cpu"):
        raise ModelError(f"{name} can't run in {precision} on {device}, only on the CPU: {_REMEDY}")


def open_compiled(directory: Path, name: str, precision: str | None, *, show_progress: bool = False) -> CompiledEncoder:
    """Open a compiled model in a precision; "auto" or None: int8 where it pays, else that of the directory.

    Raises:
        ModelError: the precision can't be had for this model or on this processor.
    """
    if is_automatic(precision):
        encoder = CompiledEncoder(directory, name=name)
        record = _find_record(directory)
        if record is None or not record.is_worth_it:
            return encoder
        return CompiledEncoder(compile_cache.int8_directory(directory), name=name)
    if precision == "int8":
        return CompiledEncoder(_find_or_make_int8(directory, name, show_progress), name=name)
    if precision == "bf16":
        if not can_calculate_with("bf16"):
            raise ModelError(f"{name} can't run in bf16: this processor has no bfloat16 arithmetic: {_REMEDY}")
        if read_spec(directory).precision != "bf16":
            raise ModelError(f"{name} can't run in bf16: its rows would be too far from float32: {_REMEDY}")
        return CompiledEncoder(directory, name=name)
    return CompiledEncoder(directory, name=name, precision="f32")


def precision_of(directory: Path, precision: str | None) -> str:
    """Return the precision that `open_compiled` would take on this machine.

    Raises:
        ModelError: not a compiled model directory.
    """
    if precision is not None and not is_automatic(precision):
        return precision
    record = _find_record(directory)
    return "int8" if record is not None and record.is_worth_it else read_spec(directory).precision


def measure_int8(directory: Path, *, show_progress: bool = False) -> None:
    """Quantise a model that was just compiled, so that `open_compiled` knows whether int8 pays; errors are recorded."""
    if may_have_gpu() or _find_record(directory) is not None or compile_cache.find_int8_refusal(directory) is not None:
        return  # pictures in bulk run on the GPU
    if show_progress:
        notify("measuring whether int8 is faster, once, about half a minute")
    try:
        compile_cache.make_int8(directory)
    except ModelError:
        return  # it works without


def _find_or_make_int8(directory: Path, name: str, show_progress: bool) -> Path:
    if _find_record(directory) is None:
        try:
            reason = compile_cache.find_int8_refusal(directory)
            if reason is not None:
                raise ModelError(reason)
            if show_progress:
                notify(f"quantising {name} to int8 for this machine, once, about half a minute")
            compile_cache.make_int8(directory)
        except ModelError as error:
            raise ModelError(f"{name} can't run in int8: {error}: {_REMEDY}") from error
    return compile_cache.int8_directory(directory)


def _find_record(directory: Path) -> Int8Record | None:
    """Find what was measured of a compiled model in int8; None where it was not, or its files are damaged."""
    target = compile_cache.int8_directory(directory)
    record = read_record(target)
    if record is None:
        return None
    try:
        read_spec(target)
    except ModelError as error:
        notify(f"{error}: int8 is not used")
        return None
    return record
