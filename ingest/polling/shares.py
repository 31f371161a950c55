"""Which poller should have which host: the same answer for all who ask, and nobody in charge."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b

# One poller may hold this much more than its even share. Without a limit the few hosts with
# hundreds of feeds make shares uneven; at the exact share every new feed would move a host.
_SLACK = 1.1


def shared_out(weights: Mapping[str, int], live: Collection[str]) -> dict[str, str]:
    """Whose each host should be: the first in an order of the pollers that is the host's own
    (rendezvous hashing), so that few move when a poller comes or goes; passing over those that
    have more than their share already, heavy hosts first."""
    if not live:
        return {}
    if len(live) == 1:
        return dict.fromkeys(weights, next(iter(live)))
    limit = _SLACK * sum(weights.values()) / len(live)
    load = dict.fromkeys(live, 0)
    found = {}
    for host in sorted(weights, key=lambda h: (-weights[h], h)):
        order = sorted(live, key=lambda who: blake2b(f"{who}\n{host}".encode()).digest())
        fitting = [who for who in order if load[who] + weights[host] <= limit]
        who = fitting[0] if fitting else min(order, key=load.__getitem__)
        load[who] += weights[host]
        found[host] = who
    return found
