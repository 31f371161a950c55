"""What the demo found, read from the database and held against the truth of the sample world."""

from __future__ import annotations

import json
from dataclasses import dataclass

import msgspec

from dateline import lookup
from dateline.config import Settings
from dateline.demo.world import World
from stream.records import Decision


@dataclass(frozen=True)
class Quoted:
    """An article with one decision about it."""

    title: str
    outlet: str
    published: str
    decision: Decision
    lookalike: bool


@dataclass(frozen=True)
class EventResult:
    """One event: what matched, and its nearest article that did not."""

    event_id: str
    title: str
    articles: int
    independent: int
    best: Quoted | None
    near_miss: Quoted | None


@dataclass(frozen=True)
class Results:
    articles: int
    fates: int
    revisions: int
    copies: int
    stories: int
    polls: int
    items: int
    duplicates: int
    alerts: int
    events: list[EventResult]
    lookalikes: int
    lookalikes_right: int
    labelled: int
    labelled_right: int


def waiting(settings: Settings) -> bool:
    """True while an appended revision has no fate or an alert is not told."""
    found = lookup.rows(
        settings,
        "SELECT (SELECT count(*) FROM identities i WHERE NOT EXISTS (SELECT 1 FROM revisions r"
        " WHERE r.article_id = i.article_id AND r.revision_hash = i.revision)"
        " AND NOT EXISTS (SELECT 1 FROM dead d WHERE d.article_id = i.article_id))"
        " + (SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending')) AS n",
    )
    return bool(found[0]["n"])


def read(settings: Settings, world: World) -> Results:
    """Everything the last screen shows."""
    counts = lookup.rows(
        settings,
        "SELECT (SELECT count(*) FROM v_articles) AS articles,"
        " (SELECT count(*) FROM revisions) AS revisions,"
        " (SELECT count(*) FROM v_articles WHERE copy_of IS NOT NULL) AS copies,"
        " (SELECT count(*) FROM v_stories WHERE merged_into IS NULL) AS stories,"
        " (SELECT count(*) FROM polls) AS polls,"
        " (SELECT coalesce(sum(seen), 0) FROM polls) AS items,"
        " (SELECT coalesce(sum(duplicate), 0) FROM polls) AS duplicates,"
        " (SELECT count(*) FROM v_alerts) AS alerts",
    )[0]
    fates = lookup.rows(
        settings,
        "SELECT count(DISTINCT article_id) AS n FROM fates WHERE fate IN ('stored', 'dead')",
    )[0]["n"]
    events = [_event(settings, world, row) for row in lookup.events(settings)]
    labelled = _labelled(settings, world)
    lookalikes = [right for lookalike, right in labelled if lookalike]
    return Results(
        **counts,
        fates=fates,
        events=events,
        lookalikes=len(lookalikes),
        lookalikes_right=sum(lookalikes),
        labelled=len(labelled),
        labelled_right=sum(right for _, right in labelled),
    )


def _event(settings: Settings, world: World, row: lookup.Row) -> EventResult:
    found = [
        Quoted(
            r["title"] or "(no title)",
            r["outlet"],
            str(r["published"] or "no date")[:10],
            msgspec.convert(
                json.loads(r["reasons"]) if isinstance(r["reasons"], str) else r["reasons"],
                Decision,
            ),
            (piece := world.by_url.get(r["url"])) is not None
            and piece.lookalike is not None
            and row["event_id"] not in piece.about,
        )
        for r in lookup.rows(
            settings,
            "SELECT m.reasons, a.title, a.outlet, a.published, a.url FROM v_matches m"
            " JOIN v_articles a ON a.article_id = m.article_id WHERE m.event_id = :event"
            " AND a.copy_of IS NULL ORDER BY m.probability DESC, a.article_id",
            event=row["event_id"],
        )
    ]
    matched = [one for one in found if one.decision.matched and one.decision.sentence]
    missed = [one for one in found if not one.decision.matched]
    independent = lookup.rows(
        settings,
        "SELECT count(DISTINCT CASE WHEN a.copy_of IS NULL AND a.wire IS NULL THEN a.family END)"
        " AS n FROM articles a JOIN v_matches m ON m.article_id = a.id"
        " WHERE m.event_id = :event AND m.matched",
        event=row["event_id"],
    )[0]["n"]
    return EventResult(
        row["event_id"],
        row["title"],
        row["matches"],
        independent,
        matched[0] if matched else None,
        next((one for one in missed if one.lookalike), missed[0] if missed else None),
    )


def _labelled(settings: Settings, world: World) -> list[tuple[bool, bool]]:
    """For each article: is it a labelled look-alike, and is every event decided as labelled?"""
    matched: dict[str, set[str]] = {}
    for row in lookup.rows(
        settings,
        "SELECT a.url, m.event_id FROM v_articles a JOIN v_matches m"
        " ON m.article_id = a.article_id WHERE m.matched",
    ):
        matched.setdefault(row["url"], set()).add(row["event_id"])
    stored = {row["url"] for row in lookup.rows(settings, "SELECT url FROM v_articles")}
    return [
        (piece.lookalike is not None, matched.get(url, set()) == set(piece.about))
        for url, piece in world.by_url.items()
        if url in stored
    ]
