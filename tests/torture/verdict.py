"""After a torture run: is everything there, once, and the same as from an undisturbed pass?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from dateline import app, ledger
from dateline.config import Settings
from store import tables
from store.compare import differences
from store.connection import reading
from store.engine import open_database


@dataclass
class Verdict:
    articles: int
    lost: list[str]
    duplicated: list[str]
    differing: list[str]
    changed: list[str]  # articles whose words are not those of the input
    gaps: list[str]
    dead: int
    matches: int
    alerts: int
    sent: int
    unknown: int
    untold: list[str] = field(default_factory=list)  # "sent" by the books, never written out
    told_twice: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        faults = (self.lost, self.duplicated, self.differing, self.changed, self.gaps, self.untold,
                  self.told_twice)  # fmt: skip
        return not any(faults) and self.dead == 0


def judge(
    settings: Settings, empty: str, rows: Mapping[str, Mapping[str, str]], told: Sequence[str]
) -> Verdict:
    """`empty`: URL of a database to rebuild into. `rows`: the input by ref. `told`: what the
    deliverers wrote out, as `alert/sequence`."""
    ledger.rebuild(settings, empty)
    engine, again = app.open_engine(settings), open_database(empty)
    try:
        differing = differences(engine, again)
        audit = ledger.reconcile(settings)
        with reading(engine) as connection:
            query = sa.text("SELECT ref FROM v_story_articles")
            held = Counter(connection.execute(query).scalars())
            a = tables.articles.c
            wording = {
                ref: (title, text)
                for ref, title, text in connection.execute(sa.select(a.ref, a.title, a.text))
            }
            dead = connection.execute(sa.select(sa.func.count()).select_from(tables.dead)).scalar()
            matches = connection.execute(
                sa.text("SELECT count(*) FROM v_matches WHERE matched")
            ).scalar()
            outbox: list[Any] = list(connection.execute(sa.select(tables.outbox)).all())
    finally:
        engine.dispose()
        again.dispose()
    heard = Counter(told)
    states = {f"{row.alert_id}/{row.sequence}": row.state for row in outbox}
    return Verdict(
        articles=len(held),
        lost=sorted(set(rows) - set(held)),
        duplicated=sorted(ref for ref, times in held.items() if times > 1)
        + sorted(set(held) - set(rows)),
        differing=differing,
        changed=sorted(
            ref
            for ref, row in rows.items()
            if ref in wording and wording[ref] != (row["title"], row["text"])
        ),
        gaps=[str(gap) for gap in audit.gaps],
        dead=int(dead or 0),
        matches=int(matches or 0),
        alerts=len(states),
        sent=sum(state == "sent" for state in states.values()),
        unknown=sum(state == "unknown" for state in states.values()),
        untold=sorted(key for key, state in states.items() if state == "sent" and not heard[key])
        + sorted(
            f"{k}: {state}" for k, state in states.items() if state not in ("sent", "unknown")
        ),
        told_twice=sorted(key for key, times in heard.items() if times > 1)
        + sorted(set(heard) - set(states)),
    )
