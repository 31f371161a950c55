"""What is written down of polls: each feed's state, its items, and one `polls` row, together."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b
from typing import Any, cast

import sqlalchemy as sa
import structlog
from msgspec import Struct, structs

from ingest.articles import normalise
from ingest.articles.fates import DEAD, REVISED, STORED, Candidate, Tally
from ingest.books.intake import Delivery, Intake, Overtaken
from ingest.documents.items import Document
from ingest.feeds import Feed
from ingest.fetch.fetcher import Fetched, NotModified
from ingest.pages import page
from ingest.pages.page import Page, Unread
from ingest.policy import health, moves, overlap
from ingest.policy.blackout import Blackout
from ingest.policy.outcome import News, after_error, after_success
from ingest.polling import leases
from ingest.settings import IngestSettings
from store.tables import feeds as feeds_table
from store.tables import polls
from stream.errors import DatelineError

_say = structlog.get_logger("dateline.ingest")
# Feeds are counted by health this often (seconds): what Prometheus usually asks for.
_COUNT_S = 15.0
# Times in a row that other pollers may store the same articles first; once is rare.
_OVERTAKEN = 5
_UPDATE = feeds_table.update().where(feeds_table.c.id == sa.bindparam("feed_id"))


class Failed(Struct, kw_only=True):
    """The poll brought nothing; the feed is asked again after a longer wait."""

    feed: Feed
    at: datetime
    kind: str
    sentence: str
    status: int | None = None
    retry_after: float | None = None


class Unchanged(Struct, kw_only=True):
    """The server said so (304), or sent the same bytes as last time."""

    feed: Feed
    at: datetime
    answer: Fetched | NotModified


class Brought(Struct, kw_only=True):
    """A document whose items are to be decided."""

    feed: Feed
    at: datetime
    answer: Fetched  # its body is not needed any more
    document: Document
    digest: str  # `body_hash` of the answer
    pages: dict[int, Page | Unread] = {}  # by position, of items whose pages were asked


Outcome = Failed | Unchanged | Brought


class PollReport(Struct, kw_only=True):
    """One poll of one feed. `status` None = no answer; counts add up to what was seen."""

    url: str
    at: datetime
    next_at: datetime
    status: int | None = None
    outcome: str = "ok"  # ok | unchanged | removed | passed-on | a kind of FetchError or Refusal
    error: str | None = None
    seen: int = 0  # items that the parser told of
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
        self._blackout = Blackout()
        self._counted = float("-inf")  # when feeds were last counted by health, monotonic

    def close(self) -> None:
        self._intake.close()

    def settle(self, outcomes: Sequence[Outcome]) -> list[PollReport | Exception]:
        """Decide, append and save all outcomes in one go, in their order. What breaks a batch is
        looked for by halves, so that it costs its own feed only; what concerns all (the log or
        the database is away) comes back for each of them, and nothing was saved then."""
        try:
            reports = self._settle_again(outcomes)
            self._count()
            return list(reports)
        except DatelineError as error:
            return [error] * len(outcomes)
        except Exception as error:
            if len(outcomes) > 1:
                half = len(outcomes) // 2
                return self.settle(outcomes[:half]) + self.settle(outcomes[half:])
            (outcome,) = outcomes
            if isinstance(outcome, Failed):
                return [error]
            _say.exception("ingest.poll_broke", feed=outcome.feed.url)
            return self.settle([broke(outcome.feed, outcome.at, error)])

    def fresh(self, o: Brought) -> list[Candidate]:
        """Its items that are new or edited, as far as the feed's own words go. Writes nothing."""
        there = self._intake.feeds([o.feed.id])
        return self._intake.preview(_delivery(o, there[o.feed.id])) if there else []

    def _settle_again(self, outcomes: Sequence[Outcome]) -> list[PollReport]:
        for _ in range(_OVERTAKEN):
            with suppress(Overtaken):
                return self._settle(outcomes)
        return self._settle(outcomes)

    def _settle(self, outcomes: Sequence[Outcome]) -> list[PollReport]:
        there = self._intake.feeds([o.feed.id for o in outcomes if isinstance(o, Brought)])
        deliveries: dict[int, Delivery] = {}
        for n, o in enumerate(outcomes):
            if isinstance(o, Brought) and o.feed.id in there:
                deliveries[n] = _delivery(o, there[o.feed.id])
        reports: list[PollReport] = []

        def save(db: sa.Connection) -> None:
            changes: list[dict[str, object]] = []
            rows: list[dict[str, object]] = []
            gone = leases.lost(db, [o.feed for o in outcomes])
            for n, o in enumerate(outcomes):
                if isinstance(o, Brought) and n not in deliveries:
                    gone.setdefault(o.feed.id, "removed")
                if o.feed.id in gone:  # while it was asked
                    reports.append(
                        PollReport(url=o.feed.url, at=o.at, next_at=o.at, outcome=gone[o.feed.id])
                    )
                    continue
                news = _news(db, o, deliveries[n]) if isinstance(o, Brought) else None
                report, columns, tally = self._report(o, deliveries.get(n), news)
                if not isinstance(o, Failed):
                    self._move(db, report, columns)
                reports.append(report)
                changes.append({"feed_id": o.feed.id, **columns})
                rows.append(
                    {"source": o.feed.url, "at": o.at, "status": report.status,
                     "outcome": report.outcome, **tally.columns()}
                )  # fmt: skip
            _write(db, changes, rows)

        self._intake.take(list(deliveries.values()), save)
        return reports

    def _report(
        self, o: Outcome, delivery: Delivery | None, news: News | None
    ) -> tuple[PollReport, dict[str, object], Tally]:
        """… with the columns of the feed that it changes, and the fates of its items."""
        feed, now, tally = o.feed, o.at, Tally.empty()
        report = PollReport(url=feed.url, at=now, next_at=now)
        if isinstance(o, Failed):
            columns = after_error(
                feed, now, self._settings, kind=o.kind, sentence=o.sentence, status=o.status,
                retry_after=o.retry_after, cut_off=self._blackout.failed(feed.url, o.kind),
            )  # fmt: skip
            report.status, report.outcome, report.error = o.status, o.kind, o.sentence
        elif isinstance(o, Unchanged):
            self._blackout.answered()
            columns = after_success(
                feed, now, self._settings, status=o.answer.status, max_age=o.answer.max_age,
                moved_to=o.answer.moved_to,
            )  # fmt: skip
            if isinstance(o.answer, Fetched):
                columns |= _validators(o.answer)
            report.status, report.outcome = o.answer.status, "unchanged"
        else:
            assert delivery is not None  # the caller saw to it
            self._blackout.answered()
            tally = delivery.tally
            columns = after_success(
                feed, now, self._settings, status=o.answer.status, max_age=o.answer.max_age,
                moved_to=o.answer.moved_to, news=news,
            )  # fmt: skip
            columns |= _validators(o.answer)
            columns |= {"body_hash": o.digest, "title": o.document.title or feed.title}
            report.status, report.missed, report.seen = o.answer.status, delivery.missed, tally.seen
            report.counts, report.reasons = dict(tally.fates), dict(tally.reasons)
        report.next_at = cast(datetime, columns["next_at"])
        report.feed = structs.replace(feed, **columns)
        return report, columns, tally

    def _count(self) -> None:
        if time.monotonic() - self._counted >= _COUNT_S:
            self._counted = time.monotonic()
            with suppress(DatelineError):  # what was settled is settled
                health.count(self._engine)

    def _move(self, db: sa.Connection, report: PollReport, columns: dict[str, object]) -> None:
        """A feed whose redirect has stayed long enough gets its new address."""
        feed = report.feed
        if feed is not None and moves.stayed(feed, report.at, self._settings):
            columns |= moves.adopt(db, feed, report.at)
            report.feed = structs.replace(feed, **columns)


