"""How the commands are run, and what they list."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

Run = Callable[..., subprocess.CompletedProcess[str]]


def polled(run: Run) -> list[str]:
    listed = run("list", "--json")
    return [row["url"] for row in json.loads(listed.stdout)]
