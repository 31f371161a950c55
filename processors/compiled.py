"""Loops over numbers, compiled to machine code by numba when they are first called.

What was compiled is kept beside the source or in the user's cache folder; where neither can be
written each process compiles anew, which takes a quarter of a minute in all. Sums are made in the
order written (nothing is `fastmath`), so that the same numbers come out on every machine. Arrays
are not checked for their bounds: what calls such a function answers for the sizes.

numba throws away what it kept of a function when the file of that function changed, and only then:
a compiled function must not use functions or constants of other modules.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function, compiled: of arrays and numbers only."""
    made = njit(function)
    with suppress(RuntimeError):  # numba finds no folder that can be written
        made._cache = _Kept(function)  # as `njit(cache=True)` does, with its own class
    return cast(Function, made)


class _Kept(FunctionCache):  # type: ignore[misc]  # of Any
    """On a full disk, or after a power cut, a function is compiled all the same. Otherwise the
    article that came then would be taken for what is broken."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            with suppress(Exception):
                self.flush()  # what cannot be read now never can
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(Exception):
            super().save_overload(sig, data)
