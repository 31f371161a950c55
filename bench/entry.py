"""How a measurement ends: a user's mistake is told in one sentence, not as a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from stream.errors import DatelineError, UsageError


def run(main: Callable[[], None]) -> None:
    """Exit 2 for wrong usage, 1 for any other known failure, as the program does."""
    try:
        main()
    except DatelineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
