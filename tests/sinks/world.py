"""Records for the tests of the sinks: short to write, real on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from sinks.alerts.policy import AlertPolicy
from sinks.database.stage import DatabaseSink
from sinks.outlets import Outlet, Outlets
from store import views
from store.connection import reading
from stream import records
from stream.log.contract import LogRecord, Partition
from stream.records import (
    Article,
    Considered,
    Decision,
    Embedded,
    History,
    Matched,
    Placed,
    Signal,
    StoryChange,
)

NOON = datetime(2018, 5, 27, 12, tzinfo=UTC)
EVENT = "singapore-summit"
LANE = Partition(records.MATCHED, 0)
OUTLETS = Outlets(
    [
        Outlet("meridian.example", "Meridian Wire", "Meridian Wire", kind="wire"),
        Outlet("ledger.example", "The Strait Ledger", "Ledger Group"),
        Outlet("mekong.example", "Mekong Current", "Ledger Group"),
        Outlet("harbor.example", "The Harbor Post", "Harbor Media"),
        Outlet("hangang.example", "Hangang Daily", "Hangang Media"),
        Outlet("courier.example", "Potomac Courier", "Courier"),
    ]
)


def decision(
    event: str = EVENT, probability: float = 0.9, *, version: int = 1, **more: Any
) -> Decision:
    return Decision(
        event_id=event,
        version=version,
        probability=probability,
        matched=more.pop("matched", probability >= 0.5),
        score=2.2,
        base=-1.0,
        signals=[
            Signal(name="description", value=0.7, contribution=2.5, note="reads like the event"),
            Signal(name="shared_names", value=1, contribution=0.7, note="names Kim Jong Un"),
        ],
        decider="d1",
        model="mini@1",
        sentence="The summit is on again.",
        shared=["Kim Jong Un"],
        **more,
    )


def matched(
    id_: str,
    story: str = "s1",
    *,
    outlet: str = "ledger.example",
    title: str | None = None,
    text: str = "The summit is on again.",
    revision: str = "r1",
    minute: int = 0,
    decisions: Iterable[Decision] | None = None,
    changes: Sequence[StoryChange] = (),
    copy_of: str | None = None,
    considered: Sequence[Considered] = (),
    **article: Any,
) -> Matched:
    at = NOON + timedelta(minutes=minute)
    values: dict[str, Any] = {
        "id": id_, "revision": revision, "title": title or f"Title of {id_}", "text": text,
        "outlet": outlet, "fetched": at, "published": at, "published_from": "feed",
        "lang": "en", "ref": f"ref-{id_}", "url": f"https://{outlet}/{id_}",
    } | article  # fmt: skip
    embedded = Embedded(
        article=_raw(Article(**values)), model="mini@1", dims=2, vector=b"\x00<\x00\x00"
    )
    placed = Placed(
        embedded=_raw(embedded), story=story, novelty=0.5, engine="e1", source_offset=0,
        copy_of=copy_of, changes=list(changes), considered=list(considered),
    )  # fmt: skip
    return Matched(
        placed=_raw(placed), decisions=[decision()] if decisions is None else list(decisions)
    )


def created(story: str, label: str = "A summit", *, continues: str | None = None) -> StoryChange:
    return StoryChange(kind="created", story=story, label=label, continues=continues)


def history(
    id_: str, probability: float = 0.8, *, version: int = 2, revision: str = "r1"
) -> History:
    return History(
        article_id=id_,
        revision=revision,
        decisions=[decision(probability=probability, version=version)],
    )


def _raw(record: Struct) -> msgspec.Raw:
    return msgspec.Raw(records.encode(record))


def on_log(values: Sequence[Struct | bytes], source: Partition, first: int = 0) -> list[LogRecord]:
    """The records as they stand in a partition, a second apart."""
    found = []
    for offset, value in enumerate(values, first):
        data = value if isinstance(value, bytes) else records.encode(value)
        time = NOON + timedelta(days=1, seconds=offset)
        found.append(LogRecord(source.topic, source.number, offset, None, data, {}, time))
    return found


class Feed:
    """Feeds records to a sink as the loop would, without a log."""

    def __init__(
        self, engine: sa.Engine, *, channels: Sequence[str] = ("console",), log_id: str = "log-1"
    ) -> None:
        self.engine, self.log_id = engine, log_id
        self.sink = DatabaseSink(engine, AlertPolicy(channels), OUTLETS)
        self._ends: dict[Partition, int] = {}

    def made(
        self, *values: Struct | bytes, topic: str = records.MATCHED, partition: int = 0
    ) -> list[LogRecord]:
        source = Partition(topic, partition)
        first = self._ends.get(source, 0)
        self._ends[source] = first + len(values)
        return on_log(values, source, first)

    def __call__(
        self,
        *values: Struct | bytes,
        topic: str = records.MATCHED,
        partition: int = 0,
        at_once: bool = True,
    ) -> list[LogRecord]:
        batch = self.made(*values, topic=topic, partition=partition)
        source = Partition(topic, partition)
        self.sink.start(source, self.log_id)
        for part in [batch] if at_once else [[record] for record in batch]:
            self.sink.process(part)
        return batch


def view(engine: sa.Engine, name: str) -> list[dict[str, Any]]:
    """All rows of a view, typed, in the order of their first columns."""
    table = next(v.table for v in views.VIEWS if v.name == name)
    query = sa.select(table).order_by(*list(table.c)[:3])
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def rows(engine: sa.Engine, table: sa.Table) -> list[dict[str, Any]]:
    query = sa.select(table).order_by(*table.primary_key)
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
