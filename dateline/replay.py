"""An archive through the whole pipeline, in one process, into a database and log of its own."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dateline import app, backfill, offsets, registry
from dateline.config import Settings
from stream import records
from stream.errors import UsageError
from stream.log.contract import Log, Partition
from stream.stage import Loop, drain
from stream.telemetry import configure_logs

# The stages that follow ingest, in the order of the flow.
STAGES = ("embed", "cluster", "match", "database")


@dataclass
class Replayed:
    """What one replay did; counts of this run, and of the database after it."""

    file: str
    database: str
    seen: int
    stored: int
    revised: int
    duplicate: int
    filtered: int
    dead: int
    articles: int
    stories: int
    matches: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        fates = ", ".join(
            f"{count:,} {fate}"
            for fate in ("stored", "revised", "duplicate", "filtered", "dead")
            if (count := getattr(self, fate))
        )
        return (
            f"{self.seen:,} lines of {self.file}: {fates or 'none'}.\n"
            f"{self.database} now holds {self.articles:,} articles in {self.stories:,} stories"
            f" and {self.matches:,} matches."
        )


def replay(settings: Settings, file: Path, events: Path | None) -> Replayed:
    """Ingest `file` and run every stage until nothing waits. Safe to kill and to run again.

    Where a pipeline runs on that log already, it is left the work: the file goes in as backfill,
    as fast as that keeps up and while no live news waits.
    """
    import sqlalchemy as sa

    from ingest import archive
    from store.connection import reading

    configure_logs("warning" if settings.telemetry.level == "info" else settings.telemetry.level)
    if not file.is_file():  # before a database is made for it
        raise UsageError(f"cannot read the archive {file}: it is not a file")
    definitions = registry.load(events) if events is not None else []
    if not settings.embedded:
        app.open_log(settings).close()
    app.prepare(settings)
    log, engine = app.open_log(settings), app.open_engine(settings)
    try:
        if definitions:
            registry.apply(log, definitions)
        limit = settings.stages.dead_in_a_row
        runs = offsets.running(settings, "embed")
        loops = [
            Loop(app.make_stage(name, settings, deliver=False), log, dead_in_a_row=limit)
            for name in (() if runs else STAGES)
        ]
        with _Progress(file, log) as progress:
            report = archive.replay(
                file,
                log,
                engine,
                settings.ingest,
                progress=progress.reading,
                floor=app.disk_floor(settings),
                pace=backfill.pace(log) if runs else None,
            )
            progress.working()
            try:
                drain(loops, on_round=progress.round)
            finally:
                for loop in loops:
                    loop.close()
        with reading(engine) as connection:

            def count(query: str) -> int:
                return int(connection.execute(sa.text(query)).scalar() or 0)

            return Replayed(
                file=str(file),
                database=settings.public_database(),
                seen=report.seen,
                stored=report.stored,
                revised=report.revised,
                duplicate=report.duplicate,
                filtered=report.filtered,
                dead=report.dead,
                articles=count("SELECT count(*) FROM v_articles"),
                stories=count("SELECT count(DISTINCT story_id) FROM v_story_articles"),
                matches=count("SELECT count(*) FROM v_matches WHERE matched"),
            )
    finally:
        log.close()
        engine.dispose()


class _Progress:
    """A progress bar on standard error when a person is watching, else nothing."""

    def __init__(self, file: Path, log: Log) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._file, self._log = file, log
        self._bar = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(file=sys.stderr),
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> _Progress:
        self._bar.start()
        self._task = self._bar.add_task(f"reading {self._file.name}", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def reading(self, done: int, total: int | None = None) -> None:
        self._bar.update(self._task, completed=done, total=total)

    def working(self) -> None:
        total = self._end(records.ARTICLES)
        self._bar.update(self._task, description="placing and matching", completed=0, total=total)

    def round(self) -> None:
        """After each round of the stages: how many articles have come through."""
        if not self._bar.disable:
            self._bar.update(self._task, completed=self._end(records.MATCHED))

    def _end(self, topic: str) -> int:
        numbers = range(self._log.partitions(topic))
        return sum(self._log.bounds(Partition(topic, number))[1] for number in numbers)
