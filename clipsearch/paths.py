"""Where catalogs, the cache, configuration and bundled data lie."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from clipsearch.errors import InputError

StrPath: TypeAlias = str | os.PathLike[str]
"""A path as callers give it."""

NO_SAFE_NAME = "that URL"
"""What a catalog is called whose URL can't be shown: where a password in it ends is not clear."""

_SERVER = re.compile(r"postgres(?:ql)?(\+psycopg)?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CatalogPlace:
    """Where a catalog is.

    Attributes:
        directory: of what lies on this machine: the index files, and the database unless that is on a server.
        server: URL of the PostgreSQL database, as libpq takes it; None: SQLite in the directory.
    """

    directory: Path
    server: str | None = None

    def require_folder(self) -> Path:
        """
        Raises:
            InputError: the catalog is on a server.
        """
        if self.server is not None:
            raise InputError(
                f"{self} is on a server, and this is for a catalog in a folder; pg_dump makes copies of a database"
            )
        return self.directory

    def __str__(self) -> str:
        """For people: without a password."""
        return str(self.directory) if self.server is None else _without_password(self.server)


def catalog_place(given: str | os.PathLike[str] | None = None) -> CatalogPlace:
    """The catalog's folder, absolute, or its database: the one given, else CLIPSEARCH_CATALOG, else the platform's data
    folder.

    Raises:
        InputError: the name is empty, or a URL of something else.
    """
    if given is not None and not os.fspath(given):
        raise InputError("the catalog's folder is an empty name: leave the option out for the default one")
    chosen = given or os.environ.get("CLIPSEARCH_CATALOG")
    if not chosen:
        import platformdirs

        chosen = platformdirs.user_data_dir("clipsearch", False)
    text = str(chosen)
    if "://" not in text:
        return CatalogPlace(expand_user(chosen).absolute())
    if not _SERVER.match(text):
        raise InputError(
            f"{_without_password(text)} is no catalog: name a folder, or postgresql+psycopg://[NAME@]HOST[:PORT]/DATABASE"
        )
    server = _SERVER.sub("postgresql://", text, count=1)
    known_as = sha256(_without_password(server).encode("utf-8", "surrogateescape")).hexdigest()
    return CatalogPlace(cache_dir() / "catalogs" / known_as[:16], server)


def catalog_directory(given: str | os.PathLike[str] | None = None) -> Path:
    """As `catalog_place`, for what is done to a file.

    Raises:
        InputError: as there, or the catalog is on a server.
    """
    return catalog_place(given).require_folder()


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
        query = urlencode([pair for pair in parse_qsl(parts.query) if pair[0] != "password"], safe="/")
        if "@" in parts.path or "@" in parts.netloc.rpartition("@")[0]:
            return NO_SAFE_NAME  # a password with special letters that are not written as %40 and the like
        name, at, host = parts.netloc.rpartition("@")
        return urlunsplit((parts.scheme, name.partition(":")[0] + at + host, parts.path, query, ""))
    except ValueError:
        return NO_SAFE_NAME


def cache_dir() -> Path:
    """The folder for what can be made again: $CLIPSEARCH_CACHE, else the user's cache folder."""
    chosen = os.environ.get("CLIPSEARCH_CACHE")
    if not chosen:
        import platformdirs

        chosen = platformdirs.user_cache_dir("clipsearch")
    return Path(chosen)


def config_dir() -> Path:
    """The folder for what the user has decided on this machine: $CLIPSEARCH_CONFIG, else the user's folder for such."""
    chosen = os.environ.get("CLIPSEARCH_CONFIG")
    if not chosen:
        import platformdirs

        chosen = platformdirs.user_config_dir("clipsearch", False)
    return Path(chosen)


def index_folder(directory: Path) -> Path:
    """Where the index files of the catalog in `directory` lie."""
    return directory / "indexes"


def folder_path(name: str | os.PathLike[str]) -> Path:
    """
    Raises:
        InputError: the name is empty, as of a variable that is not set: it would mean the current folder.
    """
    if not os.fspath(name):
        raise InputError("the name of a folder is empty")
    return expand_user(name)


def absolute_folders(folders: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The real paths of folders given by a user, which need not be there, and URLs; errors as in `folder_path`."""
    return [
        folder.rstrip("/")
        if isinstance(folder, str) and is_folder_url(folder)
        else os.path.realpath(folder_path(folder))
        for folder in folders
    ]


def is_folder_url(folder: str) -> bool:
    """Whether the name of a folder is a URL, of any scheme."""
    return re.match(r"[a-z][a-z0-9+.-]*://", folder, re.IGNORECASE) is not None


def expand_user(path: str | os.PathLike[str]) -> Path:
    """A path with "~" and "~somebody" replaced by the home folder; as it is where there is, or can be, no such user."""
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):  # ValueError: "~\0" and names that are no text
        return Path(path)


def sample_data_folder() -> Path:
    """The sample pictures: inside the installed package, else at the top of a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "sample_data"
    return inside if inside.is_dir() else package.parent / "sample_data"
