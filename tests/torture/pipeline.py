"""The pipeline of an arena as its operator has it: settings, log and database."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dateline import app, registry
from dateline.config import Settings, load
from dateline.status import lag
from store import tables
from store.connection import reading
from stream import records
from stream.log.contract import Partition, topics
from stream.log.sqlite import SqliteLog
from tests.torture import news

# Of the largest stretch of a partition that redelivery appends again.
AGAIN = 40


class Pipeline:
    def __init__(self, folder: Path, *, log: str, database: str) -> None:
        self.folder = folder
        (folder / "dateline.toml").write_text(
            f'database.url = "{database}"\nlog.url = "{log}"\nlog.article_partitions = 4\n'
            # Small, so that there are many of them to be killed in.
            "cluster.snapshot_every = 100\nembed.threads = 1\n"
            'alerts.channels = ["console"]\nalerts.console_json = true\nalerts.poll = 0.2\n'
            "alerts.operator_channels = []\nalerts.tell_backfill = true\nalerts.deadline = 2\n",
            encoding="utf-8",
        )
        self.settings: Settings = load(folder / "dateline.toml", environ={})
        if not database.startswith("postgresql"):
            self.settings.database.url = str(folder / database)
        if "://" not in log:
            self.settings.log.url = str(folder / log)

    def prepare(self) -> None:
        """Schema, topics and definitions, as an operator makes them."""
        app.open_engine(self.settings, upgrade=True).dispose()
        with self._log() as log:
            log.create_topics(topics(self.settings.log.article_partitions))
        self.define(version=1)

    def define(self, version: int) -> None:
        """Register the events; a later version is another wording, which is looked back with."""
        path = news.definitions(self.folder / "events", version)
        with self._log() as log:
            registry.apply_path(log, path)

    def left(self) -> str:
        """What is not done yet, in words; nothing = all is."""
        if behind := lag(self.settings):
            return f"{behind} records to handle"
        with self._log() as log:
            versions, looked = set(), set()
            for record in log.read(Partition(records.EVENTS, 0)):
                value = records.decode(record.value, records.TOPIC_RECORDS[records.EVENTS])
                if isinstance(value, records.Definition):
                    versions.add((value.id, value.version))
                elif isinstance(value, records.HistoryDone):
                    looked.add((value.event_id, value.version))
            newest = {id_: max(v for i, v in versions if i == id_) for id_, _ in versions}
            if missing := set(newest.items()) - looked:
                return f"look-backs of {sorted(missing)}"
        engine = app.open_engine(self.settings)
        try:
            with reading(engine) as connection:
                waiting = connection.execute(
                    sa.select(sa.func.count()).where(
                        tables.outbox.c.state.in_(("pending", "sending"))
                    )
                ).scalar_one()
        finally:
            engine.dispose()
        return f"{waiting} alerts to deliver" if waiting else ""

    def save_log(self, path: Path) -> None:
        """A copy of every record, for a look at what went wrong."""
        copy = SqliteLog(path)
        wanted = topics(self.settings.log.article_partitions)
        copy.create_topics(wanted)
        producer = copy.producer()
        with self._log() as log:
            for topic in wanted:
                for number in range(topic.partitions):
                    for record in log.read(Partition(topic.name, number)):
                        producer.send(
                            topic.name, record.value, key=record.key, partition=number,
                            headers=record.headers,
                        )  # fmt: skip
        producer.close()
        copy.close()

    def append_again(self, chance: random.Random) -> None:
        """Records that are on the log already, once more and in another order, in every topic that
        redelivery can double."""
        with self._log() as log:
            producer = log.producer()
            for topic in (records.ARTICLES, records.EMBEDDED, records.PLACED, records.MATCHED):
                source = Partition(topic, chance.randrange(log.partitions(topic)))
                first, after = log.bounds(source)
                if after <= first:
                    continue
                start = chance.randrange(first, after)
                found = list(log.read(source, start, start + AGAIN))
                chance.shuffle(found)
                for record in found[: AGAIN // 2]:
                    producer.send(
                        topic, record.value, key=record.key, partition=record.partition,
                        headers=record.headers,
                    )  # fmt: skip
            producer.close()

    @contextmanager
    def _log(self) -> Iterator[Any]:
        log = app.open_log(self.settings, make=True)
        try:
            yield log
        finally:
            log.close()
