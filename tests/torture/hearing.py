"""What the processes of an arena say: reports through one pipe, errors through another."""

from __future__ import annotations

import json
import os
import re
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What a process says that found a server away, or no room on the disk.
_AWAY = re.compile(rb"does not answer|cannot be used now|cannot tell about|cannot be unpacked")


class Hearing:
    """Processes write to the file descriptors `report` (JSON lines, which become `events`) and
    `said` (what else they say, kept in a file). Through pipes: what they say must not be lost
    when no file can grow."""

    def __init__(self, folder: Path, broken: list[str]) -> None:
        """`broken`: gets what was said by those that ended and found no server away."""
        self._folder, self._broken = folder, broken
        self.events: deque[dict[str, Any]] = deque()
        reports, self.report = os.pipe()
        heard, self.said = os.pipe()
        threading.Thread(target=self._listen, args=(reports,), daemon=True).start()
        self._writer = threading.Thread(target=self._write_down, args=(heard,), daemon=True)
        self._writer.start()

    def close(self) -> None:
        os.close(self.report)
        os.close(self.said)
        self._writer.join(10)

    def journal(self, event: Mapping[str, Any]) -> None:
        """Kept beside the rest for whoever wants to know what happened (`--keep`)."""
        with (self._folder / "journal").open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def last_said(self, size: int) -> str:
        """The last `size` bytes that the processes said."""
        with (self._folder / "said").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read().decode(errors="replace")

    def _listen(self, reports: int) -> None:
        with os.fdopen(reports, "rb") as lines:
            for line in lines:
                event = json.loads(line)
                self.events.append(event)
                self.journal(event)

    def _write_down(self, heard: int) -> None:
        with os.fdopen(heard, "rb") as lines, (self._folder / "said").open("ab") as file:
            for line in lines:
                file.write(line)
                file.flush()
                if line.startswith(b"Traceback") or (
                    line.startswith(b"dateline: ") and not _AWAY.search(line)
                ):
                    self._broken.append(line.decode(errors="replace").strip())
