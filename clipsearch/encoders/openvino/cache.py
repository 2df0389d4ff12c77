"""Cache compiled models in the user's cache folder, one directory each, content-addressed by the model's files."""

import contextlib
import json
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.encoders.families import family_of
from clipsearch.encoders.fingerprint import combine, hash_file
from clipsearch.encoders.hub import model_files
from clipsearch.encoders.openvino.int8_record import read_record, read_refusal, write_refusal
from clipsearch.encoders.openvino.runtime import has_int8_products
from clipsearch.encoders.openvino.spec import FORMAT, is_compiled_directory, read_spec
from clipsearch.encoders.openvino.timing import read_image_ms
from clipsearch.errors import ModelError
from clipsearch.files import atomic_write, scratch_folder
from clipsearch.notices import notify
from clipsearch.paths import cache_dir
from clipsearch.processes import run_python

if TYPE_CHECKING:
    from subprocess import CompletedProcess

# Negative cache entry: the reason why a model could not be compiled, so that it is not retried every time.
_REFUSED = "refused.json"

# Signals of a crash in OpenVINO's own code, which then is tried in float32. Its fused gated MLP divides by zero in
# bfloat16 (OpenVINO 2026.4.1, AIMv2). Not SIGKILL, which also ends a process when memory is short.
_CRASHES = (signal.SIGFPE, signal.SIGSEGV, signal.SIGILL, signal.SIGABRT)


def find_compiled(source: Path) -> Path | None:
    """Find the compiled directory of a model in the hub's layout; None on a miss or when it is damaged."""
    target = _target(source)
    if not is_compiled_directory(target):
        return None
    try:
        read_spec(target)
    except ModelError as error:
        notify(f"{error}: it is compiled again")
        return None
    return target


def find_image_ms(source: Path) -> float | None:
    """Find how long a picture takes on this machine, in milliseconds; None unless it was measured when compiling.

    In int8 where that is taken unasked, else in the precision of the compiled model.
    """
    try:
        target = _target(source)
        with contextlib.suppress(ModelError):  # it is not compiled
            record = read_record(int8_directory(target))
            if record is not None and record.is_worth_it:
                return read_image_ms(int8_directory(target))
        return read_image_ms(target)
    except (OSError, ModelError):  # files of the model are missing
        return None


def find_refusal(source: Path) -> str | None:
    """Return why these versions of the libraries could not compile the model; None when that is not known."""
    try:
        content = json.loads((_target(source) / _REFUSED).read_text(encoding="utf-8"))
        return str(content["reason"]) if content["versions"] == _versions() else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def make_compiled(source: Path) -> Path:
    """Compile a model in a subprocess, which takes about 20 s for CLIP ViT-B/32, and cache the result.

    Raises:
        ModelError: compiling failed; the reason is cached when the model itself is not supported.
    """
    target = _target(source)
    try:
        with scratch_folder(target.parent) as scratch:
            _run_compiler(source, scratch, target)
            _put_in_place(scratch, target)
    except OSError as error:
        raise ModelError(
            f"can't write to {target.parent} ({error.strerror}): set CLIPSEARCH_CACHE to another folder"
        ) from error
    return target


def int8_directory(compiled: Path) -> Path:
    """Return where a compiled model's int8 form is cached, whether it exists or not.

    One for each kind of processor, as weights have more bits on some.

    Raises:
        ModelError: not a compiled model directory.
    """
    parts = {"fingerprint": read_spec(compiled).fingerprint, "has_int8_products": has_int8_products()}
    return cache_dir() / "compiled" / f"{combine(parts)[:32]}.int8"


def find_int8_refusal(compiled: Path) -> str | None:
    """Return why these versions of the libraries have no int8 form of a compiled model; None when that is not known."""
    return read_refusal(int8_directory(compiled), _versions())


