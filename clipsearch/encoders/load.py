"""From a model's name to an encoder; which model a catalog gets when nobody named one."""

import os
from dataclasses import replace
from pathlib import Path

from clipsearch import paths, settings
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.devices import choose_device, may_have_gpu
from clipsearch.encoders.gpu_offload import AcceleratedEncoder
from clipsearch.encoders.hub import hub, model_files
from clipsearch.encoders.openvino import cache as compile_cache
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.openvino.spec import is_compiled_directory
from clipsearch.errors import ModelError, ModelUnavailableError
from clipsearch.notices import notify
from clipsearch.settings import STARTER
from clipsearch.types import ModelOptions

STARTER_DIRECTORY = Path(__file__).resolve().parent / STARTER

# A starter with another one, because its files were damaged, would give other embeddings.
STARTER_FINGERPRINT = "ed0dbd31f6fb99a595da093cab23e17a3152d0cf3ed99584ee709733dd1d2b80"


def load_encoder(model: str | ModelOptions) -> Encoder:
    """Loads a model that was named; it is never replaced by another.

    A model of transformers is compiled when it is used for the first time (`compile_cache`), and then runs without
    torch. Where a GPU is found it takes the pictures that come in bulk (`AcceleratedEncoder`).

    Args:
        model: its name, or with it how to run it; without a name as `load_chosen_encoder`.

    Raises:
        InputError: no such device or runtime.
        ModelUnavailableError: its files are not here and can't be fetched.
        ModelError: it can't be loaded, is no dual encoder, or can't run the way that was asked for.
    """
    options = ModelOptions(model) if isinstance(model, str) else model
    if options.name is None:
        return load_chosen_encoder(options)
    return _load(options.name, options)


def _load(name: str, options: ModelOptions) -> Encoder:
    device, runtime = options.device, options.runtime
    settings.check_device(device)
    settings.check_runtime(runtime)
    if runtime == "openvino" and device not in (None, "cpu"):
        raise ModelError(f"OpenVINO runs models on the CPU here, not on {device}: leave --device or --runtime out")
    if name == STARTER:
        starter = _load_compiled(STARTER_DIRECTORY, STARTER, device, runtime)
        if starter.fingerprint != STARTER_FINGERPRINT:
            raise ModelError(f"the starter model is damaged: install clipsearch again ({STARTER_DIRECTORY})")
        return starter
    directory = _find_directory(name)
    if directory is None:
        directory = hub.find_cached(name) or _pull(name, options.show_progress)
    else:
        name = str(directory)
    if is_compiled_directory(directory):
        return _load_compiled(directory, name, device, runtime)
    if runtime == "torch" or device not in (None, "cpu") or not model_files.is_complete(directory):
        return _load_with_torch(directory, name, device)
    compiled = find_or_make_compiled(directory, name, runtime=runtime, show_progress=options.show_progress)
    if compiled is None:
        return _load_with_torch(directory, name, device)
    encoder = CompiledEncoder(compiled, name=name)
    if device == "cpu" or runtime == "openvino" or not may_have_gpu():
        return encoder

    def load_accelerated() -> Encoder | None:
        best = choose_device(None)
        return None if best.type == "cpu" else _load_with_torch(directory, name, str(best))

    return AcceleratedEncoder(encoder, load_accelerated=load_accelerated)


def find_or_make_compiled(
    directory: Path, name: str, *, runtime: str | None = None, show_progress: bool = False
) -> Path | None:
    """The compiled form of a model in the hub's layout; None, after a notice the first time, when there can't be one.

    Raises:
        ModelError: there can't be one and `runtime` is "openvino".
    """
    compiled = compile_cache.find_compiled(directory)
    if compiled is not None:
        return compiled
    if runtime is None and compile_cache.find_refusal(directory) is not None:
        return None
    if show_progress:
        notify(f"compiling {name} for this machine, once, about half a minute")
    try:
        return compile_cache.make_compiled(directory)
    except ModelError as error:
        if runtime is not None:
            raise ModelError(f"{name} can't be compiled: {error}") from error
        # What is wrong with the model itself is said now, and better, by the one that loads it.
        _load_with_torch(directory, name, "cpu")
        notify(f"{name} can't be compiled ({error}): it runs through transformers, several times slower")
        return None


