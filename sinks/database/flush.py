"""Writing the books back: one statement a table, rows in the order of their keys."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from sinks.database.books import Books
from sinks.database.rows import Row, upsert
from store import tables

_a, _m, _s = tables.articles.c, tables.matches.c, tables.stories.c


def flush(books: Books, channels: Iterable[str], perhaps_told: bool = False) -> None:
    """Everything that the books have changed; tellings for these channels, as claimed by a
    deliverer that died when they are `perhaps_told`."""
    c = books.connection
    for gone, into in books.merges:
        c.execute(tables.stories.update().where(_s.merged_into == gone).values(merged_into=into))
        c.execute(tables.articles.update().where(_a.story_id == gone).values(story_id=into))
    if moved := sorted(books.moved - set(books.changed_articles)):
        c.execute(
            tables.articles.update()
            .where(_a.id == sa.bindparam("article"))
            .values(story_id=sa.bindparam("story")),
            [{"article": id_, "story": books.articles[id_]["story_id"]} for id_ in moved],
        )
    upsert(c, tables.articles, books.changed_articles.values(), by_position=True)
    upsert(c, tables.revisions, books.new_revisions, by_position=True)
    upsert(
        c, tables.stories, [books.stories[id_] for id_ in books.changed_stories], by_position=True
    )
    _flush_matches(books)
    upsert(c, tables.fates, books.new_fates, by_position=True)
    _flush_alerts(books)
    upsert(
        c,
        tables.outbox,
        [
            {
                "id": f"{telling.alert_id}#{telling.sequence}@{channel}",
                "alert_id": telling.alert_id,
                "sequence": telling.sequence,
                "channel": channel,
                "told_at": telling.at,
                "payload": telling.payload,
                "state": "sending" if perhaps_told else "pending",
                "next_at": telling.at if perhaps_told else None,
            }
            for telling in books.tellings.values()
            for channel in channels
        ],
        kept=("state", "next_at"),  # delivery's; only the alert of a look-back is ever told anew
    )


def _flush_matches(books: Books) -> None:
    gone = sorted(
        key for key in books.changed_matches & books.stored_matches if books.matches[key] is None
    )
    if gone:
        books.connection.execute(
            tables.matches.delete().where(
                _m.event_id == sa.bindparam("event"), _m.article_id == sa.bindparam("article")
            ),
            [{"event": event, "article": article} for event, article in gone],
        )
    rows = [row for key in books.changed_matches if (row := books.matches[key]) is not None]
    upsert(books.connection, tables.matches, rows, by_position=True)


def _flush_alerts(books: Books) -> None:
    changed = [books.alerts[id_] for id_ in sorted(books.changed_alerts)]
    upsert(books.connection, tables.alerts, books.changed_alerts.values())
    joined: list[Row] = []
    left: list[Row] = []
    for alert in changed:
        before = books.stored_members.get(alert.id, {})
        left += [
            {"alert": alert.id, "article": id_} for id_ in sorted(set(before) - set(alert.members))
        ]
        joined += [
            {"alert_id": alert.id, "article_id": id_, "number": member.number}
            for id_, member in alert.members.items()
            if id_ not in before or before[id_].number != member.number
        ]
    x = tables.alert_articles
    if left:
        books.connection.execute(
            x.delete().where(
                x.c.alert_id == sa.bindparam("alert"), x.c.article_id == sa.bindparam("article")
            ),
            left,
        )
    upsert(books.connection, x, joined)
