"""Runs a target under atheris."""

from __future__ import annotations

import sys
from collections.abc import Callable


def fuzz(target: Callable[[bytes], None]) -> None:
    """`target` raises when something that must hold does not; libFuzzer then keeps the input."""
    import atheris

    # The package is imported by now: instrument what it consists of.
    for name, module in list(sys.modules.items()):
        if name.startswith("ingest."):
            for function in vars(module).values():
                if callable(function) and getattr(function, "__module__", "") == name:
                    _instrument(atheris, function)
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


def _instrument(atheris: object, found: object) -> None:
    for function in [found, *vars(found).values()] if isinstance(found, type) else [found]:
        if hasattr(function, "__code__"):
            atheris.instrument_func(function)  # type: ignore[attr-defined]
