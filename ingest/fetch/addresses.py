"""Which network addresses may be asked.

Judged is the numeric address that will really be connected to: at the socket, so that a name that
means something else a moment later, or a redirect, meets the same rule (`ingest.fetch.sockets`).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

# Written out, because what `is_global` calls public depends on Python's version.
_NEVER_4 = tuple(
    IPv4Network(n)
    for n in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.168.0.0/16",
        "192.0.0.0/24", "192.88.99.0/24",  # protocol assignments; relays of 6to4
        "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15",  # examples, benches
        "224.0.0.0/4", "240.0.0.0/4",  # multicast; reserved and broadcast
        "168.63.129.16/32",  # public by its number, yet every Azure machine's own host answers
    )
)  # fmt: skip
# Public hosts live here and nowhere else. Outside lie loopback, private, link-local, site-local
# and multicast addresses, and the forms with an IPv4 address inside: compatible, translated
# (::ffff:0:a.b.c.d), NAT64 (64:ff9b::/96 and 64:ff9b:1::/48).
_PUBLIC_6 = IPv6Network("2000::/3")
_NEVER_6 = tuple(
    IPv6Network(n)
    for n in (
        "2001::/23",  # Teredo, benchmarks, ORCHID: protocols, not hosts
        "2002::/16",  # 6to4: an IPv4 address inside
        "2001:db8::/32", "3fff::/20", "3ffe::/16",  # examples; the closed 6bone
    )
)  # fmt: skip
# ISATAP names a host inside a site: these 32 bits, then its IPv4 address.
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


class RefusedAddress(OSError):
    """The connection would go to an address that may not be asked; a sentence why."""


class Rule:
    """Public addresses, those of `allow`, and never those of `refuse`."""

    def __init__(self, allow: Sequence[Network] = (), refuse: Sequence[Network] = ()) -> None:
        self._allow, self._refuse = allow, refuse

    def permits(self, address: str) -> bool:
        """Takes a numeric address; False for anything else."""
        ip = _numeric(address)
        if ip is None or any(ip in network for network in self._refuse):
            return False
        return any(ip in network for network in self._allow) or _public(ip)

    def refusal(self, address: str, name: str = "") -> RefusedAddress:
        """For an address that is not permitted, and the name that led to it."""
        what = f"{name} means {address}, which" if name else f"the address {address}"
        ip = _numeric(address)
        if ip is not None and any(ip in network for network in self._refuse):
            return RefusedAddress(f"{what} is in ingest.refuse_networks")
        return RefusedAddress(
            f"{what} is not public; name its network in ingest.allow_networks if it should be asked"
        )


def allowed(address: str, networks: Sequence[Network] = ()) -> bool:
    """Is this numeric address public, or in one of these networks?"""
    return Rule(networks).permits(address)


def _numeric(address: str) -> IPv4Address | IPv6Address | None:
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip


def _public(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NEVER_4)
    if ip not in _PUBLIC_6 or any(ip in network for network in _NEVER_6):
        return False
    return int(ip) >> 32 & 0xFFFF_FFFF not in _ISATAP