def prepare_model(name: str, *, show_progress: bool = False) -> Path:
    """Downloads a model and compiles it, ahead of its first use; returns the directory of what was downloaded.

    Raises:
        ModelUnavailableError: its files are not here and can't be fetched.
        ModelError: it can't be loaded.
    """
    if name == STARTER:
        return STARTER_DIRECTORY
    directory = _find_directory(name) or hub.pull(name, show_progress=show_progress)
    if not is_compiled_directory(directory):
        find_or_make_compiled(directory, name, show_progress=show_progress)
    return directory


def runs_with_torch(name: str) -> bool:
    """False for a model that is compiled from the start."""
    if name == STARTER:
        return False
    directory = _find_directory(name)
    return directory is None or not is_compiled_directory(directory)


def _load_with_torch(directory: Path, name: str, device: str | None) -> Encoder:
    from clipsearch.encoders.torch_encoder import TransformersEncoder

    return TransformersEncoder.load(directory, name=name, device=device)


def _load_compiled(directory: Path, name: str, device: str | None, runtime: str | None) -> CompiledEncoder:
    if device not in (None, "cpu"):
        raise ModelError(
            f"the model {name} is compiled for the CPU, it can't run on {device}: leave --device (or "
            "CLIPSEARCH_DEVICE) out"
        )
    if runtime == "torch":
        raise ModelError(
            f"the model {name} is compiled for OpenVINO, it can't run with torch: leave --runtime (or "
            "CLIPSEARCH_RUNTIME) out"
        )
    return CompiledEncoder(directory, name=name)


def load_chosen_encoder(options: ModelOptions) -> Encoder:
    """The model named here, else by CLIPSEARCH_MODEL, else the default one. Errors as in `load_encoder`."""
    name = options.name or settings.model_name()
    if name is None:
        return _load_default_encoder(options)
    return load_encoder(replace(options, name=name))


def _load_default_encoder(options: ModelOptions) -> Encoder:
    """CLIP when it is in the local cache or can be downloaded, else the starter model with a notice that says so."""
    name = hub.DEFAULT_MODEL
    if hub.find_cached(name) is None:
        if options.show_progress and not hub.is_offline():
            notify(f"asking the model hub for {name}, at most 5 seconds")
        try:
            size_bytes = hub.probe(name)
            if size_bytes is None:
                is_offline = hub.is_offline()
                return _starter_instead(
                    "the model hub is not asked while HF_HUB_OFFLINE is set"
                    if is_offline
                    else "the model hub can't be reached"
                )
            _download(name, size_bytes, options.show_progress)
        except ModelError as error:
            return _starter_instead(str(error))
    return load_encoder(replace(options, name=name))


def _starter_instead(reason: str) -> Encoder:
    notify(
        f"{reason}: using the small starter model, which knows less than CLIP. "
        f"To switch later: clipsearch model use {hub.DEFAULT_MODEL}",
    )
    return load_encoder(STARTER)


def _find_directory(name: str) -> Path | None:
    """The directory a name means, None for a hub id.

    Raises:
        ModelUnavailableError: it is written as a path and there is no directory.
    """
    path = paths.expand_user(name)
    if os.path.isdir(path):  # noqa: PTH112 (False, not an error, for a name that is too long or may not be looked at)
        return path.absolute()
    repo_id = name.partition("@")[0]
    if name.startswith((".", "~", os.sep)) or path.is_absolute() or repo_id.count("/") != 1:
        raise ModelUnavailableError(
            f"no model directory {name}; a model is 'starter', a directory or a hub id like org/name"
        )
    return None


def _pull(name: str, show_progress: bool) -> Path:
    """Downloads a model that was named.

    Raises:
        ModelUnavailableError: with what to do.
    """
    try:
        return _download(name, hub.probe(name), show_progress)
    except ModelUnavailableError as error:
        raise ModelUnavailableError(f"{error}; '--model {STARTER}' works without a download") from error


def _download(name: str, size_bytes: int | None, show_progress: bool) -> Path:
    if size_bytes is not None:
        notify(f"downloading {name} ({size_bytes / 1e6:,.0f} MB), once")
    return hub.pull(name, show_progress=show_progress)
