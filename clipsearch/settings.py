"""Where things lie and what the environment says.

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
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from clipsearch.errors import InputError

STARTER = "starter"
"""The model that comes with the package."""

RUNTIMES = ("torch", "openvino")
"""What can run a model."""

DEFAULT_MAX_SECONDS = 60
"""For decoding one picture; the slowest of 1,150 odd ones took 2 s."""


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


def core_count() -> int:
    """Processor cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def available_bytes() -> int | None:
    """Memory that can be had without swapping; None where the system has no such file."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def sample_data_folder() -> Path:
    """The sample pictures: inside the installed package, else at the top of a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "sample_data"
    return inside if inside.is_dir() else package.parent / "sample_data"
