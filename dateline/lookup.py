"""What the commands read from the database, through its public views where they say enough."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from dateline.app import open_engine
from dateline.config import Settings
from store import tables, views
from store.connection import reading
from stream.errors import UsageError
from stream.records import Considered, Decision, Example

Row = dict[str, Any]


class NotStored(UsageError):
    """No stored article is called that."""


def rows(settings: Settings, query: str, **values: Any) -> list[Row]:
    """The rows of one SQL query over the views, typed alike on both databases."""
    engine = open_engine(settings)
    statement = sa.text(query).columns(**views.KINDS)
    try:
        with reading(engine) as connection:
            return [dict(row) for row in connection.execute(statement, values).mappings()]
    finally:
        engine.dispose()


def events(settings: Settings) -> list[Row]:
    return rows(settings, "SELECT * FROM v_events ORDER BY starts, event_id")


def event(settings: Settings, event_id: str) -> Row:
    found = rows(settings, "SELECT * FROM v_events WHERE event_id = :id", id=event_id)
    if not found:
        known = ", ".join(row["event_id"] for row in events(settings)) or "none"
        raise UsageError(f"no event {event_id!r} is registered here; registered: {known}")
    articles = rows(
        settings,
        "SELECT m.article_id, m.ref, m.probability, m.verdict,"
        " a.published, a.outlet, a.title, a.url"
        " FROM v_matches m JOIN v_articles a ON a.article_id = m.article_id"
        " WHERE m.event_id = :id AND m.matched ORDER BY a.published, m.article_id",
        id=event_id,
    )
    engine = open_engine(settings)
    try:
        with reading(engine) as connection:
            definition = connection.execute(
                sa.select(tables.events.c.definition).where(tables.events.c.id == event_id)
            ).scalar_one()
    finally:
        engine.dispose()
    return {**found[0], "definition": definition, "articles": articles}


def article(settings: Settings, key: str) -> Row:
    """The stored article with this id, ref or URL."""
    columns = tables.articles.c
    engine = open_engine(settings)
    try:
        with reading(engine) as connection:
            found = connection.execute(
                sa.select(tables.articles)
                .where(sa.or_(columns.id == key, columns.ref == key, columns.url == key))
                .order_by(columns.id)
                .limit(1)
            ).first()
    finally:
        engine.dispose()
    if found is None:
        raise NotStored(
            f"no stored article has the id, ref or URL {key!r}; look it up with "
            "`dateline events show EVENT` or on the desk"
        )
    return dict(found._mapping)


def decision(settings: Settings, event_id: str, key: str) -> tuple[Decision, Row]:
    """The stored decision about an article; one not worth storing is taken again, now."""
    from dateline.explain import Explainer

    found = article(settings, key)
    removed = event(settings, event_id)["removed"]
    stored = rows(
        settings,
        "SELECT reasons FROM v_matches WHERE event_id = :event AND article_id = :article",
        event=event_id,
        article=found["id"],
    )
    if stored:
        reasons = stored[0]["reasons"]
        reasons = json.loads(reasons) if isinstance(reasons, str) else reasons
        return msgspec.convert(reasons, Decision), found
    if removed:
        raise UsageError(f"{event_id} was removed, and nothing is stored of it about this article")
    engine = open_engine(settings)
    try:
        decisions = Explainer(settings, engine).stored(found, sentences=True)
    finally:
        engine.dispose()
    return next(d for d in decisions if d.event_id == event_id), found


def placing(settings: Settings, found: Row) -> tuple[str, list[str]]:
    """The label of the story that a stored article is in, and why it is there and not in the next
    best one."""
    from processors.cluster import why

    tried = msgspec.convert(found["considered"] or [], list[Considered])
    stories = {row["story_id"]: row["label"] for row in rows(
        settings,
        "SELECT story_id, label FROM v_stories WHERE story_id IN (:own, :placed, :first, :second)",
        own=found["story_id"],
        placed=found["first_story_id"],
        first=tried[0].story if tried else "",
        second=tried[-1].story if tried else "",
    )}  # fmt: skip
    told = why.lines(found["first_story_id"], found["copy_of"], tried, stories, found["story_id"])
    return str(stories.get(found["story_id"], found["story_id"])), told


def backtest(settings: Settings, file: Path, days: int) -> list[Row]:
    """The stored articles of the last `days` days that a definition would match."""
    from dateline.explain import Explainer
    from dateline.registry import load

    definitions = load(file, example(settings))
    if len(definitions) != 1:
        raise UsageError(f"expected one definition in {file}, found {len(definitions)}")
    engine = open_engine(settings)
    try:
        explain = Explainer(settings, engine, definitions[0])
        columns = tables.articles.c
        with reading(engine) as connection:
            newest = connection.execute(sa.select(sa.func.max(columns.event_time))).scalar()
            if newest is None:
                return []
            stored = connection.execute(
                sa.select(tables.articles)
                .where(columns.event_time >= newest - timedelta(days=days))
                .order_by(columns.event_time, columns.id)
            ).all()
        found = []
        for row in stored:
            decisions = explain.stored(dict(row._mapping))
            mine = next(d for d in decisions if d.event_id == definitions[0].id)
            if mine.matched:
                found.append(
                    {
                        "article_id": row.id,
                        "ref": row.ref,
                        "probability": mine.probability,
                        "published": row.published,
                        "outlet": row.outlet,
                        "title": row.title,
                    }
                )
        return found
    finally:
        engine.dispose()


def example(settings: Settings) -> Callable[[str], Example | None]:
    """Finds the stored article behind the URL of an event's example."""

    def find(url: str) -> Example | None:
        try:
            row = article(settings, url)
        except NotStored:
            return None
        return Example(
            title=row["title"], text=row["text"], published=row["published"], lang=row["lang"]
        )

    return find


def alerts(settings: Settings) -> list[Row]:
    return rows(settings, "SELECT * FROM v_alerts ORDER BY updated_at DESC, alert_id")


def alert(settings: Settings, alert_id: str) -> Row:
    found = rows(settings, "SELECT * FROM v_alerts WHERE alert_id = :id", id=alert_id)
    if not found:
        raise UsageError(f"no alert {alert_id!r}; see `dateline alerts list`")
    covered = rows(
        settings,
        "SELECT a.article_id, a.published, a.outlet, a.title, a.url FROM v_articles a"
        " JOIN alert_articles x ON x.article_id = a.article_id WHERE x.alert_id = :id"
        " ORDER BY a.published, a.article_id",
        id=alert_id,
    )
    deliveries = rows(
        settings, "SELECT * FROM v_deliveries WHERE alert_id = :id ORDER BY at", id=alert_id
    )
    return {**found[0], "covered": covered, "deliveries": deliveries}
