"""Servers that the user has named on this machine.

A catalog says where its index is, and a catalog may come from anybody: a token and embeddings go only to a server that
was named here, with `--index` or in the environment. That is remembered in the user's configuration, outside of any
catalog, so that neither a backup nor a folder brings it along. Who can't listen elsewhere than on this machine and is
given no token needs no naming.
"""

import os
from ipaddress import ip_address

from clipsearch.errors import InputError, VectorIndexError
from clipsearch.indexes.milvus.address import MilvusAddress, parse_index_url
from clipsearch.trust import add_to_list, read_list

LIST_NAME = "index-servers"

TOKEN_VARIABLE = "CLIPSEARCH_MILVUS_TOKEN"  # noqa: S105
SERVERS_VARIABLE = "CLIPSEARCH_INDEX_SERVERS"


def require_named(address: MilvusAddress) -> None:
    """
    Raises:
        VectorIndexError: nobody has named the server here, or not with TLS as it is meant now.
    """
    if is_named(address) or (is_here(address) and not os.environ.get(TOKEN_VARIABLE)):
        return
    raise VectorIndexError(
        f"the catalog says that its index is at {origin_of(address)}, a server that was never named on this machine: "
        "nothing was sent there. 'clipsearch index --index URL' names it, 'clipsearch index --index files' does "
        "without it"
    )


def is_named(address: MilvusAddress) -> bool:
    return origin_of(address) in {*_from_environment(), *read_list(LIST_NAME)}


def is_here(address: MilvusAddress) -> bool:
    """Whether the server is on this machine, by what it is called."""
    try:
        return address.host.lower() == "localhost" or ip_address(address.host).is_loopback
    except ValueError:
        return False


def remember(address: MilvusAddress) -> bool:
    """Notes that the user has named a server; says whether that could be written."""
    return add_to_list(LIST_NAME, origin_of(address))


def origin_of(address: MilvusAddress) -> str:
    """What a token is sent to: the server, and whether others on the way can read it."""
    return f"milvus://{address.server.lower()}{'?tls=1' if address.is_secure else ''}"


def _from_environment() -> list[str]:
    """
    Raises:
        InputError: what stands there is no URL.
    """
    found = []
    for url in os.environ.get(SERVERS_VARIABLE, "").replace(",", " ").split():
        try:
            found.append(origin_of(parse_index_url(url, catalog="")))
        except InputError as error:
            raise InputError(f"{SERVERS_VARIABLE}: {error}") from error
    return found
