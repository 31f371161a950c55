"""The rows that a batch may touch, read with a handful of queries and written back with another.

In between they are plain values in memory, so that each record sees what the one before it did
and the result does not depend on where batches are cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from sinks.database import pieces
from sinks.database.pieces import StoredDecision, piece_of
from sinks.database.rows import Row
from sinks.news import Alert, Member, Moment, Reason, Telling
from store import tables

_a, _m, _s, _r = tables.articles.c, tables.matches.c, tables.stories.c, tables.revisions.c
_ALERT_COLUMNS = [column.name for column in tables.alerts.c]
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
        self.connection = connection
        self._loaded = ids = sorted(set(articles))
        self._newest: dict[tuple[str, int], int] = {}  # of the matches that are not loaded
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
        self._stored_revisions = dict(self.revisions)
        self._wordings: dict[tuple[str, str], tuple[str, str]] | None = None
        self._new_wordings: dict[tuple[str, str], tuple[str, str]] = {}
        self.matches: dict[tuple[str, str], Row | None] = {
            (row["event_id"], row["article_id"]): dict(row)
            for row in connection.execute(
                sa.select(tables.matches).where(_m.article_id.in_(ids))
            ).mappings()
        }
        self.stored_matches = set(self.matches)
        wanted = {*stories, *(row["story_id"] for row in self.articles.values())}
        self.stories = self._load_stories(wanted)
        survivors = {row["merged_into"] for row in self.stories.values()} - {None, *self.stories}
        self.stories |= self._load_stories(survivors)
        self.alerts = self._load_alerts(wanted | survivors, alerts, ids)
        self.stored_members = {id_: dict(a.members) for id_, a in self.alerts.items()}

        self.merges: list[tuple[str, str]] = []
        self.moved: set[str] = set()
        self.changed_articles: dict[str, Row] = {}
        self.new_revisions: list[Row] = []
        self.new_fates: list[Row] = []
        self.changed_stories: set[str] = set()
        self.changed_matches: set[tuple[str, str]] = set()
        self.changed_alerts: dict[str, Row] = {}
        self.tellings: dict[tuple[str, int], Telling] = {}

    # -- reading ---------------------------------------------------------------------------------

    def _load_stories(self, ids: Iterable[str]) -> dict[str, Row]:
        wanted = sorted(ids)
        if not wanted:
            return {}
        return _by(self.connection, sa.select(tables.stories).where(_s.id.in_(wanted)), "id")

    def _load_alerts(
        self, stories: set[str], ids: Iterable[str], articles: Sequence[str]
    ) -> dict[str, Alert]:
        """Those about these stories, those of these ids, and those about a story that hold one of
        these articles: whatever else is in the batch, an article's alerts are all here."""
        t, x = tables.alerts.c, tables.alert_articles.c
        about = tables.alerts.alias("about")
        # Three questions, since PostgreSQL reads the whole table where one is any of the three.
        chosen = sa.union(
            sa.select(about.c.id).where(about.c.story_id.in_(sorted(stories))),
            sa.select(about.c.id).where(about.c.id.in_(sorted(set(ids)))),
            sa.select(about.c.id)
            .join(tables.alert_articles, x.alert_id == about.c.id)
            .where(x.article_id.in_(articles), about.c.story_id.is_not(None)),
        )
        alerts: dict[str, Alert] = {}
        every = sa.select(tables.alerts).where(t.id.in_(chosen))
        for row in self.connection.execute(every).mappings():
            values = {k: v for k, v in row.items() if k not in ("articles", "independent_sources")}
            alerts[row["id"]] = Alert(**values)
        if not alerts:
            return alerts
        members = self.connection.execute(
            sa.select(x.alert_id, x.number, *pieces.COLUMNS, _m.probability, t.event_id)
            .join(tables.articles, _a.id == x.article_id)
            .join(tables.alerts, t.id == x.alert_id)
            .outerjoin(
                tables.matches, sa.and_(_m.event_id == t.event_id, _m.article_id == x.article_id)
            )
            .where(x.alert_id.in_(sorted(alerts)))
        )
        for found in members.mappings():
            one = dict(found)
            reason = Reason(
                one["probability"] or 0.0,
                StoredDecision(self.connection, one["event_id"], one["id"]),
            )
            member = Member(one["number"], piece_of(one), reason)
            alerts[one["alert_id"]].members[one["id"]] = member
        return alerts

    def survivor(self, story: str) -> str:
        """The story that this one was merged into, else itself."""
        row = self.stories.get(story)
        return str(row["merged_into"]) if row and row["merged_into"] else story

    def alert_about(self, event_id: str, story: str) -> Alert | None:
        return next((a for a in self.alerts_of(story) if a.event_id == event_id), None)

    def new_alert(self, event_id: str, story: str, moment: Moment) -> Alert:
        """Its id is `<event>:<story>`, with a number where an alert of that id has followed its
        articles to another story."""
        name, number = f"{event_id}:{story}", 1
        id_ = name
        while id_ in self.alerts or self._has_alert(id_):
            number += 1
            id_ = f"{name}:{number}"
        return Alert.new(id_, event_id, story, moment)

    def _has_alert(self, id_: str) -> bool:
        t = tables.alerts.c.id
        return self.connection.execute(sa.select(t).where(t == id_)).first() is not None

    def alerts_of(self, story: str) -> list[Alert]:
        found = [a for a in self.alerts.values() if a.story_id == story and a.merged_into is None]
        return sorted(found, key=lambda alert: alert.id)

    def wording(self, article_id: str, revision: str) -> tuple[str, str]:
        """Title and text of the last revision in a lane. Those that the database has are read all
        together when the batch's first edit comes: most batches have none, and texts are long."""
        if self._wordings is None:
            stored: dict[tuple[str, int], tuple[int, str]] = {}
            for (id_, hash_), (number, lane) in self._stored_revisions.items():
                stored[id_, lane] = max((number, hash_), stored.get((id_, lane), (0, "")))
            wanted = sorted((id_, hash_) for (id_, _), (_, hash_) in stored.items())
            query = sa.select(_r.article_id, _r.revision_hash, _r.title, _r.text).where(
                sa.tuple_(_r.article_id, _r.revision_hash).in_(wanted)
            )
            found = self.connection.execute(query) if wanted else ()
            self._wordings = {(id_, hash_): (title, text) for id_, hash_, title, text in found}
        new = self._new_wordings.get((article_id, revision))
        return new or self._wordings[article_id, revision]

    def newest_version(self, event_id: str, lane: int) -> int:
        """The newest version of the event's definition that a match of the lane was decided by,
        0 = none was. One query an event: look-backs and redelivered articles ask."""
        if (event_id, lane) not in self._newest:
            stored = self.connection.execute(
                sa.select(sa.func.max(_m.definition_version)).where(
                    _m.event_id == event_id, _m.lane == lane, _m.article_id.not_in(self._loaded)
                )
            ).scalar()
            self._newest[event_id, lane] = int(stored or 0)
        here: Iterator[int] = (
            row["definition_version"]
            for (event, _), row in self.matches.items()
            if row is not None and event == event_id and row["lane"] == lane
        )
        return max([self._newest[event_id, lane], *here])

    # -- changing --------------------------------------------------------------------------------

    def put_article(self, row: Row) -> None:
        self.articles[row["id"]] = self.changed_articles[row["id"]] = row
        for alert in self.alerts.values():  # the others hear of it from the policy
            silent = alert.story_id is None or alert.lane != row["lane"]
            if silent and (member := alert.members.get(row["id"])):
                alert.members[row["id"]] = replace(member, piece=piece_of(row))

    def put_revision(self, row: Row) -> None:
        self.revisions[row["article_id"], row["revision_hash"]] = (row["number"], row["lane"])
        self._new_wordings[row["article_id"], row["revision_hash"]] = row["title"], row["text"]
        self.new_revisions.append(row)

    def put_fate(self, row: Row) -> None:
        self.new_fates.append(row)

    def put_story(self, row: Row) -> None:
        self.stories[row["id"]] = row
        self.changed_stories.add(row["id"])

    def put_match(self, row: Row) -> None:
        key = (row["event_id"], row["article_id"])
        self.matches[key] = row
        self.changed_matches.add(key)
        self._refresh(key, Reason(row["probability"], row["reasons"]))

    def drop_match(self, event_id: str, article_id: str) -> None:
        self.matches[event_id, article_id] = None
        self.changed_matches.add((event_id, article_id))
        self._refresh((event_id, article_id), Reason(0.0, {}))

    def _refresh(self, key: tuple[str, str], reason: Reason) -> None:
        """Alerts show the same whether their rows are read now or were read before."""
        event, article = key
        for alert in self.alerts.values():
            if alert.event_id == event and (member := alert.members.get(article)):
                alert.members[article] = replace(member, reason=reason)

    def put_alert(self, alert: Alert, telling: Telling | None = None) -> None:
        self.alerts[alert.id] = alert
        # As it is now: later records of the batch may change what is known of its articles.
        self.changed_alerts[alert.id] = {name: getattr(alert, name) for name in _ALERT_COLUMNS}
        if telling is not None:
            self.tellings[telling.alert_id, telling.sequence] = telling


def _by(connection: sa.Connection, query: sa.Select[Any], key: str) -> dict[str, Row]:
    return {row[key]: dict(row) for row in connection.execute(query).mappings()}
