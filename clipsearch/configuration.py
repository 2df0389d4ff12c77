"""Read the user's configuration: environment variables, then config.toml.

Nothing else in the package reads the environment variables of these keys.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from clipsearch.errors import InputError

VARIABLES: Mapping[str, str] = {
    "catalog": "CLIPSEARCH_CATALOG",
    "model": "CLIPSEARCH_MODEL",
    "device": "CLIPSEARCH_DEVICE",
    "runtime": "CLIPSEARCH_RUNTIME",
    "precision": "CLIPSEARCH_PRECISION",
    "cache": "CLIPSEARCH_CACHE",
    "allow_url": "CLIPSEARCH_ALLOW_URL",
    "index_servers": "CLIPSEARCH_INDEX_SERVERS",
}
"""Environment variable by key of the file. Tokens are read from the environment only: no file shows or keeps them."""

# Keys whose value may also be a list of texts, and the one that may be true or false.
_LISTS = {"allow_url", "index_servers"}
_FLAG = "allow_url"

# A catalog on a server, and any other URL.
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

_FILE_NAME = "config.toml"
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting and where it comes from.

    Attributes:
        value: as an environment variable has it; None: the default.
        origin: the name of the environment variable, "FILE, line N", or "default".
    """

    key: str
    value: str | None
    origin: str


def config_dir() -> Path:
    """Return the folder of config.toml and of what the user has decided on this machine.

    $CLIPSEARCH_CONFIG, or the folder around it if it ends with ".toml"; else the user's configuration folder.
    """
    return config_file().parent


def config_file() -> Path:
    """Return the path of config.toml, which need not exist: in the folder of `config_dir`."""
    configured = os.environ.get("CLIPSEARCH_CONFIG")
    if configured and configured.endswith(".toml"):
        return Path(configured)
    if not configured:
        import platformdirs

        configured = platformdirs.user_config_dir("clipsearch", False)
    return Path(configured, _FILE_NAME)


def find(key: str) -> str | None:
    """Return the value of a key of `VARIABLES`: of the environment, else of the file, else None.

    Raises:
        InputError: the file is invalid; the message names it and the line.
    """
    return os.environ.get(VARIABLES[key]) or _read().get(key)


def find_setting(key: str) -> Setting:
    """Find a value with its origin; errors as in `find`."""
    value = os.environ.get(VARIABLES[key])
    if value:
        return Setting(key, value, VARIABLES[key])
    value = _read().get(key)
    return Setting(key, value, "default" if value is None else _place(key))


def origin_in_file(key: str) -> str | None:
    """Return "FILE, line N" when the value of a key comes from the file, else None; errors as in `find`."""
    found = find_setting(key)
    return None if found.value is None or found.origin == VARIABLES[key] else found.origin


def check_key(key: str) -> None:
    """Check the name of a key.

    Raises:
        InputError: there is no such key.
    """
    if key not in VARIABLES:
        close = get_close_matches(key.lower().replace("-", "_"), VARIABLES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"use {', '.join(list(VARIABLES)[:-1])} or {[*VARIABLES][-1]}"
        raise InputError(f"no key {key!r}: {hint}")


def check_value(key: str, value: Any) -> str:
    """Return a value of the file as an environment variable has it.

    Raises:
        InputError: it is of another type, or a relative path, which each current folder would make another one.
    """
    if key in _LISTS and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    if key == _FLAG and isinstance(value, bool):
        return "1" if value else "0"
    if not isinstance(value, str) or not value:
        kinds = [
            "a text in quotes",
            *(["a list of texts"] if key in _LISTS else []),
            *(["true"] if key == _FLAG else []),
        ]
        raise InputError(f"{key} takes {' or '.join(kinds)}, not {value!r}")
    is_path = key in {"catalog", "cache"} and not _URL.match(value)
    if is_path and not (value.startswith("~") or Path(value).is_absolute()):
        raise InputError(f"{key} takes an absolute path, not {value!r}")
    return value


# The last file that was read: its path and stamp, and its values.
_last: tuple[tuple[str, int, int], dict[str, str]] | None = None


def _read() -> dict[str, str]:
    """Return the values of the file; none when there is no file.

    Raises:
        InputError: it can't be read, or a key or a value is invalid.
    """
    global _last  # noqa: PLW0603 (replaced as a whole: a thread sees the old one or the new one)
    path = config_file()
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # to read a named pipe would wait for ever
            raise InputError(f"{path} is not a regular file")
        stamp = (str(path), status.st_mtime_ns, status.st_size)
        if _last is not None and _last[0] == stamp:
            return _last[1]
        if status.st_size > _MAX_BYTES:
            raise InputError(f"{path} is too large for a configuration")
        values = _parse(path.read_bytes(), path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path, or bytes that are not UTF-8
        raise InputError(f"can't read {path}: {getattr(error, 'strerror', None) or error}") from error
    _last = (stamp, values)
    return values


def _parse(content: bytes, path: Path) -> dict[str, str]:
    import tomllib

    text = content.decode("utf-8")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}") from error
    values = {}
    for key, value in table.items():
        try:
            check_key(key)
            values[key] = check_value(key, value)
        except InputError as error:
            raise InputError(f"{path}, line {_line(text, key)}: {error}") from error
    return values


def _place(key: str) -> str:
    path = config_file()
    try:
        return f"{path}, line {_line(path.read_text(encoding='utf-8'), key)}"
    except (OSError, ValueError):  # changed meanwhile
        return str(path)


def _line(text: str, key: str) -> int:
    """Return the number of the line that a key of the top level, or a table of its name, stands in."""
    pattern = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[=.\]]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)
