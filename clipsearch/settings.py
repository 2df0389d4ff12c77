"""Read what the environment says.

CLIPSEARCH_CATALOG    folder of the catalog, or postgresql:// of a server's database
CLIPSEARCH_MODEL      model of a new catalog
CLIPSEARCH_DEVICE     cpu, cuda, cuda:1, mps
CLIPSEARCH_RUNTIME    torch, openvino
CLIPSEARCH_CACHE      folder for what can be made again
CLIPSEARCH_CONFIG     folder for what the user has decided on this machine
CLIPSEARCH_TOKEN      what visitors of the page must show
CLIPSEARCH_MILVUS_TOKEN  NAME:PASSWORD or token for a Milvus server
CLIPSEARCH_INDEX_SERVERS  Milvus servers that may have a catalog's index, milvus://HOST[:PORT] each
CLIPSEARCH_ALLOW_URL  1: the command line fetches pictures given as a URL; HOST:PORT, parted by commas: from there too
"""

import os
import re
from urllib.parse import urlsplit

from clipsearch.errors import InputError

STARTER = "starter"
"""The model that comes with the package."""

RUNTIMES = ("torch", "openvino")
"""What can run a model."""

DEFAULT_MAX_SECONDS = 60
"""For decoding one picture; the slowest of 1,150 odd ones took 2 s."""


def model_name() -> str | None:
    """The model a new catalog gets when none is named."""
    return os.environ.get("CLIPSEARCH_MODEL") or None


def device_name() -> str | None:
    return os.environ.get("CLIPSEARCH_DEVICE") or None


def runtime_name() -> str | None:
    return os.environ.get("CLIPSEARCH_RUNTIME") or None


def check_device(name: str | None) -> None:
    """
    Raises:
        InputError: no name of a device. Whether the machine has it is seen when a model is loaded.
    """
    if name is not None and not re.fullmatch(r"cpu|mps|cuda(:\d{1,2})?", name):
        raise InputError(f"{name!r} is no device; use cpu, cuda, cuda:1 or mps (--device, CLIPSEARCH_DEVICE)")


def check_runtime(name: str | None) -> None:
    """
    Raises:
        InputError: no name of a runtime.
    """
    if name not in (None, *RUNTIMES):
        raise InputError(f"{name!r} is no runtime; use {' or '.join(RUNTIMES)} (--runtime, CLIPSEARCH_RUNTIME)")


def is_url_allowed(url: str) -> bool:
    """Whether the environment lets the command line fetch a URL: any, or those of its host and port."""
    try:
        place = urlsplit(url).netloc.lower()
    except ValueError:
        place = ""
    return "1" in _allowed_urls() or place in allowed_hosts()


def allowed_hosts() -> frozenset[str]:
    """HOST:PORT in lower case, from which pictures may be fetched beside the ports of http and https."""
    return frozenset(each for each in _allowed_urls() if re.fullmatch(r"\S+:\d{1,5}", each))


def _allowed_urls() -> list[str]:
    return [each.strip().lower() for each in os.environ.get("CLIPSEARCH_ALLOW_URL", "").split(",")]
