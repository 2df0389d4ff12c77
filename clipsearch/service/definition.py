"""Define what a service runs."""

import os
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from clipsearch import paths, processes
from clipsearch.errors import InputError
from clipsearch.paths import CatalogPlace

# Variables that a service does not have from the shell it is installed in; without those that hold secrets.
_VARIABLES = tuple(
    f"CLIPSEARCH_{name}" for name in ("MODEL", "DEVICE", "RUNTIME", "PRECISION", "CACHE", "CONFIG", "INDEX_SERVERS")
)

# Letters of a catalog's name in that of its service.
_NAME_LETTERS = 24


@dataclass(frozen=True, slots=True)
class Service:
    """What a service runs.

    Attributes:
        name: of ASCII letters, digits and "-"; one for each catalog.
        command: words, the first the absolute path of a program.
        environment: variables besides those of the system.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, place: CatalogPlace, arguments: Sequence[str]) -> "Service":
        """Return the service that runs a command of clipsearch on a catalog, in the Python of this process.

        Raises:
            InputError: the catalog's URL holds a password, or a word has characters that a file of text can't hold.
        """
        catalog = _catalog_of(place)
        python, *rest = processes.command(["-m", "clipsearch", *arguments, "--catalog", catalog])
        command = [_without_window(python), *rest]
        environment = {name: _absolute(name, value) for name in _VARIABLES if (value := os.environ.get(name))}
        for word in (*command, *environment.values()):
            if any(unicodedata.category(character) in {"Cc", "Cs"} for character in word):
                raise InputError(f"{word!r} has characters that the file of a service can't hold")
        return cls(name_of(place), command, environment)


def name_of(place: CatalogPlace) -> str:
    """Return the name of a catalog's service, from its location."""
    location = str(place) if place.server is not None else os.path.realpath(place.directory)
    digest = sha256(location.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    words = re.sub(r"[^a-z0-9]+", "-", Path(location).name.lower())[:_NAME_LETTERS].strip("-")
    return "-".join(filter(None, ("clipsearch", "" if words == "clipsearch" else words, digest)))


def absolute_model(name: str) -> str:
    """Return the name of a model as it means the same in each current folder: a directory by its absolute path."""
    directory = paths.expand_user(name)
    is_path = name.startswith((".", "~")) or directory.is_dir()
    return os.path.abspath(directory) if is_path else name  # noqa: PTH100 (without following links)


def _absolute(variable: str, value: str) -> str:
    if variable == "CLIPSEARCH_MODEL":
        return absolute_model(value)
    is_path = variable in {"CLIPSEARCH_CACHE", "CLIPSEARCH_CONFIG"}
    return os.path.abspath(paths.expand_user(value)) if is_path else value  # noqa: PTH100


def _catalog_of(place: CatalogPlace) -> str:
    if place.server is None:
        return str(place.directory)
    parts = urlsplit(place.server)
    if "@" in parts.path or parts.password is not None or dict(parse_qsl(parts.query)).get("password"):
        raise InputError(f"the password of {place} would stand in the file of the service: put it in ~/.pgpass")
    return place.server


def _without_window(python: str) -> str:
    """Return the path of Python; on Windows, of the one beside it that opens no window."""
    windowless = Path(python).with_name("pythonw.exe")
    return str(windowless) if sys.platform == "win32" and windowless.exists() else python
