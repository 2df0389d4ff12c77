"""From a model's name to an encoder; which model a catalog gets when nobody named one."""

import os
import warnings
from pathlib import Path

from clipsearch import settings
from clipsearch.encoders import hub
from clipsearch.encoders.base import Encoder
from clipsearch.encoders.compiled import CompiledEncoder, is_compiled_directory
from clipsearch.errors import ClipSearchNotice, ModelError, ModelUnavailableError
from clipsearch.settings import STARTER

STARTER_DIRECTORY = Path(__file__).resolve().parent / STARTER


def load_encoder(name: str, *, device: str | None = None, show_progress: bool = False) -> Encoder:
    """Loads a model that was named; it is never replaced by another.

    Args:
        name: "starter", a directory, or a hub id with an optional "@revision".
        device: "cpu", "cuda", "mps" …; None takes the best there is. Compiled models run on the CPU.
        show_progress: draw a bar when files have to be downloaded.

    Raises:
        ModelUnavailableError: its files are not here and can't be fetched.
        ModelError: it can't be loaded, or is no dual encoder.
    """
    if name == STARTER:
        return _load_compiled(STARTER_DIRECTORY, STARTER, device)
    directory = _find_directory(name)
    if directory is None:
        directory = hub.find_cached(name) or _pull(name, show_progress)
    else:
        name = str(directory)
    if is_compiled_directory(directory):
        return _load_compiled(directory, name, device)
    from clipsearch.encoders.transformers_encoder import TransformersEncoder

    return TransformersEncoder.load(directory, name=name, device=device)


def _load_compiled(directory: Path, name: str, device: str | None) -> CompiledEncoder:
    if device not in (None, "cpu"):
        raise ModelError(f"the model {name} is compiled for the CPU, it can't run on {device}: leave --device out")
    return CompiledEncoder(directory, name=name)


def load_chosen_encoder(name: str | None, *, device: str | None = None, show_progress: bool = False) -> Encoder:
    """The model named here, else by CLIPSEARCH_MODEL, else the default one. Errors as in `load_encoder`."""
    name = name or settings.model_name()
    if name is None:
        return load_default_encoder(device=device, show_progress=show_progress)
    return load_encoder(name, device=device, show_progress=show_progress)


def load_default_encoder(*, device: str | None = None, show_progress: bool = False) -> Encoder:
    """CLIP when it is in the local cache or can be downloaded, else the starter model with a notice that says so."""
    name = hub.DEFAULT_MODEL
    if hub.find_cached(name) is None:
        if show_progress:
            warnings.warn(f"asking the model hub for {name}, at most 5 seconds", ClipSearchNotice, stacklevel=2)
        try:
            size_bytes = hub.probe(name)
            if size_bytes is None:
                return _starter_instead("the model hub can't be reached")
            _download(name, size_bytes, show_progress)
        except ModelError as error:
            return _starter_instead(str(error))
    return load_encoder(name, device=device)


def _starter_instead(reason: str) -> Encoder:
    warnings.warn(
        f"{reason}: using the small starter model, which knows less than CLIP. "
        f"To switch later: clipsearch model use {hub.DEFAULT_MODEL}",
        ClipSearchNotice,
        stacklevel=3,
    )
    return load_encoder(STARTER)


def _find_directory(name: str) -> Path | None:
    """The directory a name means, None for a hub id.

    Raises:
        ModelUnavailableError: it is written as a path and there is no directory.
    """
    path = settings.expand_user(name)
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
        warnings.warn(f"downloading {name} ({size_bytes / 1e6:,.0f} MB), once", ClipSearchNotice, stacklevel=4)
    return hub.pull(name, show_progress=show_progress)
