"""Allow-list of the Milvus servers that the user has named on this machine.

A catalog contains the URL of its index, and a catalog may be untrusted: a token and embeddings are sent only to a
server that was named here, with `--index` or in the environment. The list is stored in the user's configuration,
outside of any catalog, so that neither a backup nor a folder can extend it. Servers on this machine need no entry as
long as no token is set.
"""

import os
from ipaddress import ip_address

from clipsearch import configuration
from clipsearch.errors import InputError, VectorIndexError
from clipsearch.indexes.milvus.address import MilvusAddress, parse_index_url
from clipsearch.trust import add_to_list, read_list

LIST_NAME = "index-servers"

TOKEN_VARIABLE = "CLIPSEARCH_MILVUS_TOKEN"  # noqa: S105
SERVERS_VARIABLE = "CLIPSEARCH_INDEX_SERVERS"


def require_named(address: MilvusAddress) -> None:
    """Check that a server is trusted.

    Raises:
        VectorIndexError: the server is not on the allow-list, or with another TLS setting.
    """
    if is_named(address) or (is_here(address) and not os.environ.get(TOKEN_VARIABLE)):
        return
    raise VectorIndexError(
        f"the catalog's index is at {origin_of(address)}, a server that was never named on this machine: nothing was "
        "sent there. Trust it with 'clipsearch index --index URL', or use local files with 'clipsearch index --index "
        "files'"
    )


def is_named(address: MilvusAddress) -> bool:
    """Return whether the user has named a server, in the environment or with `--index`."""
    return origin_of(address) in {*_from_environment(), *read_list(LIST_NAME)}


def is_here(address: MilvusAddress) -> bool:
    """Return whether a server is on this machine, by its host name or loopback address."""
    try:
        return address.host.lower() == "localhost" or ip_address(address.host).is_loopback
    except ValueError:
        return False


def remember(address: MilvusAddress) -> bool:
    """Add a server to the allow-list; returns whether that could be written."""
    return add_to_list(LIST_NAME, origin_of(address))


def origin_of(address: MilvusAddress) -> str:
    """Return the origin that a token is sent to: the server, and whether TLS encrypts the connection."""
    return f"milvus://{address.server.lower()}{'?tls=1' if address.is_secure else ''}"


def _from_environment() -> list[str]:
    """Return the origins of the servers in CLIPSEARCH_INDEX_SERVERS.

    Raises:
        InputError: an entry is not a valid URL.
    """
    found = []
    for url in (configuration.find("index_servers") or "").replace(",", " ").split():
        try:
            found.append(origin_of(parse_index_url(url, catalog="")))
        except InputError as error:
            origin = configuration.find_setting("index_servers").origin
            raise InputError(f"{origin}: {error}") from error
    return found
