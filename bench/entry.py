"""How a measurement begins and ends: help as it is written, a mistake told in one sentence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from stream.errors import DatelineError, UsageError


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Of `dateline bench NAME`."""
    return argparse.ArgumentParser(
        prog=f"dateline bench {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def numbers(text: str) -> list[int]:
    """Those of "1000,10000", in order; ValueError, which the parser tells, for anything else."""
    return sorted(int(one) for one in text.split(","))


def run(main: Callable[[], None]) -> None:
    """Exit 2 for wrong usage, 1 for any other known failure, as the program does."""
    try:
        main()
    except (DatelineError, OSError) as error:
        print(f"dateline: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError | FileNotFoundError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
