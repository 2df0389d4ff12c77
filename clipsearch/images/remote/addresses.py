"""Tell public IP addresses from all that IANA has reserved for other uses.

A table of its own, because the answers of `ipaddress` change with the version of Python.
"""

import ipaddress
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Source: IANA IPv4 Special-Purpose Address Registry, all of it, and the multicast addresses (RFC 5771). Globally
# reachable entries are excluded too: the nearest server answers for them, and none has pictures.
_IPV4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a provider's translation
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # not IANA's: services of Azure, reached from inside only
        "169.254.0.0/16",  # link-local; metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; metadata of Oracle's cloud
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

# Source: IANA IPv6 address space: everything routed between networks. Not public is all outside: loopback,
# IPv4-compatible, 64:ff9b:1::/48, 100::/64, 5f00::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8 …
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Source: IANA IPv6 Special-Purpose Address Registry, the entries inside 2000::/3.
_IPV6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID, drones
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# Source: RFC 6052, 2.1: the last 32 bits are an IPv4 address.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Return whether an address is on the public internet; an IPv4 address inside an IPv6 one is checked instead."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _IPV4)
    inner = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(inner)
    return address in _GLOBAL_UNICAST and not any(address in network for network in _IPV6)
