"""The tables. Private: dashboards and checks read the views of `store/views.py`.

Four writers, none of which touches another's rows: ingest (`ingest`), the database sink (what it
derives from the log, with its positions: `derived`, and alerts with their outbox in `telling`),
delivery (the state of outbox rows, and notices), and the program itself (`processes`). Every
derived row carries `lane` and `log_offset`, the position of the `dateline.matched` record that last
wrote it, and is only overwritten by a later one; no derived row holds a wall-clock time of the
sink, so a rebuild from the same log gives the same rows.
"""

from __future__ import annotations

from store.tables.columns import BigInt, Json, UtcDateTime, metadata
from store.tables.derived import (
    articles,
    dead,
    events,
    fates,
    matches,
    positions,
    revisions,
    stories,
    verdicts,
)
from store.tables.ingest import feed_items, feeds, hosts, identities, pollers, polls, polls_daily
from store.tables.processes import pulses, schema_reach, stage_topics
from store.tables.telling import acks, alert_articles, alerts, notices, outbox

__all__ = [
    "BigInt",
    "Json",
    "UtcDateTime",
    "acks",
    "alert_articles",
    "alerts",
    "articles",
    "dead",
    "events",
    "fates",
    "feed_items",
    "feeds",
    "hosts",
    "identities",
    "matches",
    "metadata",
    "notices",
    "outbox",
    "pollers",
    "polls",
    "polls_daily",
    "positions",
    "pulses",
    "revisions",
    "schema_reach",
    "stage_topics",
    "stories",
    "verdicts",
]
