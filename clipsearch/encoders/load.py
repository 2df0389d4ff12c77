"""Load encoders by model name, and choose the default model."""

import contextlib
import os
from dataclasses import replace
from pathlib import Path

from clipsearch import paths, settings
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.devices import choose_device, may_have_gpu
from clipsearch.encoders.families import family_of
from clipsearch.encoders.gpu_offload import AcceleratedEncoder
from clipsearch.encoders.hub import hub, known_models, model_files
from clipsearch.encoders.openvino import cache as compile_cache
from clipsearch.encoders.openvino.encoder import CompiledEncoder
from clipsearch.encoders.openvino.spec import is_compiled_directory
from clipsearch.encoders.precision import is_automatic, measure_int8, open_compiled, precision_of, require_openvino
from clipsearch.errors import ModelError, ModelUnavailableError
from clipsearch.notices import inform, notify, timed
from clipsearch.settings import STARTER
from clipsearch.types import ModelOptions

STARTER_DIRECTORY = Path(__file__).resolve().parent / STARTER

STARTER_DIM = 384
"""Dimensions of the starter's embeddings."""

# A starter with another fingerprint has damaged files, and would give other embeddings.
STARTER_FINGERPRINT = "ed0dbd31f6fb99a595da093cab23e17a3152d0cf3ed99584ee709733dd1d2b80"


# Names of models whose licence was said.
_licences_said: set[str] = set()


def load_encoder(model: str | ModelOptions) -> Encoder:
    """Load a model by name, without fallback to another one.

    A transformers model is compiled on its first use (`compile_cache`), and then runs without torch. A GPU, if there is
    one, runs pictures in bulk (`AcceleratedEncoder`).

    Args:
        model: its name, or options; options without a name are loaded as by `load_chosen_encoder`.

    Raises:
        InputError: unknown device, runtime or precision.
        ModelUnavailableError: its files are not on this machine and can't be downloaded.
        ModelError: it can't be loaded, is not a dual encoder, or does not support the requested device, runtime
            or precision.
    """
    options = ModelOptions(model) if isinstance(model, str) else model
    if options.name is None:
        return load_chosen_encoder(options)
    return _load(options.name, options)


def _load(name: str, options: ModelOptions) -> Encoder:
    device, runtime, precision = options.device, options.runtime, options.precision
    settings.check_device(device)
    settings.check_runtime(runtime)
    require_openvino(name, precision, device=device, runtime=runtime)
    if runtime == "openvino" and device is not None and device != "cpu":
        raise settings.unusable("device", device, f"OpenVINO runs models on the CPU here, not on {device}")
    if name == STARTER:
        starter = _load_compiled(STARTER_DIRECTORY, STARTER, options)
        if starter.fingerprint != STARTER_FINGERPRINT:
            raise ModelError(f"the starter model is damaged: install clipsearch again ({STARTER_DIRECTORY})")
        return starter
    directory = _find_directory(name)
    if directory is None:
        directory = hub.find_cached(name) or _pull(name, options.show_progress)
    else:
        name = str(directory)
    if is_compiled_directory(directory):
        return _load_compiled(directory, name, options)
    if runtime == "torch" or device not in (None, "cpu") or not model_files.is_complete(directory):
        return _load_with_torch(directory, name, device)
    is_free = is_automatic(precision)
    compiled = find_or_make_compiled(
        directory,
        name,
        runtime=runtime if is_free else "openvino",
        show_progress=options.show_progress,
        measures_int8=is_free,
    )
    if compiled is None:
        return _load_with_torch(directory, name, device)
    encoder = open_compiled(compiled, name, precision, show_progress=options.show_progress)
    if device == "cpu" or runtime == "openvino" or not is_free or not may_have_gpu():
        return encoder

    def load_accelerated() -> Encoder | None:
        best = choose_device(None)
        return None if best.type == "cpu" else _load_with_torch(directory, name, str(best))

    return AcceleratedEncoder(encoder, load_accelerated=load_accelerated)


