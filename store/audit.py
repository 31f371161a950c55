"""The books of the whole pipeline: every item that was seen must have ended somewhere.

Three sums: the items of each poll stand in exactly one of five fates (by poll, or by feed and day
once polls are folded); as many articles are known as items were stored; and each revision that
ingest appended to the log has become a row or a dead letter. What is neither is on its way while
the pipeline has lag, and a gap, which is a bug, when it has none.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from store import tables, views
from store.connection import describe, reading, translated

# A report is read by people; the number of gaps is given in full.
SHOWN = 20
POLL_FATES = ("stored", "revised", "duplicate", "filtered", "dead")


@dataclass(frozen=True)
class Gap:
    """Something without a fate."""

    what: str  # "poll", "day", "articles" or "revision"
    key: str  # "<source> at <time>", "<source> on <day>", "" or "<article>@<revision>"
    problem: str


@dataclass(frozen=True)
class Report:
    seen: int  # items in all polls
    polls: dict[str, int]  # their fates
    appended: int  # articles that ingest put on the log
    stored: int  # of these, how many have their latest revision in the database
    dead: int  # … or a dead letter
    in_flight: int  # … or neither, while the pipeline has lag
    articles: int  # rows of v_articles
    fates: dict[str, int]  # "stage: fate: reason" -> count
    gaps: list[Gap]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        counted = ", ".join(f"{count:,} {fate}" for fate, count in self.polls.items() if count)
        lines = [
            f"{self.seen:,} items seen in polls and archives = {counted or 'nothing yet'}",
            f"{self.appended:,} articles appended = {self.stored:,} stored + {self.dead:,} dead"
            f" + {self.in_flight:,} in flight"
            + (f" + {self._lost:,} without a fate" if self._lost else ""),
            f"{self.articles:,} articles in the database",
            *(f"  {count:>8,}  {name}" for name, count in self.fates.items()),
            f"{len(self.gaps):,} gaps" + ("" if self.gaps else ": every item has its fate"),
            *(f"  {gap.what} {gap.key}: {gap.problem}" for gap in self.gaps[:SHOWN]),
        ]
        return "\n".join(lines)

    @property
    def _lost(self) -> int:
        return sum(gap.what == "revision" for gap in self.gaps)


def audit(engine: sa.Engine, *, in_flight_allowed: bool = False) -> Report:
    """Reconcile polls, identities and fates. `in_flight_allowed`: a stage has lag, so a revision
    without a fate is on its way."""
    books = views.v_ledger.table
    with translated(describe(engine)), reading(engine) as connection:
        sums = connection.execute(
            sa.select(
                *[sa.func.coalesce(sa.func.sum(books.c[name]), 0) for name in ("seen", *POLL_FATES)]
            )
        ).one()
        gaps = _poll_gaps(connection) + _day_gaps(connection)
        appended = _count(connection, tables.identities)
        if appended != sums[1]:
            gaps.append(
                Gap("articles", "", f"{sums[1]:,} items were stored, {appended:,} articles known")
            )
        lost = _without_fate(connection)
        dead = connection.execute(
            sa.select(sa.func.count())
            .select_from(tables.identities)
            .where(~_is_stored(), _is_dead())
        ).scalar_one()
        articles = _count(connection, tables.articles)
        v = views.v_fates.table.c
        fates = {
            ": ".join(part for part in (row.stage, row.fate, row.reason) if part): int(row.n)
            for row in connection.execute(
                sa.select(v.stage, v.fate, v.reason, v["count"].label("n")).order_by(
                    v.stage, v.fate, v.reason
                )
            )
        }
    if not in_flight_allowed:
        gaps += [
            Gap("revision", key, "appended to the log, neither stored nor dead") for key in lost
        ]
    return Report(
        seen=int(sums[0]),
        polls={fate: int(n) for fate, n in zip(POLL_FATES, sums[1:], strict=True)},
        appended=appended,
        stored=appended - dead - len(lost),
        dead=dead,
        in_flight=len(lost) if in_flight_allowed else 0,
        articles=articles,
        fates=fates,
        gaps=gaps,
    )


def _poll_gaps(connection: sa.Connection) -> list[Gap]:
    p = tables.polls.c
    total = sum((p[fate] for fate in POLL_FATES[1:]), start=p[POLL_FATES[0]])
    odd = connection.execute(
        sa.select(p.source, p.at, p.seen, total.label("total"))
        .where(p.seen != total)
        .order_by(p.at, p.source)
    )
    return [
        Gap("poll", f"{row.source} at {row.at.isoformat()}",
            f"{row.seen} items seen, {row.total} have a fate")
        for row in odd
    ]  # fmt: skip


def _day_gaps(connection: sa.Connection) -> list[Gap]:
    d = tables.polls_daily.c
    total = sum((d[fate] for fate in POLL_FATES[1:]), start=d[POLL_FATES[0]])
    odd = connection.execute(
        sa.select(d.source, d.day, d.seen, total.label("total"))
        .where(d.seen != total)
        .order_by(d.day, d.source)
    )
    return [
        Gap("day", f"{row.source} on {row.day}",
            f"{row.seen} items seen, {row.total} have a fate")
        for row in odd
    ]  # fmt: skip


def _is_stored() -> sa.ColumnElement[bool]:
    i, r = tables.identities.c, tables.revisions.c
    return (
        sa.exists()
        .where(r.article_id == i.article_id, r.revision_hash == i.revision)
        .correlate(tables.identities)
    )


def _is_dead() -> sa.ColumnElement[bool]:
    i, f = tables.identities.c, tables.fates.c
    return (
        sa.exists()
        .where(
            f.article_id == i.article_id,
            f.record == i.article_id + "@" + i.revision,
            f.fate == "dead",
        )
        .correlate(tables.identities)
    )


def _without_fate(connection: sa.Connection) -> list[str]:
    i = tables.identities.c
    rows = connection.execute(
        sa.select(i.article_id, i.revision).where(~_is_stored(), ~_is_dead()).order_by(i.article_id)
    )
    return [f"{row.article_id}@{row.revision}" for row in rows]


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
