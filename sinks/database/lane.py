"""What a lane of `dateline.matched` does to the books, one record after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from sinks.database import edits
from sinks.database.books import Books
from sinks.database.decoded import LookBack, Placement, as_json, open_matched
from sinks.database.flush import flush
from sinks.database.pieces import piece_of
from sinks.database.stories import StoryWriter
from sinks.database.telling import AlertWriter
from sinks.news import Moment, Policy, look_back_id
from sinks.outlets import Outlets
from stream.log.contract import LogRecord
from stream.records import LIVE_LANE, Decision

# The first of the two numbers of our advisory locks on articles; any that nobody else uses.
_ARTICLES = 0x4441_5445
# Few enough that the largest batch does not fill the server's lock table (6,400 by default).
_BUCKETS = 256


def write(
    connection: sa.Connection,
    batch: Sequence[LogRecord],
    policy: Policy,
    outlets: Outlets,
    perhaps_told: bool = False,
) -> None:
    """Rows and alerts of these records, in the transaction of the connection. `perhaps_told`:
    the alerts may have been sent before the database lost these rows."""
    items = [open_matched(record) for record in batch]
    articles: set[str] = set()
    stories: set[str] = set()
    alerts: set[str] = set()
    for item in items:
        if isinstance(item, LookBack):
            articles.add(item.article_id)
            alerts.update(look_back_id(d.event_id, d.version, item.lane) for d in item.decisions)
        else:
            articles.add(item.article.id)
            stories.add(item.story)
            for change in item.changes:
                stories.update({change.story, change.into} - {None})  # type: ignore[arg-type]
                articles.update(change.articles)
    _wait_for_other_lane(connection, articles)
    books = Books(connection, articles, stories, alerts)
    writer = LaneWriter(books, policy, outlets)
    for item in items:
        if isinstance(item, LookBack):
            writer.look_back(item)
        else:
            writer.place(item)
    told = items[0].lane == LIVE_LANE or policy.tells_backfill
    flush(books, policy.channels if told else (), perhaps_told)


def _wait_for_other_lane(connection: sa.Connection, articles: Iterable[str]) -> None:
    """Lanes are written at the same time and meet in articles that both bring. What one reads of
    such an article must not be overtaken by the other; SQLite has one writer at a time anyway.
    Sorted, so that two wait for each other instead of deadlocking."""
    if connection.dialect.name != "postgresql":
        return
    buckets = sorted({crc32(article.encode()) % _BUCKETS for article in articles})
    one = sa.func.unnest(sa.literal(buckets, ARRAY(sa.Integer))).column_valued("bucket")
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ARTICLES, one)))


class LaneWriter:
    def __init__(self, books: Books, policy: Policy, outlets: Outlets) -> None:
        self._books, self._outlets = books, outlets
        self._stories, self._alerts = StoryWriter(books, policy), AlertWriter(books, policy)

    # -- a placed article ------------------------------------------------------------------------

    def place(self, item: Placement) -> None:
        books, article = self._books, item.article
        old = books.articles.get(article.id)
        known = books.revisions.get((article.id, article.revision))
        if known is not None and known[1] <= item.lane:
            self._again(item, old)
            return
        old_story = old["story_id"] if old else None
        for change in item.changes:
            self._stories.change(change, item)
        story = books.survivor(item.story)
        if story not in books.stories:
            self._stories.open(story, article.title, item)
        earlier = [
            (number, revision)
            for (id_, revision), (number, lane) in books.revisions.items()
            if id_ == article.id and lane == item.lane
        ]
        last, previous = max(earlier, default=(0, ""))
        number = last + 1
        position = {"lane": item.lane, "log_offset": item.offset}
        books.put_revision(
            {
                "article_id": article.id,
                "revision_hash": article.revision,
                "number": number,
                "title": article.title,
                "text": article.text,
                "fetched": article.fetched,
                "diff": edits.diff(
                    books.wording(article.id, previous), (article.title, article.text)
                )
                if previous
                else None,
                **position,
            }
        )
        books.put_fate(
            {
                "stage": "database",
                "record": f"{article.id}@{article.revision}",
                "fate": "stored" if number == 1 else "revised",
                "reason": _fate_reason(item, story, number, old_story),
                "article_id": article.id,
                **position,
            }
        )
        outlet = self._outlets.find(article.outlet)
        wire = self._outlets.credited_wire(article.text)
        same_lane = old is not None and old["lane"] == item.lane
        row = {
            "id": article.id,
            "ref": article.ref,
            "url": article.url,
            "title": article.title,
            "text": article.text,
            "outlet": article.outlet,
            "outlet_name": outlet.name,
            "family": outlet.family,
            "verified": outlet.verified,
            "wire": wire.family if wire else None,
            "lang": article.lang,
            "published": article.published,
            "published_from": article.published_from,
            "fetched": article.fetched,
            "event_time": article.event_time,
            "revision": number,
            "revision_hash": article.revision,
            "copy_of": item.copy_of,
            "novelty": item.novelty,
            "story_id": story,
            "first_story_id": old["first_story_id"] if old and same_lane else item.story,
            "considered": [as_json(one) for one in item.considered]
            # A small edit keeps its place, for the reasons that it had.
            or (old["considered"] if old and same_lane else []),
            "model": item.model,
            "vector": item.vector,
            **position,
        }
        if old is not None and old["lane"] < item.lane:
            # Backfill brings what is live already: what live says of it stays. The alerts of
            # backfill are their own, and the same whichever lane is written first.
            before, piece = self._alerts.holding(article.id, item.lane), piece_of(old)
        else:
            books.put_article(row)
            before, piece = self._decide(item), piece_of(row)
        self._alerts.decided(
            piece,
            story,
            self._stories.label(story),
            item.decisions,
            before,
            Moment(article.fetched, item.lane, item.offset),
        )

    def _again(self, item: Placement, old: dict[str, Any] | None) -> None:
        """A redelivered duplicate: only decisions that differ are news, and those by an older
        definition never (an owner that was paused wakes, and knows no better)."""
        if old is None or old["revision_hash"] != item.article.revision or old["lane"] < item.lane:
            return
        changed = [
            decision
            for decision in item.decisions
            if self._is_news(decision, item.article.id, item.lane)
        ]
        if changed:
            before = self._decide(item._replace(decisions=changed), whole=False)
            self._alerts.decided(
                piece_of(old),
                old["story_id"],
                self._stories.label(old["story_id"]),
                changed,
                before,
                Moment(old["fetched"], item.lane, item.offset),
                whole=False,
            )

    def _decide(self, item: Placement, whole: bool = True) -> set[str]:
        """Write the decisions; the events that the article matched before. `whole`: events
        without a decision are not worth keeping any more."""
        books, id_ = self._books, item.article.id
        known = {event: row for (event, article), row in books.matches.items()
                 if article == id_ and row is not None}  # fmt: skip
        before = {
            event for event, row in known.items() if row["matched"] and row["lane"] == item.lane
        }
        for decision in item.decisions:
            books.put_match(_match(decision, item, id_, history=False))
        if whole:
            for event in set(known) - {decision.event_id for decision in item.decisions}:
                books.drop_match(event, id_)
        return before

    def _is_news(self, decision: Decision, article_id: str, lane: int) -> bool:
        """Does it differ from what is stored, and by no older definition?"""
        row = self._books.matches.get((decision.event_id, article_id))
        if row is None:
            # Nothing worth keeping: that, too, may be a newer definition's word.
            return self._books.newest_version(decision.event_id, lane) <= decision.version
        if row["lane"] < lane or row["definition_version"] > decision.version:
            return False
        return bool(row["reasons"] != as_json(decision))

    # -- decisions taken again -------------------------------------------------------------------

    def look_back(self, item: LookBack) -> None:
        books = self._books
        article = books.articles.get(item.article_id)
        for decision in item.decisions:
            event = decision.event_id
            old = books.matches.get((event, item.article_id))
            if article is not None and article["lane"] < item.lane:
                continue  # live news decides about it
            if not self._is_news(decision, item.article_id, item.lane):
                continue
            books.put_match(_match(decision, item, item.article_id, history=True))
            if article is None:
                continue  # older than what the log of this rebuild still held
            if not (decision.matched and old is not None and old["matched"]):
                moment = Moment(article["fetched"], item.lane, item.offset)
                self._alerts.looked_back(piece_of(article), article["story_id"], decision, moment)


def _match(
    decision: Decision, item: Placement | LookBack, article_id: str, *, history: bool
) -> dict[str, Any]:
    return {
        "id": f"{decision.event_id}:{article_id}",
        "event_id": decision.event_id,
        "article_id": article_id,
        "probability": decision.probability,
        "matched": decision.matched,
        "reasons": as_json(decision),
        "definition_version": decision.version,
        "model": decision.model,
        "decided_at": item.time,
        "history": history,
        "lane": item.lane,
        "log_offset": item.offset,
    }


def _fate_reason(item: Placement, story: str, number: int, old_story: str | None) -> str:
    """Few different ones: they are counted in `v_fates`."""
    if number > 1:
        return "kept its story" if old_story in (item.story, story) else "moved to another story"
    if item.copy_of is not None:
        return "a copy"
    opened = any(change.kind == "created" and change.story == item.story for change in item.changes)
    return "opened a story" if opened else "joined a story"