def find_source(name: str) -> Path:
    """Find the directory of a model in the hub's layout, without a download.

    Raises:
        ModelError: it has none on this machine, like the starter and models that came compiled.
    """
    directory = None if name == STARTER else _find_directory(name) or hub.find_cached(name)
    if directory is None or is_compiled_directory(directory):
        raise ModelError(f"the model {name} has no files for transformers on this machine")
    return directory


def notify_licence(name: str) -> None:
    """Give a notice, once in this process, of a model that must not be used commercially.

    For what chooses or downloads a model; each load would repeat it with every query.
    """
    with contextlib.suppress(ModelError):  # a compiled one, or one whose reason is said when it is loaded
        licence = family_of(model_files.read_json(find_source(name) / model_files.CONFIG)).licence
        if licence is not None and name not in _licences_said:
            _licences_said.add(name)
            notify(f"{name}: models of this family are published under {licence}")


def find_or_make_compiled(
    directory: Path,
    name: str,
    *,
    runtime: str | None = None,
    show_progress: bool = False,
    measures_int8: bool = True,
) -> Path | None:
    """Return the compiled directory of a model in the hub's layout, compiling it on a cache miss.

    None when the model can't be compiled; the first time, a notice says so. A model that was just compiled is also
    measured in int8.

    Raises:
        ModelError: the model can't be compiled and `runtime` is "openvino".
    """
    compiled = compile_cache.find_compiled(directory)
    if compiled is not None:
        return compiled
    if runtime is None and compile_cache.find_refusal(directory) is not None:
        return None
    if show_progress:
        notify(f"compiling {name} for this machine, once, about half a minute")
    try:
        compiled = compile_cache.make_compiled(directory)
    except ModelError as error:
        if runtime is not None:
            raise ModelError(f"{name} can't be compiled: {error}") from error
        # When the model itself is invalid, transformers' error is clearer.
        _load_with_torch(directory, name, "cpu")
        notify(f"{name} can't be compiled ({error}): it runs through transformers, several times slower")
        return None
    if measures_int8:
        measure_int8(compiled, show_progress=show_progress)
    return compiled


def find_precision(options: ModelOptions) -> str | None:
    """Return the precision in which a model runs on the CPU here, making nothing; None where it is not compiled."""
    name = options.name
    if name is None or options.runtime == "torch" or options.device not in (None, "cpu"):
        return None
    try:
        directory = STARTER_DIRECTORY if name == STARTER else _find_directory(name) or hub.find_cached(name)
        if directory is not None and not is_compiled_directory(directory):
            directory = compile_cache.find_compiled(directory)
        return None if directory is None else precision_of(directory, options.precision)
    except (OSError, ModelError):  # files of the model are missing or damaged, as is told when it is loaded
        return None


def prepare_model(name: str, *, show_progress: bool = False) -> Path:
    """Download and compile a model ahead of its first use; returns the directory of the download.

    Raises:
        ModelUnavailableError: its files are not on this machine and can't be downloaded.
        ModelError: it can't be loaded.
    """
    if name == STARTER:
        return STARTER_DIRECTORY
    directory = _find_directory(name) or hub.pull(name, show_progress=show_progress)
    notify_licence(name)
    if not is_compiled_directory(directory):
        find_or_make_compiled(directory, name, show_progress=show_progress)
    return directory


def runs_with_torch(name: str) -> bool:
    """Return whether torch can run a model; False for one that exists in compiled form only."""
    if name == STARTER:
        return False
    directory = _find_directory(name)
    return directory is None or not is_compiled_directory(directory)


def _load_with_torch(directory: Path, name: str, device: str | None) -> Encoder:
    from clipsearch.encoders.torch_encoder import TransformersEncoder

    inform(f"model {name}: {directory}")
    with timed(f"load the model {name}, torch on {device or 'the best device'}"):
        return TransformersEncoder.load(directory, name=name, device=device)