def _delivery(o: Brought, had_items: bool) -> Delivery:
    tally = Tally.empty(o.document.seen)
    candidates = normalise.candidates(
        o.document, feed_url=o.feed.url, outlet=o.feed.outlet, fetched=o.at, tally=tally
    )
    for candidate in candidates:
        if found := o.pages.get(candidate.position):
            page.put(candidate, found)
    return Delivery(
        candidates=candidates, source=o.feed.url, at=o.at, tally=tally, feed_id=o.feed.id,
        outlet=o.feed.outlet, had_items=had_items,
    )  # fmt: skip


def _news(db: sa.Connection, o: Brought, delivery: Delivery) -> News:
    fates, reasons = delivery.tally.fates, delivery.tally.reasons
    dead = [reason for reason in reasons if reason.startswith(f"{DEAD}: ")]
    return News(
        shown=o.document.seen,
        fresh=delivery.fresh,
        changed=bool(fates[STORED] + fates[REVISED]),
        missed=delivery.missed,
        dates=[c.article.published for c in delivery.candidates if c.article.published],
        hints=o.document.hints,
        ended=o.document.ended,
        flaw=f"{fates[DEAD]:,} of {o.document.seen:,} items could not be read "
        f"({dead[0].removeprefix(f'{DEAD}: ')})" if dead else None,
        twin=overlap.twin(db, o.feed, o.at) if overlap.due(o.feed, o.at, delivery.fresh) else None,
    )  # fmt: skip


def broke(feed: Feed, at: datetime, error: Exception) -> Failed:
    """A fault of ours while this feed was polled."""
    sentence = f"the poll broke ({type(error).__name__}: {error})"[:300]
    return Failed(feed=feed, at=at, kind="bug", sentence=sentence)


def _validators(answer: Fetched) -> dict[str, object]:
    return {"etag": answer.etag, "last_modified": answer.last_modified}


def _write(
    db: sa.Connection, changes: Sequence[dict[str, object]], rows: Sequence[dict[str, object]]
) -> None:
    # One statement for all that change the same columns: most polls of a batch do.
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for change in changes:
        alike[tuple(change)].append(change)
    for some in alike.values():
        db.execute(_UPDATE, some)
    if rows:
        db.execute(polls.insert(), list(rows))
