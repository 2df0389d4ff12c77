"""Under which names a server is asked, and by pages of which origins.

Source: RFC 6454, "The Web Origin Concept": scheme, host and port; RFC 9112, section 3.2, for the header Host.
"""

import ipaddress
import re
from typing import NamedTuple

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s/@:?#\[\]\\,;]+)(?::([0-9]{0,5}))?")
_ORIGIN = re.compile(r"(https?)://(.+)", re.IGNORECASE)


class Origin(NamedTuple):
    """
    Attributes:
        host: in small letters; an IPv6 address in its short form, without brackets.
    """

    scheme: str
    host: str
    port: int


def parse_host(text: str, *, scheme: str) -> Origin | None:
    """The origin that the header Host of a request means; None for what is no name with an optional port."""
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
    """The header Origin; None for what is none, such as "null", that of a page without one."""
    found = _ORIGIN.fullmatch(text)
    return None if found is None else parse_host(found[2], scheme=found[1].lower())


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
