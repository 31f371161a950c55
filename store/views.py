"""The views: the public contract of the database. Tables may change, these only grow.

Each is one SELECT that SQLite and PostgreSQL both read, made anew by `store.schema.upgrade`.
`v_articles.table` is the typed handle for queries written with SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Boolean, Float, Integer, Text

from store.tables import BigInt, Json, UtcDateTime

# What a story can call its own: families whose piece is neither a copy nor credits another wire.
# A story of nothing but copies still has the one source that they copy.
_INDEPENDENT = """
CASE WHEN COUNT(a.id) = 0 THEN 0
     WHEN COUNT(DISTINCT CASE WHEN a.copy_of IS NULL AND (a.wire IS NULL OR a.wire = a.family)
                              THEN a.family END) = 0 THEN 1
     ELSE COUNT(DISTINCT CASE WHEN a.copy_of IS NULL AND (a.wire IS NULL OR a.wire = a.family)
                              THEN a.family END) END
"""


@dataclass(frozen=True)
class View:
    name: str
    columns: Mapping[str, Any]
    sql: str

    @property
    def table(self) -> sa.TableClause:
        return sa.table(self.name, *[sa.column(name, kind) for name, kind in self.columns.items()])


v_articles = View(
    "v_articles",
    {
        "article_id": Text, "ref": Text, "url": Text, "title": Text, "outlet": Text,
        "outlet_name": Text, "family": Text, "verified": Boolean, "wire": Text, "lang": Text,
        "published": UtcDateTime, "published_from": Text, "fetched": UtcDateTime,
        "event_time": UtcDateTime, "revision": Integer, "copy_of": Text, "novelty": Float,
        "story_id": Text, "lane": Integer,
    },
    """
    SELECT a.id AS article_id, a.ref, a.url, a.title, a.outlet, a.outlet_name, a.family,
           a.verified, a.wire, a.lang, a.published, a.published_from, a.fetched, a.event_time,
           a.revision, a.copy_of, a.novelty, COALESCE(s.merged_into, a.story_id) AS story_id,
           a.lane
      FROM articles a LEFT JOIN stories s ON s.id = a.story_id
    """,
)  # fmt: skip

v_stories = View(
    "v_stories",
    {
        "story_id": Text, "label": Text, "state": Text, "first_published": UtcDateTime,
        "last_published": UtcDateTime, "articles": Integer, "outlets": Integer,
        "independent_sources": Integer, "merged_into": Text, "continues": Text,
    },
    f"""
    SELECT s.id AS story_id, s.label, s.state, MIN(a.event_time) AS first_published,
           MAX(a.event_time) AS last_published, COUNT(a.id) AS articles,
           COUNT(DISTINCT a.outlet) AS outlets, {_INDEPENDENT} AS independent_sources,
           s.merged_into, s.continues
      FROM stories s LEFT JOIN articles a ON a.story_id = s.id
     GROUP BY s.id, s.label, s.state, s.merged_into, s.continues
    """,  # noqa: S608
)  # fmt: skip

v_story_articles = View(
    "v_story_articles",
    {
        "story_id": Text, "first_story_id": Text, "ref": Text, "article_id": Text,
        "is_copy": Boolean,
    },
    """
    SELECT COALESCE(s.merged_into, a.story_id) AS story_id, a.first_story_id, a.ref,
           a.id AS article_id, (a.copy_of IS NOT NULL) AS is_copy
      FROM articles a LEFT JOIN stories s ON s.id = a.story_id
    """,
)  # fmt: skip

# The wordings themselves stay in the table: they are long, and the publishers'.
v_revisions = View(
    "v_revisions",
    {
        "article_id": Text, "number": Integer, "title": Text, "fetched": UtcDateTime,
        "diff": Json, "revision": Text, "lane": Integer,
    },
    """
    SELECT r.article_id, r.number, r.title, r.fetched, r.diff, r.revision_hash AS revision, r.lane
      FROM revisions r
    """,
)  # fmt: skip

v_events = View(
    "v_events",
    {
        "event_id": Text, "title": Text, "version": Integer, "starts": Text, "ends": Text,
        "follows": Json, "matches": Integer, "last_match": UtcDateTime, "removed": Boolean,
    },
    """
    SELECT e.id AS event_id, e.title, e.version, e.starts, e.ends, e.follows,
           (SELECT COUNT(*) FROM matches m WHERE m.event_id = e.id AND m.matched) AS matches,
           (SELECT MAX(a.event_time) FROM matches m JOIN articles a ON a.id = m.article_id
             WHERE m.event_id = e.id AND m.matched) AS last_match,
           e.removed
      FROM events e
    """,
)  # fmt: skip

v_matches = View(
    "v_matches",
    {
        "match_id": Text, "event_id": Text, "article_id": Text, "ref": Text,
        "probability": Float, "matched": Boolean, "reasons": Json,
        "definition_version": Integer, "model": Text, "decided_at": UtcDateTime,
        "verdict": Text, "history": Boolean,
    },
    """
    SELECT m.id AS match_id, m.event_id, m.article_id, a.ref, m.probability, m.matched,
           m.reasons, m.definition_version, m.model, m.decided_at, v.verdict, m.history
      FROM matches m
      LEFT JOIN articles a ON a.id = m.article_id
      LEFT JOIN verdicts v ON v.event_id = m.event_id AND v.article_id = m.article_id
    """,
)  # fmt: skip

v_alerts = View(
    "v_alerts",
    {
        "alert_id": Text, "event_id": Text, "story_id": Text, "state": Text,
        "first_at": UtcDateTime, "updated_at": UtcDateTime, "headline": Text,
        "what_is_new": Text, "articles": Integer, "independent_sources": Integer,
        "sequence": Integer, "merged_into": Text,
    },
    """
    SELECT r.id AS alert_id, r.event_id, r.story_id,
           CASE WHEN r.merged_into IS NOT NULL THEN 'merged'
                WHEN r.articles = 0 THEN 'withdrawn'
                WHEN k.at >= r.told_at THEN 'acknowledged'
                ELSE 'open' END AS state,
           r.first_at, r.updated_at, r.headline, r.what_is_new, r.articles,
           r.independent_sources, r.sequence, r.merged_into
      FROM alerts r LEFT JOIN acks k ON k.alert_id = r.id
    """,
)  # fmt: skip

v_deliveries = View(
    "v_deliveries",
    {
        "alert_id": Text, "channel": Text, "state": Text, "attempts": Integer,
        "last_error": Text, "at": UtcDateTime, "sequence": Integer,
    },
    """
    SELECT o.alert_id, o.channel, o.state, o.attempts, o.last_error, o.at, o.sequence
      FROM outbox o
    """,
)  # fmt: skip

v_feeds = View(
    "v_feeds",
    {
        "url": Text, "outlet": Text, "state": Text, "last_ok": UtcDateTime,
        "next_at": UtcDateTime, "items_per_day": Float, "error": Text, "title": Text,
        "errors_in_row": Integer, "last_new": UtcDateTime, "health": Text,
        "health_since": UtcDateTime, "why": Text, "moved_to": Text, "moved_since": UtcDateTime,
        "last_at": UtcDateTime, "last_status": Integer, "folder": Text,
        "added": UtcDateTime,
    },
    """
    SELECT f.url, f.outlet, f.state, f.last_ok, f.next_at, f.items_per_day, f.error, f.title,
           f.errors_in_row, f.last_new, f.health, f.health_since, f.why, f.moved_to,
           f.moved_since, f.last_at, f.last_status, f.folder, f.added
      FROM feeds f
    """,
)  # fmt: skip

v_notices = View(
    "v_notices",
    {
        "notice_id": Text, "kind": Text, "subject": Text, "state": Text, "since": UtcDateTime,
        "sentence": Text, "told_at": UtcDateTime, "resolved_at": UtcDateTime, "told_as": Text,
    },
    """
    SELECT n.id AS notice_id, n.kind, n.subject,
           CASE WHEN n.resolved_at IS NULL THEN 'open' ELSE 'resolved' END AS state,
           n.since, n.sentence, n.told_at, n.resolved_at, n.told_as
      FROM notices n
    """,
)  # fmt: skip

# Every item that was seen, by feed and day. A row whose fates do not add up to `seen` is a bug.
v_ledger = View(
    "v_ledger",
    {
        "source": Text, "day": Text, "polls": BigInt, "failed": BigInt, "seen": BigInt,
        "stored": BigInt, "revised": BigInt, "duplicate": BigInt, "filtered": BigInt,
        "dead": BigInt,
    },
    """
    SELECT source, day, SUM(polls) AS polls, SUM(failed) AS failed, SUM(seen) AS seen,
           SUM(stored) AS stored, SUM(revised) AS revised, SUM(duplicate) AS duplicate,
           SUM(filtered) AS filtered, SUM(dead) AS dead
      FROM (SELECT source, {day} AS day, 1 AS polls,
                   CASE WHEN outcome IN ('ok', 'unchanged') THEN 0 ELSE 1 END AS failed,
                   seen, stored, revised, duplicate, filtered, dead FROM polls
            UNION ALL
            SELECT source, day, polls, failed, seen, stored, revised, duplicate, filtered, dead
              FROM polls_daily) AS books
     GROUP BY source, day
    """,
)  # fmt: skip

# A dead letter that was replayed and stored has one fate: stored.
# Ingest counts a poll's items by fate and names reasons for some of them ("filtered: too old"):
# what has a reason is taken out of the fate's plain count.
v_fates = View(
    "v_fates",
    {"stage": Text, "fate": Text, "reason": Text, "count": BigInt},
    """
    SELECT stage, fate, reason, SUM(n) AS count FROM (
        SELECT stage, fate, reason, COUNT(*) AS n FROM fates
         WHERE fate <> 'dead' OR NOT EXISTS (
               SELECT 1 FROM revisions AS r WHERE r.article_id = fates.article_id
                  AND fates.record = r.article_id || '@' || r.revision_hash)
         GROUP BY stage, fate, reason
        UNION ALL SELECT 'ingest', 'stored', '', SUM(stored) FROM {polls}
        UNION ALL SELECT 'ingest', 'revised', '', SUM(revised) FROM {polls}
        UNION ALL SELECT 'ingest', 'duplicate', '', SUM(duplicate) FROM {polls}
        UNION ALL SELECT 'ingest', 'filtered', '', SUM(filtered) FROM {polls}
        UNION ALL SELECT 'ingest', 'dead', '', SUM(dead) FROM {polls}
        UNION ALL SELECT 'ingest', {fate}, {reason}, {n} FROM {polls}, {reasons} AS r
        UNION ALL SELECT 'ingest', {fate}, '', -{n} FROM {polls}, {reasons} AS r
    ) AS counted GROUP BY stage, fate, reason HAVING SUM(n) > 0
    """,
)

# Polls that have a row of their own, and the days of those that have not.
_POLLS = """(
    SELECT stored, revised, duplicate, filtered, dead, reasons FROM polls UNION ALL
    SELECT stored, revised, duplicate, filtered, dead, reasons FROM polls_daily) AS polls"""

# How each database takes a JSON object of counts, and a time, apart.
_DIALECT = {
    "sqlite": {
        "polls": _POLLS,
        "day": "substr(at, 1, 10)",
        "reasons": "json_each(polls.reasons)",
        "fate": "substr(r.key, 1, instr(r.key || ':', ':') - 1)",
        "reason": "trim(substr(r.key, instr(r.key || ':', ':') + 1))",
        "n": "CAST(r.value AS INTEGER)",
    },
    "postgresql": {
        "polls": _POLLS,
        "day": "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        "reasons": "jsonb_each_text(polls.reasons)",
        "fate": "split_part(r.key, ':', 1)",
        "reason": "trim(substr(r.key, strpos(r.key || ':', ':') + 1))",
        "n": "CAST(r.value AS BIGINT)",
    },
}

VIEWS = (
    v_articles, v_stories, v_story_articles, v_revisions, v_events, v_matches, v_alerts,
    v_deliveries, v_feeds, v_ledger, v_fates, v_notices,
)  # fmt: skip

# What SQLite stores as text or numbers, by the name of the column: it is one kind in all views.
KINDS = {
    name: kind
    for view in VIEWS
    for name, kind in view.columns.items()
    if kind in (Boolean, Json, UtcDateTime)
}


def create(connection: sa.Connection) -> None:
    """Make all views (none may exist)."""
    for view in VIEWS:
        sql = view.sql
        if view in (v_fates, v_ledger):
            sql = sql.format(**_DIALECT[connection.dialect.name])
        connection.exec_driver_sql(f"CREATE VIEW {view.name} AS {sql.strip()}")


def drop(connection: sa.Connection) -> None:
    for view in VIEWS:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view.name}")
