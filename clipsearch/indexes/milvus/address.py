"""Parse the URL of a Milvus index (`milvus://…`), without loading pymilvus."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from clipsearch.errors import InputError

INDEX_TYPES = ("FLAT", "HNSW", "IVF_FLAT", "DISKANN")
CONSISTENCY_LEVELS = ("Strong", "Bounded", "Eventually")

_FORM = "milvus://HOST[:PORT]/[DATABASE/][COLLECTION][?type=FLAT|HNSW|IVF_FLAT|DISKANN]"
# Source: Milvus's limits: letters, digits and underscores, at most 255. The dimension is appended to the name.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,239}")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_DEFAULT_PORT = 19530

# Parameters of approximate indexes: their index type, and their name on the server.
_KNOBS = {
    "m": ("HNSW", "M"),
    "ef_construction": ("HNSW", "efConstruction"),
    "ef_search": ("HNSW", "ef"),
    "nlist": ("IVF_FLAT", "nlist"),
    "nprobe": ("IVF_FLAT", "nprobe"),
    "search_list": ("DISKANN", "search_list"),
}
_SEARCH_PARAMETERS = ("ef", "nprobe", "search_list")


@dataclass(frozen=True, slots=True)
class MilvusAddress:
    """Address of a catalog's collections on a Milvus server, and the parameters of their index.

    Attributes:
        host: name or IP address.
        port: TCP port.
        database: "" for the server's default.
        collection: prefix of the collections' names, which end with the dimension.
        index_type: one of INDEX_TYPES; None: chosen by the number of rows.
        consistency: consistency level of searches, one of CONSISTENCY_LEVELS.
        is_secure: whether to use TLS.
        build_params, search_params: with the server's parameter names.
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
        """Host and port, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def shown_url(url: str) -> str:
    """Return a URL for messages: at most 200 characters, without user name and password."""
    return re.sub(r"//[^/]*@", "//…@", url)[:200]


def parse_index_url(url: str, *, catalog: str) -> MilvusAddress:
    """Parse the URL of a Milvus index.

    Args:
        url: as the user gave it to `--index`.
        catalog: uuid; names the collection when the URL does not.

    Raises:
        InputError: the URL is invalid, or contains a password, which would be stored in the catalog.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputError(f"invalid URL of the index: use {_FORM}") from None
    if "@" in parts.netloc:
        # The message omits the URL, which would put the password into logs.
        raise InputError(
            "the index's URL must not contain a name and password, as it is stored in the catalog: set the environment "
            "variable CLIPSEARCH_MILVUS_TOKEN to NAME:PASSWORD, or to a token"
        )
    if parts.scheme != "milvus" or not parts.hostname or not _HOST.fullmatch(parts.hostname) or parts.fragment:
        raise InputError(f"invalid index {url!r}: use 'files' or {_FORM}")
    names = [name for name in parts.path.split("/") if name]
    if len(names) > 2 or not all(_NAME.fullmatch(name) for name in names):
        raise InputError(
            f"invalid database or collection in {url!r}: use letters, digits and underscores, as in {_FORM}"
        )
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
            parameter = _KNOBS[name][1]
            (search if parameter in _SEARCH_PARAMETERS else build)[parameter] = int(value)
        else:
            raise InputError(
                f"invalid option {name}={value} in the index's URL: use type ({', '.join(INDEX_TYPES)}), "
                f"consistency ({', '.join(CONSISTENCY_LEVELS)}), tls=1, or a number for {', '.join(_KNOBS)}"
            )
    for name in knobs:
        if _KNOBS[name][0] != index_type:
            raise InputError(f"the option {name} needs type={_KNOBS[name][0]} in the index's URL")
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
