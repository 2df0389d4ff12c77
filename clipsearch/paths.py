"""Locate catalogs, the cache and bundled data."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from clipsearch import configuration
from clipsearch.errors import InputError

StrPath: TypeAlias = str | os.PathLike[str]
"""Path argument of a public function."""

NO_SAFE_NAME = "that URL"
"""Name of a catalog whose URL can't be shown, because it is unclear where its password ends."""

_SERVER = re.compile(r"postgres(?:ql)?(\+psycopg)?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CatalogPlace:
    """Location of a catalog.

    Attributes:
        directory: folder on this machine with the index files, and with the database unless that is on a server.
        server: URL of the PostgreSQL database, as libpq takes it; None for SQLite in the directory.
    """

    directory: Path
    server: str | None = None

    def require_folder(self) -> Path:
        """Return the folder of a catalog that is not on a server.

        Raises:
            InputError: the catalog is on a server.
        """
        if self.server is not None:
            raise InputError(
                f"{self} is on a server, and this works only on a catalog in a folder; pg_dump copies a database"
            )
        return self.directory

    def __str__(self) -> str:
        """Return the location for display, without a password."""
        return str(self.directory) if self.server is None else _without_password(self.server)


def catalog_place(requested: str | os.PathLike[str] | None = None) -> CatalogPlace:
    """Return the location of a catalog: its folder, absolute, or its database.

    The requested one, else the configured one (CLIPSEARCH_CATALOG), else the platform's data folder.

    Raises:
        InputError: the name is empty, or a URL of something else.
    """
    if requested is not None and not os.fspath(requested):
        raise InputError("the name of the catalog's folder is empty: leave the option out for the default folder")
    location = requested or configuration.find("catalog")
    if not location:
        import platformdirs

        location = platformdirs.user_data_dir("clipsearch", False)
    text = str(location)
    if "://" not in text:
        return CatalogPlace(expand_user(location).absolute())
    if not _SERVER.match(text):
        raise InputError(
            f"{_without_password(text)} is not a catalog: name a folder, or postgresql+psycopg://[NAME@]HOST[:PORT]/DATABASE"
        )
    server = _SERVER.sub("postgresql://", text, count=1)
    digest = sha256(_without_password(server).encode("utf-8", "surrogateescape")).hexdigest()
    return CatalogPlace(cache_dir() / "catalogs" / digest[:16], server)


def catalog_directory(requested: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a catalog, located as in `catalog_place`.

    Raises:
        InputError: as in `catalog_place`, or the catalog is on a server.
    """
    return catalog_place(requested).require_folder()


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
        query = urlencode([pair for pair in parse_qsl(parts.query) if pair[0] != "password"], safe="/")
        if "@" in parts.path or "@" in parts.netloc.rpartition("@")[0]:
            return NO_SAFE_NAME  # a password with special characters that are not percent-encoded
        name, at, host = parts.netloc.rpartition("@")
        return urlunsplit((parts.scheme, name.partition(":")[0] + at + host, parts.path, query, ""))
    except ValueError:
        return NO_SAFE_NAME


def cache_dir() -> Path:
    """Return the folder for data that can be rebuilt: the configured one, else the user's cache folder."""
    configured = configuration.find("cache")
    if configured:
        return expand_user(configured)
    import platformdirs

    return Path(platformdirs.user_cache_dir("clipsearch"))


def index_folder(directory: Path) -> Path:
    """Return the folder with the index files of the catalog in `directory`."""
    return directory / "indexes"


def folder_path(name: str | os.PathLike[str]) -> Path:
    """Return the path of a folder named by the user, with "~" expanded.

    Raises:
        InputError: the name is empty, as from an unset variable: it would mean the current folder.
    """
    if not os.fspath(name):
        raise InputError("the name of a folder is empty")
    return expand_user(name)


def absolute_folders(folders: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return the real paths of folders named by the user, which need not exist; URLs stay URLs.

    Errors as in `folder_path`.
    """
    return [
        folder.rstrip("/")
        if isinstance(folder, str) and is_folder_url(folder)
        else os.path.realpath(folder_path(folder))
        for folder in folders
    ]


def is_folder_url(folder: str) -> bool:
    """Return whether the name of a folder is a URL, of any scheme."""
    return re.match(r"[a-z][a-z0-9+.-]*://", folder, re.IGNORECASE) is not None


def expand_user(path: str | os.PathLike[str]) -> Path:
    """Return a path with "~" and "~somebody" replaced by the home folder; unchanged without such a user."""
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):  # ValueError: "~\0" and names that are not text
        return Path(path)


def sample_data_folder() -> Path:
    """Return the folder of sample pictures: in the installed package, else at the top of a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "sample_data"
    return inside if inside.is_dir() else package.parent / "sample_data"
