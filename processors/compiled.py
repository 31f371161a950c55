"""Loops over numbers, compiled to machine code by numba when they are first called.

What was compiled is kept beside the source or in the user's cache folder; where neither can be
written each process compiles anew, which takes a second or two. Sums are made in the order written
(nothing is `fastmath`), so that the same numbers come out on every machine. Arrays are not checked
for their bounds: what calls such a function answers for the sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function, compiled: of arrays and numbers only."""
    try:
        return cast(Function, njit(cache=True)(function))
    except RuntimeError:  # numba finds no folder that can be written
        return cast(Function, njit(function))