def make_int8(compiled: Path) -> None:
    """Quantise a compiled model in a subprocess, which takes about 30 s for CLIP ViT-B/32, and cache the result.

    Raises:
        ModelError: it failed; the reason is cached when rows differ too much.
    """
    target = int8_directory(compiled)
    arguments = ["-m", "clipsearch.encoders.openvino.int8", str(compiled)]
    try:
        with scratch_folder(target.parent) as scratch:
            done = _run([*arguments, str(scratch)])
            if done.returncode != 0:
                kind, reason = _error_of(done)
                if kind.endswith("NotQuantisableError"):
                    with contextlib.suppress(OSError):  # it is retried the next time
                        shutil.rmtree(target, ignore_errors=True)
                        target.mkdir(parents=True, mode=0o700)
                        write_refusal(target, reason, _versions())
                raise ModelError(reason)
            shutil.rmtree(target, ignore_errors=True)
            scratch.rename(target)
    except OSError as error:
        raise ModelError(
            f"can't write to {target.parent} ({error.strerror}): set CLIPSEARCH_CACHE to another folder"
        ) from error


def _run_compiler(source: Path, scratch: Path, target: Path) -> None:
    arguments = ["-m", "clipsearch.encoders.openvino.compile", str(source), str(scratch)]
    done = _run(arguments)
    if -done.returncode in _CRASHES:
        done = _run([*arguments, "f32"])
    if done.returncode == 0 and is_compiled_directory(scratch):
        return
    kind, reason = _error_of(done)
    if kind.endswith("NotCompilableError"):
        _remember_refusal(target, reason)
    # All other failures (memory, a full disk, a signal) are transient, and not cached.
    raise ModelError(reason)


def _run(arguments: Sequence[str]) -> "CompletedProcess[str]":
    try:
        return run_python(arguments, HF_HUB_OFFLINE="1")
    except OSError as error:
        raise ModelError(f"can't start Python: {error.strerror}") from error


def _error_of(done: "CompletedProcess[str]") -> tuple[str, str]:
    """Return the class of the error that a process ended with, and the reason for the user."""
    last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
    kind, _, reason = last.partition(": ")
    is_ours = kind.endswith(("NotCompilableError", "NotQuantisableError", "ModelError"))
    return kind, reason if is_ours else last


def _put_in_place(scratch: Path, target: Path) -> None:
    """Rename the compiled model into the cache, unless another process already did: that one may be in use."""
    with contextlib.suppress(ModelError):
        read_spec(target)
        return
    shutil.rmtree(target, ignore_errors=True)
    try:
        scratch.rename(target)
    except OSError:
        if not is_compiled_directory(target):
            raise


def source_key(source: Path) -> str:
    """Return the cache key of a model, 32 hex digits: a hash of the content of all its files.

    Raises:
        ModelError: files are missing.
        OSError: files can't be read.
    """
    names = (model_files.CONFIG, model_files.PREPROCESSOR_CONFIG, model_files.PROCESSOR_CONFIG)
    files = [path for name in names if (path := source / name).is_file()]
    if _has_prompts(source) and (source / model_files.PROMPTS).is_file():
        files.append(source / model_files.PROMPTS)
    files += [*model_files.find_tokenizer_files(source), *model_files.find_weights(source)]
    return combine({"format": FORMAT, "files": {path.name: hash_file(path) for path in files}})[:32]


def _has_prompts(source: Path) -> bool:
    try:
        return bool(family_of(model_files.read_json(source / model_files.CONFIG)).prompt_names)
    except ModelError:  # a missing or damaged config is told when the model is loaded
        return False


def _target(source: Path) -> Path:
    return cache_dir() / "compiled" / source_key(source)


def _versions() -> dict[str, str]:
    from importlib.metadata import version  # lazy: it takes 20 ms, which a query does not need

    return {name: version(name) for name in ("openvino", "torch", "transformers")}


def _remember_refusal(target: Path, reason: str) -> None:
    try:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True, mode=0o700)
        content = json.dumps({"reason": reason, "versions": _versions()})
        atomic_write(target / _REFUSED, content.encode("utf-8"))
    except OSError:
        pass  # compiling is retried the next time
