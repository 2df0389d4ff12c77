"""Where a catalog's collection lies on a Milvus server: what a URL says of it. Loads nothing."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from clipsearch.errors import InputError

INDEX_TYPES = ("FLAT", "HNSW", "IVF_FLAT", "DISKANN")
CONSISTENCY_LEVELS = ("Strong", "Bounded", "Eventually")

_FORM = "milvus://HOST[:PORT]/[DATABASE/][COLLECTION][?type=FLAT|HNSW|IVF_FLAT|DISKANN]"
# Source: Milvus's limits: letters, digits and underscores, at most 255. The dimension comes behind the name.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,239}")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_DEFAULT_PORT = 19530

# Of each approximate index what it is built and searched with, and what the server calls it.
_KNOBS = {
    "m": ("HNSW", "M"),
    "ef_construction": ("HNSW", "efConstruction"),
    "ef_search": ("HNSW", "ef"),
    "nlist": ("IVF_FLAT", "nlist"),
    "nprobe": ("IVF_FLAT", "nprobe"),
    "search_list": ("DISKANN", "search_list"),
}
_SEARCHED_WITH = ("ef", "nprobe", "search_list")


@dataclass(frozen=True, slots=True)
class MilvusAddress:
    """
    Attributes:
        database: "" for the server's default.
        collection: without the dimension that each one's name ends with.
        index_type: one of INDEX_TYPES; None: by the number of rows.
        consistency: of searches, one of CONSISTENCY_LEVELS.
        is_secure: TLS.
        build_params, search_params: in the server's words.
    """

    host: str
    port: int
    database: str
    collection: str
    index_type: str | None = None
    consistency: str = "Strong"
    is_secure: bool = False
    build_params: dict[str, int] = field(default_factory=dict)
    search_params: dict[str, int] = field(default_factory=dict)

    @property
    def server(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def shown_url(url: str) -> str:
    """For a message: a short one, and never a name or password."""
    return re.sub(r"//[^/]*@", "//…@", url)[:200]


def parse_index_url(url: str, *, catalog: str) -> MilvusAddress:
    """
    Args:
        catalog: uuid; the collection is called after it where the URL names none.

    Raises:
        InputError: it is no such URL, or holds a password, which the catalog would keep.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputError(f"the index is at no URL that can be read: use {_FORM}") from None
    if "@" in parts.netloc:
        # Not shown: it would stand in somebody's log.
        raise InputError(
            "no name and password in the index's URL, which the catalog keeps: put NAME:PASSWORD, or a token, into the "
            "environment variable CLIPSEARCH_MILVUS_TOKEN"
        )
    if parts.scheme != "milvus" or not parts.hostname or not _HOST.fullmatch(parts.hostname) or parts.fragment:
        raise InputError(f"{url!r} is no place for an index: use 'files' or {_FORM}")
    names = [name for name in parts.path.split("/") if name]
    if len(names) > 2 or not all(_NAME.fullmatch(name) for name in names):
        raise InputError(f"{url!r} names no database and collection: letters, digits and underscores, as in {_FORM}")
    index_type, consistency, is_secure = None, "Strong", False
    build, search = dict[str, int](), dict[str, int]()
    knobs: list[str] = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "type" and value.upper() in INDEX_TYPES:
            index_type = value.upper()
        elif name == "consistency" and value.capitalize() in CONSISTENCY_LEVELS:
            consistency = value.capitalize()
        elif name == "tls" and value in ("0", "1"):
            is_secure = value == "1"
        elif name in _KNOBS and re.fullmatch(r"[1-9]\d{0,5}", value):
            knobs.append(name)
            called = _KNOBS[name][1]
            (search if called in _SEARCHED_WITH else build)[called] = int(value)
        else:
            raise InputError(
                f"{name}={value} means nothing in the index's URL: there is type ({', '.join(INDEX_TYPES)}), "
                f"consistency ({', '.join(CONSISTENCY_LEVELS)}), tls=1, and numbers: {', '.join(_KNOBS)}"
            )
    for name in knobs:
        if _KNOBS[name][0] != index_type:
            raise InputError(f"{name} goes with type={_KNOBS[name][0]} in the index's URL")
    return MilvusAddress(
        host=parts.hostname,
        port=port or _DEFAULT_PORT,
        database=names[0] if len(names) == 2 else "",
        collection=names[-1] if names else "clipsearch_" + catalog.replace("-", "_"),
        index_type=index_type,
        consistency=consistency,
        is_secure=is_secure,
        build_params=build,
        search_params=search,
    )
