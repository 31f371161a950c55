"""What is written down of each poll: the feed's state, its items, and one `polls` row, together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import cast

import sqlalchemy as sa
from msgspec import Struct, structs

from ingest import feeds, normalise
from ingest.fates import REVISED, STORED, Tally
from ingest.feeds import Feed
from ingest.fetch import Fetched, NotModified
from ingest.intake import Intake
from ingest.items import Document
from ingest.settings import IngestSettings
from store.engine import translated
from store.tables import feeds as feeds_table
from store.tables import polls


class PollReport(Struct, kw_only=True):
    """One poll of one feed. `status` None = no answer; counts add up to what was seen."""

    url: str
    at: datetime
    next_at: datetime
    status: int | None = None
    outcome: str = "ok"  # ok | unchanged | a kind of FetchError or Refusal
    error: str | None = None
    counts: dict[str, int] = {}
    reasons: dict[str, int] = {}
    missed: bool = False  # nothing shown before was still there: items may have gone unseen
    feed: Feed | None = None  # as it was saved; None when it has been removed


def body_hash(answer: Fetched) -> str:
    """Of all that the reading of a document depends on."""
    about = f"{answer.content_type}\n{answer.final_url}".encode()
    return blake2b(answer.body + about, digest_size=16).hexdigest()


class Ledger:
    """Belongs to the thread of its intake."""

    def __init__(self, engine: sa.Engine, intake: Intake, settings: IngestSettings) -> None:
        self._engine, self._intake, self._settings = engine, intake, settings

    def close(self) -> None:
        self._intake.close()

    def failed(
        self,
        feed: Feed,
        now: datetime,
        kind: str,
        sentence: str,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> PollReport:
        """The poll brought nothing; the feed is asked again after a longer wait."""
        columns = feeds.after_error(
            feed, now, self._settings, sentence=sentence, status=status, retry_after=retry_after
        )
        self._save(feed, now, status, columns)
        return PollReport(
            url=feed.url, at=now, next_at=cast(datetime, columns["next_at"]), status=status,
            outcome=kind, error=sentence, feed=structs.replace(feed, **columns),
        )  # fmt: skip

    def unchanged(self, feed: Feed, now: datetime, answer: Fetched | NotModified) -> PollReport:
        """The server said so (304), or sent the same bytes as last time."""
        columns = feeds.after_success(
            feed, now, self._settings, status=answer.status, max_age=answer.max_age, new=0
        )
        if isinstance(answer, Fetched):
            columns |= _validators(answer)
        self._save(feed, now, answer.status, columns)
        return PollReport(
            url=feed.url, at=now, next_at=cast(datetime, columns["next_at"]),
            status=answer.status, outcome="unchanged", feed=structs.replace(feed, **columns),
        )  # fmt: skip

    def document(
        self, feed: Feed, now: datetime, answer: Fetched, document: Document
    ) -> PollReport:
        """Decide what the items are, append the new ones, and only then save."""
        if not feeds.exists(self._engine, feed.id):  # removed while it was asked
            return PollReport(url=feed.url, at=now, next_at=now, outcome="removed")
        tally = Tally.empty()
        candidates = normalise.candidates(
            document, feed_url=feed.url, outlet=feed.outlet, fetched=now, tally=tally
        )
        report = PollReport(url=feed.url, at=now, next_at=now, status=answer.status)

        def save(db: sa.Connection, tally: Tally, missed: bool) -> None:
            columns = feeds.after_success(
                feed, now, self._settings, status=answer.status, max_age=answer.max_age,
                new=tally.fates[STORED] + tally.fates[REVISED],
                dates=[c.article.published for c in candidates if c.article.published],
                missed=missed,
            )  # fmt: skip
            report.missed, report.next_at = missed, cast(datetime, columns["next_at"])
            columns |= _validators(answer) | {"title": document.title or feed.title}
            report.feed = structs.replace(feed, **columns)
            _write(db, feed, now, answer.status, columns, tally)

        self._intake.take(
            candidates, source=feed.url, at=now, tally=tally, save=save, feed_id=feed.id
        )
        report.counts, report.reasons = dict(tally.fates), dict(tally.reasons)
        return report

    def _save(
        self, feed: Feed, now: datetime, status: int | None, columns: Mapping[str, object]
    ) -> None:
        with translated(), self._engine.begin() as db:
            _write(db, feed, now, status, columns, Tally.empty())


def _validators(answer: Fetched) -> dict[str, object]:
    return {
        "etag": answer.etag,
        "last_modified": answer.last_modified,
        "body_hash": body_hash(answer),
    }


def _write(
    db: sa.Connection,
    feed: Feed,
    now: datetime,
    status: int | None,
    columns: Mapping[str, object],
    tally: Tally,
) -> None:
    db.execute(feeds_table.update().where(feeds_table.c.id == feed.id).values(**columns))
    db.execute(polls.insert().values(source=feed.url, at=now, status=status, **tally.columns()))
