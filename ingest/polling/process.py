"""Which process this is, so that another on the same machine can tell when it has died."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

_PROC = Path("/proc")


def name() -> str:
    """For operators to read; never the same twice."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def identity() -> str:
    """This process among all that ever were; "" where the system does not tell. Host names will
    not do: containers may share one and yet count their processes apart."""
    return f"{_machine()} {os.getpid()} {_born(os.getpid())}" if _machine() else ""


def dead(who: str) -> bool:
    """True when `who`, an `identity`, ran on this machine and is no more; False also when that
    cannot be known from here."""
    machine, _, rest = who.partition(" ")
    pid, _, born = rest.partition(" ")
    return bool(machine) and machine == _machine() and _born(int(pid)) != born


def _machine() -> str:
    """This boot of this machine, and the namespace in which its processes are counted."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _born(pid: int) -> str:
    """When the process started, in ticks since boot; "" when there is none, or a dead one that
    its parent has not asked after."""
    try:
        # The name, in brackets, may hold anything; what follows it is made of plain words.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
