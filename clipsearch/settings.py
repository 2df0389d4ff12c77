"""Read settings, and check the names of devices, runtimes and precisions.

From environment variables, those of `configuration.VARIABLES` also from config.toml:

CLIPSEARCH_CATALOG    folder of the catalog, or postgresql:// URL of a database
CLIPSEARCH_MODEL      model of a new catalog
CLIPSEARCH_DEVICE     cpu, cuda, cuda:1, mps
CLIPSEARCH_RUNTIME    torch, openvino
CLIPSEARCH_PRECISION  auto, f32, bf16, int8
CLIPSEARCH_CACHE      folder of caches, which can be rebuilt
CLIPSEARCH_CONFIG     config.toml, or the folder of it and of the user's decisions on this machine
CLIPSEARCH_TOKEN      token that clients of the web server must present
CLIPSEARCH_MILVUS_TOKEN  NAME:PASSWORD or token for a Milvus server
CLIPSEARCH_INDEX_SERVERS  trusted Milvus servers for a catalog's index, milvus://HOST[:PORT] each
CLIPSEARCH_ALLOW_URL  1: the command line fetches pictures given as a URL; HOST:PORT,...: also from these
"""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from clipsearch import configuration
from clipsearch.errors import ClipSearchError, InputError, ModelError
from clipsearch.types import ModelOptions

STARTER = "starter"
"""Name of the bundled model."""

RUNTIMES = ("torch", "openvino")
"""Names of the libraries that can run a model."""

PRECISIONS = ("auto", "f32", "bf16", "int8")
"""Names of the precisions that a model can be run in; "auto": the fastest whose rows agree with those of float32."""

DEFAULT_MAX_SECONDS = 60
"""Default time limit for decoding one picture; the slowest of 1,150 unusual ones took 2 s."""


def model_name() -> str | None:
    """Return the default model name of a new catalog."""
    return configuration.find("model")


def with_environment(options: ModelOptions) -> ModelOptions:
    """Return the options with device, runtime and precision from the environment or config.toml where they have none.

    Raises:
        InputError: config.toml is invalid, or its device, runtime or precision is; the message names the line.
    """
    return replace(
        options,
        device=options.device or _find_checked("device"),
        runtime=options.runtime or _find_checked("runtime"),
        precision=options.precision or _find_checked("precision"),
    )


def check(key: str, value: str) -> None:
    """Check the value of a key of config.toml.

    Raises:
        InputError: no such device, runtime, precision or model, or nothing that the key may be.
    """
    if not value.isprintable():
        raise InputError(f"{key} takes a text in one line, not {value!r}")
    checks: dict[str, Callable[[str], None]] = {
        "device": check_device,
        "runtime": check_runtime,
        "precision": check_precision,
        "model": _check_model,
        "allow_url": _check_allowed_urls,
    }
    if key in checks:
        checks[key](value)


def unusable(key: str, value: str, reason: str) -> ClipSearchError:
    """Return the error about a device or runtime that can't be used here, which says where to change it."""
    origin = configuration.origin_in_file(key)
    if origin is not None and configuration.find(key) == value:
        return InputError(f"{origin}: {reason}: change {key} there")
    return ModelError(f"{reason}: leave --{key} (or {configuration.VARIABLES[key]}) out")


def _check_model(name: str) -> None:
    named = with_suffix(ModelOptions(name)).name or ""
    is_known = named == STARTER or os.path.isdir(os.path.expanduser(named))  # noqa: PTH111, PTH112 (no errors)
    if not is_known and re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w.-]+)?", named) is None:
        raise InputError(f"invalid model {name!r}: use {STARTER}, a directory that exists, or a hub id like org/name")


def _check_allowed_urls(value: str) -> None:
    for each in value.split(","):
        if re.fullmatch(r"[01]|\S+:\d{1,5}", each.strip()) is None:
            raise InputError(f"allow_url takes 1, 0 or HOST:PORT, and several with commas, not {value!r}")


def _find_checked(key: str) -> str | None:
    value = configuration.find(key)
    origin = configuration.origin_in_file(key)
    if value is not None and origin is not None:
        try:
            check(key, value)
        except InputError as error:
            raise InputError(f"{origin}: {error}") from error
    return value


def with_suffix(options: ModelOptions) -> ModelOptions:
    """Return the options with the precision that their name ends with, as in "starter@int8"; it wins over another."""
    name, _, precision = (options.name or "").rpartition("@")
    return replace(options, name=name, precision=precision) if name and precision in PRECISIONS else options


def check_device(name: str | None) -> None:
    """Check the syntax of a device name.

    Raises:
        InputError: invalid name. Whether the machine has the device is checked when a model is loaded.
    """
    if name is not None and not re.fullmatch(r"cpu|mps|cuda(:\d{1,2})?", name):
        raise InputError(f"invalid device {name!r}: use cpu, cuda, cuda:1 or mps (--device, CLIPSEARCH_DEVICE)")


def check_runtime(name: str | None) -> None:
    """Check the name of a runtime.

    Raises:
        InputError: not one of `RUNTIMES`.
    """
    if name not in (None, *RUNTIMES):
        raise InputError(f"invalid runtime {name!r}: use {' or '.join(RUNTIMES)} (--runtime, CLIPSEARCH_RUNTIME)")


def check_precision(name: str | None) -> None:
    """Check the name of a precision.

    Raises:
        InputError: not one of `PRECISIONS`.
    """
    if name not in (None, *PRECISIONS):
        raise InputError(
            f"invalid precision {name!r}: use {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]} (--precision, "
            "CLIPSEARCH_PRECISION)"
        )


def is_url_allowed(url: str) -> bool:
    """Return whether CLIPSEARCH_ALLOW_URL lets the command line fetch a URL, by its host and port or any."""
    try:
        place = urlsplit(url).netloc.lower()
    except ValueError:
        place = ""
    return "1" in _allowed_urls() or place in allowed_hosts()


def allowed_hosts() -> frozenset[str]:
    """Return the HOST:PORT entries, in lower case, allowed in addition to the default ports of http and https."""
    return frozenset(each for each in _allowed_urls() if re.fullmatch(r"\S+:\d{1,5}", each))


def _allowed_urls() -> list[str]:
    return [each.strip().lower() for each in (configuration.find("allow_url") or "").split(",")]
