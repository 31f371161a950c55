"""Room on the disk: ingest stops while what follows it can still be written."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

# A disk fills over minutes, and a look at it costs microseconds.
_LOOK_S = 2.0
# Going on takes a tenth more room than stopping did, or it would be stop and go at the edge.
_MARGIN = 1.1
_MB = 1_000_000
_say = structlog.get_logger("dateline.ingest")


class Floor:
    """Watches the disks that hold `files` (of the log and the database, where they are files)."""

    def __init__(self, files: Sequence[Path], megabytes: int) -> None:
        self._folders = sorted({file.resolve().parent for file in files})
        self._bytes = megabytes * _MB
        self._reason: str | None = None

    def problem(self) -> str | None:
        """One sentence when nothing more may be taken in, as of the last `look`; else None."""
        return self._reason

    def look(self) -> str | None:
        needed = self._bytes * (_MARGIN if self._reason else 1)
        for folder in self._folders:
            free = shutil.disk_usage(folder).free
            if free < needed:
                self._reason = (
                    f"the disk of {folder} has {free // _MB:,} MB free, under log.disk_floor_mb "
                    f"({self._bytes // _MB:,}): nothing is taken in until there is room; free some "
                    "or lower the floor"
                )
                return self._reason
        self._reason = None
        return None

    async def watch(self, changed: Callable[[], None]) -> None:
        """Look again and again, until cancelled; `changed` when it stops or may go on."""
        while True:
            before, now = self.problem(), self.look()
            if now is not None and before is None:
                _say.error("ingest.disk_floor", error=now)
            elif now is None and before is not None:
                _say.info("ingest.disk_room")
            if (now is None) != (before is None):
                changed()
            await asyncio.sleep(_LOOK_S)
