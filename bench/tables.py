"""Tables for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Sequence

Lines = Sequence[Sequence[str]]


def show(head: Sequence[str], rows: Lines) -> None:
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        print("  " + "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())


def markdown(head: Sequence[str], rows: Lines) -> str:
    """Figures to the right, the first column to the left."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
