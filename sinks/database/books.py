"""The rows that a batch may touch, read with a handful of queries and written back with another.

In between they are plain values in memory, so that each record sees what the one before it did
and the result does not depend on where batches are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

import sqlalchemy as sa

from sinks.database.rows import Row, upsert
from sinks.news import Alert, Member, Piece, Reason, Telling
from store import tables

_a, _m, _s, _r = tables.articles.c, tables.matches.c, tables.stories.c, tables.revisions.c
_LIGHT = [column for column in _a if column.name not in ("text", "vector")]


class Books:
    """What the database knows about the articles, stories and alerts of a batch."""

    def __init__(
        self,
        connection: sa.Connection,
        articles: Iterable[str],
        stories: Iterable[str],
        alerts: Iterable[str],
    ) -> None:
        self._connection = connection
        ids = sorted(set(articles))
        self.articles = _by(connection, sa.select(*_LIGHT).where(_a.id.in_(ids)), "id")
        # (article, revision) -> (number, lane)
        self.revisions: dict[tuple[str, str], tuple[int, int]] = {
            (row.article_id, row.revision_hash): (row.number, row.lane)
            for row in connection.execute(
                sa.select(_r.article_id, _r.revision_hash, _r.number, _r.lane).where(
                    _r.article_id.in_(ids)
                )
            )
        }
        self.matches: dict[tuple[str, str], Row | None] = {
            (row["event_id"], row["article_id"]): dict(row)
            for row in connection.execute(
                sa.select(tables.matches).where(_m.article_id.in_(ids))
            ).mappings()
        }
        self._stored_matches = set(self.matches)
        wanted = {*stories, *(row["story_id"] for row in self.articles.values())}
        self.stories = self._load_stories(wanted)
        survivors = {row["merged_into"] for row in self.stories.values()} - {None, *self.stories}
        self.stories |= self._load_stories(survivors)
        self.alerts = self._load_alerts(wanted | survivors, alerts)
        self._stored_members = {id_: dict(a.members) for id_, a in self.alerts.items()}

        self.merges: list[tuple[str, str]] = []
        self.moved: set[str] = set()
        self._articles: dict[str, Row] = {}
        self._revisions: list[Row] = []
        self._fates: list[Row] = []
        self._stories: set[str] = set()
        self._matches: set[tuple[str, str]] = set()
        self._alerts: set[str] = set()
        self._tellings: dict[tuple[str, int], Telling] = {}

    # -- reading ---------------------------------------------------------------------------------

    def _load_stories(self, ids: Iterable[str]) -> dict[str, Row]:
        wanted = sorted(ids)
        if not wanted:
            return {}
        return _by(self._connection, sa.select(tables.stories).where(_s.id.in_(wanted)), "id")

    def _load_alerts(self, stories: set[str], ids: Iterable[str]) -> dict[str, Alert]:
        t, x = tables.alerts.c, tables.alert_articles.c
        chosen = sa.or_(t.story_id.in_(sorted(stories)), t.id.in_(sorted(set(ids))))
        alerts: dict[str, Alert] = {}
        for row in self._connection.execute(sa.select(tables.alerts).where(chosen)).mappings():
            values = {k: v for k, v in row.items() if k not in ("articles", "independent_sources")}
            alerts[row["id"]] = Alert(**values)
        if not alerts:
            return alerts
        members = self._connection.execute(
            sa.select(x.alert_id, x.number, *_piece_columns(), _m.probability, t.event_id)
            .join(tables.articles, _a.id == x.article_id)
            .join(tables.alerts, t.id == x.alert_id)
            .outerjoin(
                tables.matches, sa.and_(_m.event_id == t.event_id, _m.article_id == x.article_id)
            )
            .where(x.alert_id.in_(sorted(alerts)))
        )
        for found in members.mappings():
            one = dict(found)
            reason = Reason(one["probability"] or 0.0, _Stored(self, one["event_id"], one["id"]))
            member = Member(one["number"], piece_of(one), reason)
            alerts[one["alert_id"]].members[one["id"]] = member
        return alerts

    def decision(self, event_id: str, article_id: str) -> Mapping[str, Any]:
        """The stored reasons of a match that the batch has not touched."""
        row = self.matches.get((event_id, article_id))
        if row is None:
            found = self._connection.execute(
                sa.select(_m.reasons).where(_m.event_id == event_id, _m.article_id == article_id)
            ).scalar()
            return found or {}
        return dict(row["reasons"])

    def survivor(self, story: str) -> str:
        """The story that this one was merged into, else itself."""
        row = self.stories.get(story)
        return str(row["merged_into"]) if row and row["merged_into"] else story

    def alert_about(self, event_id: str, story: str) -> Alert | None:
        return next((a for a in self.alerts_of(story) if a.event_id == event_id), None)

    def alerts_of(self, story: str) -> list[Alert]:
        found = [a for a in self.alerts.values() if a.story_id == story and a.merged_into is None]
        return sorted(found, key=lambda alert: alert.id)

    # -- changing --------------------------------------------------------------------------------

    def put_article(self, row: Row) -> None:
        self.articles[row["id"]] = self._articles[row["id"]] = row
        for alert in self.alerts.values():  # the others hear of it from the policy
            if alert.story_id is None and (member := alert.members.get(row["id"])):
                alert.members[row["id"]] = replace(member, piece=piece_of(row))

    def put_revision(self, row: Row) -> None:
        self.revisions[row["article_id"], row["revision_hash"]] = (row["number"], row["lane"])
        self._revisions.append(row)

    def put_fate(self, row: Row) -> None:
        self._fates.append(row)

    def put_story(self, row: Row) -> None:
        self.stories[row["id"]] = row
        self._stories.add(row["id"])

    def put_match(self, row: Row) -> None:
        key = (row["event_id"], row["article_id"])
        self.matches[key] = row
        self._matches.add(key)
        self._refresh(key, Reason(row["probability"], row["reasons"]))

    def drop_match(self, event_id: str, article_id: str) -> None:
        self.matches[event_id, article_id] = None
        self._matches.add((event_id, article_id))
        self._refresh((event_id, article_id), Reason(0.0, {}))

    def _refresh(self, key: tuple[str, str], reason: Reason) -> None:
        """Alerts show the same whether their rows are read now or were read before."""
        event, article = key
        for alert in self.alerts.values():
            if alert.event_id == event and (member := alert.members.get(article)):
                alert.members[article] = replace(member, reason=reason)

    def put_alert(self, alert: Alert, telling: Telling | None = None) -> None:
        self.alerts[alert.id] = alert
        self._alerts.add(alert.id)
        if telling is not None:
            self._tellings[telling.alert_id, telling.sequence] = telling

    # -- writing ---------------------------------------------------------------------------------

    def flush(self, channels: Iterable[str]) -> None:
        c = self._connection
        for gone, into in self.merges:
            c.execute(
                tables.stories.update().where(_s.merged_into == gone).values(merged_into=into)
            )
            c.execute(tables.articles.update().where(_a.story_id == gone).values(story_id=into))
        if moved := sorted(self.moved - set(self._articles)):
            c.execute(
                tables.articles.update()
                .where(_a.id == sa.bindparam("article"))
                .values(story_id=sa.bindparam("story")),
                [{"article": id_, "story": self.articles[id_]["story_id"]} for id_ in moved],
            )
        upsert(c, tables.articles, self._articles.values(), by_position=True)
        upsert(c, tables.revisions, self._revisions, by_position=True)
        upsert(c, tables.stories, [self.stories[id_] for id_ in self._stories], by_position=True)
        self._flush_matches()
        upsert(c, tables.fates, self._fates, by_position=True)
        self._flush_alerts()
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
                    "state": "pending",
                }
                for telling in self._tellings.values()
                for channel in channels
            ],
            kept=("state",),  # delivery's; only the alert of a look-back is ever told anew
        )

    def _flush_matches(self) -> None:
        gone = sorted(
            key for key in self._matches & self._stored_matches if self.matches[key] is None
        )
        if gone:
            self._connection.execute(
                tables.matches.delete().where(
                    _m.event_id == sa.bindparam("event"), _m.article_id == sa.bindparam("article")
                ),
                [{"event": event, "article": article} for event, article in gone],
            )
        rows = [row for key in self._matches if (row := self.matches[key]) is not None]
        upsert(self._connection, tables.matches, rows, by_position=True)

    def _flush_alerts(self) -> None:
        changed = [self.alerts[id_] for id_ in sorted(self._alerts)]
        names = [field.name for field in fields(Alert) if field.name != "members"]
        upsert(
            self._connection,
            tables.alerts,
            [
                {name: getattr(alert, name) for name in names}
                | {
                    "articles": alert.articles,
                    "independent_sources": alert.independent_sources,
                }
                for alert in changed
            ],
        )
        joined: list[Row] = []
        left: list[Row] = []
        for alert in changed:
            before = self._stored_members.get(alert.id, {})
            left += [
                {"alert": alert.id, "article": id_}
                for id_ in sorted(set(before) - set(alert.members))
            ]
            joined += [
                {"alert_id": alert.id, "article_id": id_, "number": member.number}
                for id_, member in alert.members.items()
                if id_ not in before or before[id_].number != member.number
            ]
        x = tables.alert_articles
        if left:
            self._connection.execute(
                x.delete().where(
                    x.c.alert_id == sa.bindparam("alert"), x.c.article_id == sa.bindparam("article")
                ),
                left,
            )
        upsert(self._connection, x, joined)


class _Stored(Mapping[str, Any]):
    """A stored decision, read when somebody looks: alerts hold many, tell few."""

    def __init__(self, books: Books, event_id: str, article_id: str) -> None:
        self._where = (books, event_id, article_id)
        self._read: Mapping[str, Any] | None = None

    def _values(self) -> Mapping[str, Any]:
        if self._read is None:
            books, event_id, article_id = self._where
            self._read = books.decision(event_id, article_id)
        return self._read

    def __getitem__(self, key: str) -> Any:
        return self._values()[key]

    def __iter__(self) -> Any:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())


def piece_of(row: Mapping[str, Any]) -> Piece:
    """An article's row as alerts see it."""
    return Piece(
        id=row["id"],
        title=row["title"],
        url=row["url"],
        outlet=row["outlet_name"],
        family=row["family"],
        wire=row["wire"],
        copy_of=row["copy_of"],
        published=row["published"],
        fetched=row["fetched"],
    )


def _piece_columns() -> list[sa.ColumnElement[Any]]:
    return [
        _a.id, _a.title, _a.url, _a.outlet_name, _a.family, _a.wire, _a.copy_of, _a.published,
        _a.fetched,
    ]  # fmt: skip


def _by(connection: sa.Connection, query: sa.Select[Any], key: str) -> dict[str, Row]:
    return {row[key]: dict(row) for row in connection.execute(query).mappings()}
