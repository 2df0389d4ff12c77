"""Parse the host names and origins of requests.

Source: RFC 6454, "The Web Origin Concept": scheme, host and port; RFC 9112, section 3.2, for the header Host.
"""

import ipaddress
import re
from typing import NamedTuple

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s/@:?#\[\]\\,;]+)(?::([0-9]{0,5}))?")
_ORIGIN = re.compile(r"(https?)://(.+)", re.IGNORECASE)


class Origin(NamedTuple):
    """Origin of a page: scheme, host and port.

    Attributes:
        host: lower case; an IPv6 address in compressed form, without brackets.
    """

    scheme: str
    host: str
    port: int


def parse_host(text: str, *, scheme: str) -> Origin | None:
    """Parse the header Host to an origin; None when it is not a name with an optional port."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return None
    host = found[1].lower()
    if host.startswith("["):
        try:
            host = ipaddress.IPv6Address(host[1:-1]).compressed
        except ValueError:
            return None
    port = int(found[2]) if found[2] else _DEFAULT_PORTS.get(scheme, 0)
    return Origin(scheme, host, port) if port <= 65535 else None


def parse_origin(text: str) -> Origin | None:
    """Parse the header Origin; None when invalid, or for "null", the opaque origin."""
    found = _ORIGIN.fullmatch(text)
    return None if found is None else parse_host(found[2], scheme=found[1].lower())


def is_address(host: str) -> bool:
    """Return whether a host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether a host, as in `Origin`, is this machine by its name or an address of the loopback."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)
