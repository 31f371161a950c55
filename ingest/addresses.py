"""Which network addresses may be asked for a feed.

The check sits where the socket is made, because only there is the address known that will really
be connected to: a name that resolves elsewhere a moment later, or a redirect, meets it as well.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

AddrInfo = tuple[int, int, int, str, Any]

# Python's is_global is true for these, or depends on its version: translation and tunnel ranges
# that carry a private IPv4 address inside, multicast, old site-local, benchmarks, shared space.
_NEVER: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ipaddress.ip_network(n)
    for n in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15",
        "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2002::/16",
        "3fff::/20", "5f00::/16", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip


class RefusedAddress(OSError):
    """The connection would go to an address that is not public."""


def allowed(address: str, networks: Sequence[IPv4Network | IPv6Network] = ()) -> bool:
    """Is this numeric address public, or in one of the allowed networks?"""
    try:
        ip: IPv4Address | IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if any(ip in network for network in networks):
        return True
    return ip.is_global and not any(ip in network for network in _NEVER)


def socket_factory(
    networks: Sequence[IPv4Network | IPv6Network],
) -> Callable[[AddrInfo], socket.socket]:
    """For `aiohttp.TCPConnector`; raises RefusedAddress instead of making a socket."""

    def make(info: AddrInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if not allowed(address[0], networks):
            raise RefusedAddress(f"the address {address[0]} is not public")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    return make