def _load_compiled(directory: Path, name: str, options: ModelOptions) -> CompiledEncoder:
    if options.device is not None and options.device != "cpu":
        reason = f"the model {name} is compiled for the CPU, it can't run on {options.device}"
        raise settings.unusable("device", options.device, reason)
    if options.runtime == "torch":
        reason = f"the model {name} is compiled for OpenVINO, it can't run with torch"
        raise settings.unusable("runtime", options.runtime, reason)
    return open_compiled(directory, name, options.precision, show_progress=options.show_progress)


def load_chosen_encoder(options: ModelOptions) -> Encoder:
    """Load the model of the options, else of CLIPSEARCH_MODEL, else the default; errors as in `load_encoder`."""
    name = options.name or settings.model_name()
    if name is None:
        return _load_default_encoder(options)
    return load_encoder(replace(options, name=name))


def _load_default_encoder(options: ModelOptions) -> Encoder:
    """Load the default model from the local cache or the hub.

    Where it can't be had, falls back to the second default, else to the starter model, with one notice.
    """
    name, second = known_models.DEFAULT_MODEL, known_models.SECOND_DEFAULT_MODEL
    try:
        _fetch_default(name, options)
    except ModelError as error:
        # A hub that does not answer is not asked again.
        is_refused = not isinstance(error, ModelUnavailableError)
        if not _has_second_default(options, may_fetch=is_refused):
            return _starter_instead(str(error))
        notify(f"{error}: using {second}, which finds less. To switch later: clipsearch model use {name}")
        name = second
    return load_encoder(replace(options, name=name))


def _has_second_default(options: ModelOptions, *, may_fetch: bool) -> bool:
    name = known_models.SECOND_DEFAULT_MODEL
    if may_fetch:
        with contextlib.suppress(ModelError):
            _fetch_default(name, options)
    return hub.find_cached(name) is not None


def _fetch_default(name: str, options: ModelOptions) -> None:
    """Download a model unless it is cached.

    Raises:
        ModelUnavailableError: offline, or the hub does not answer.
        ModelError: the hub does not have it.
    """
    if hub.find_cached(name) is not None:
        return
    if options.show_progress and not hub.is_offline():
        notify(f"looking up {name} on the model hub, at most 5 seconds")
    size_bytes = hub.probe(name)
    if size_bytes is None:
        raise ModelUnavailableError(
            "the model hub is not used while HF_HUB_OFFLINE is set"
            if hub.is_offline()
            else "the model hub can't be reached"
        )
    _download(name, size_bytes, options.show_progress)


def _starter_instead(reason: str) -> Encoder:
    notify(
        f"{reason}: using the small starter model, which knows less than CLIP. "
        f"To switch later: clipsearch model use {known_models.DEFAULT_MODEL}",
    )
    return load_encoder(STARTER)


def _find_directory(name: str) -> Path | None:
    """Find the directory that a name refers to; None for a hub id.

    Raises:
        ModelUnavailableError: the name is a path, and the directory does not exist.
    """
    path = paths.expand_user(name)
    if os.path.isdir(path):  # noqa: PTH112 (False, not an error, for a name that is too long or not accessible)
        return path.absolute()
    repo_id = name.partition("@")[0]
    if name.startswith((".", "~", os.sep)) or path.is_absolute() or repo_id.count("/") != 1:
        raise ModelUnavailableError(
            f"the model directory {name} does not exist; a model is 'starter', a directory or a hub id like org/name"
        )
    return None


def _pull(name: str, show_progress: bool) -> Path:
    """Download a model that the user named.

    Raises:
        ModelUnavailableError: the message has a remedy.
    """
    try:
        return _download(name, hub.probe(name), show_progress)
    except ModelUnavailableError as error:
        raise ModelUnavailableError(f"{error}; '--model {STARTER}' works without a download") from error


def _download(name: str, size_bytes: int | None, show_progress: bool) -> Path:
    if size_bytes is not None:
        notify(f"downloading {name} ({size_bytes / 1e6:,.0f} MB), once")
    return hub.pull(name, show_progress=show_progress)
