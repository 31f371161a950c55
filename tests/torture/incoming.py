"""The folder that a torture run's source reads, and what of the news is in it by now."""

from __future__ import annotations

import json
from pathlib import Path

from tests.torture.news import Portion


class Incoming:
    def __init__(self, folder: Path, portions: list[Portion]) -> None:
        self._folder, self._portions = folder / "incoming", portions
        self._folder.mkdir()
        self.rows = {row["id"]: row for _, rows in portions for row in rows}
        self._given = 0

    @property
    def given(self) -> str:
        return f"{self._given}/{len(self._portions)} portions of news"

    def give(self, part: float) -> None:
        """Such a part (0 to 1) of all portions is to be there, two at the least."""
        due = 2 + int((len(self._portions) - 2) * part)
        while self._given < due:
            name, rows = self._portions[self._given]
            path = self._folder / f"{name}.jsonl"
            path.with_suffix(".part").write_text(
                "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
            )
            path.with_suffix(".part").rename(path)
            self._given += 1

    def left(self) -> str:
        """What has not been read, in words; nothing = all is."""
        unread = [
            name for name, _ in self._portions if not (self._folder / f"{name}.done").exists()
        ]
        return f"{len(unread)} files to read" if unread else ""
