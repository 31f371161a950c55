"""A small world in the database, as the sink would leave it: four chained meetings, their
coverage with copies and edits, look-alikes that nearly match, alerts, feeds and fates.

The meetings are public facts; outlets, headlines and sentences are made up here.
"""

from __future__ import annotations

import math
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from store import tables as t
from stream.records import Decision, Definition, Name, Signal

LOG = {"lane": 0, "log_offset": 1}
OUTLETS = {
    "meridian-wire.example": ("Meridian Wire", "Meridian Wire"),
    "strait-ledger.example": ("The Strait Ledger", "Ledger Group"),
    "mekong-current.example": ("Mekong Current", "Ledger Group"),
    "hangang-daily.example": ("Hangang Daily", "Hangang Media"),
    "potomac-courier.example": ("Potomac Courier", "Potomac Courier"),
    "nordic-standard.example": ("Nordic Standard", "Nordic Standard"),
}
TRUMP, KIM = Name(name="Donald Trump", aliases=["Trump"]), Name(name="Kim Jong Un")
EVENTS = (
    Definition(
        id="kim-moon-panmunjom", version=1, title="Kim–Moon meetings at Panmunjom",
        description="The meetings of the two Korean leaders in the truce village in spring 2018.",
        actors=[KIM, Name(name="Moon Jae-in")], places=[Name(name="Panmunjom")],
        starts="2018-03-06", ends="2018-06-05",
    ),
    Definition(
        id="kim-trump-singapore", version=2, title="Kim–Trump summit in Singapore",
        description="The first meeting of an American president and a North Korean leader.",
        actors=[TRUMP, KIM], places=[Name(name="Singapore"), Name(name="Sentosa")],
        not_about=["Shangri-La Dialogue"], follows=["kim-moon-panmunjom"],
        starts="2018-03-08", ends="2018-07-31",
    ),
    Definition(
        id="kim-trump-hanoi", version=1, title="Kim–Trump summit in Hanoi",
        description="The second summit, which ended early and without an agreement.",
        actors=[TRUMP, KIM], places=[Name(name="Hanoi"), Name(name="Metropole")],
        follows=["kim-trump-singapore"], starts="2019-01-18", ends="2019-04-15",
    ),
    Definition(
        id="kim-trump-dmz", version=1, title="Kim–Trump meeting at the DMZ",
        description="The third meeting, on the demarcation line at Panmunjom.",
        actors=[TRUMP, KIM], places=[Name(name="DMZ"), Name(name="Panmunjom")],
        follows=["kim-trump-hanoi"], starts="2019-06-26", ends="2019-07-20",
    ),
)  # fmt: skip
BY_ID = {event.id: event for event in EVENTS}
PLACES = {"kim-moon-panmunjom": "Panmunjom", "kim-trump-singapore": "Singapore",
          "kim-trump-hanoi": "Hanoi", "kim-trump-dmz": "DMZ"}  # fmt: skip

ARTICLES: dict[str, dict[str, Any]] = {
    row["id"]: row
    for row in tomllib.loads(Path(__file__).with_name("world.toml").read_text())["article"]
}
STORIES = {
    "s-pan": "Kim crosses the line to meet Moon at Panmunjom",
    "s-pan2": "Moon reports on a second, unannounced meeting with Kim",
    "s-sin0": "Singapore chosen for the June meeting",
    "s-sin": "Trump and Kim sign a joint statement in Singapore",
    "s-shangri": "Defence ministers meet at the Shangri-La Dialogue",
    "s-han": "No deal in Hanoi: the lunch is cancelled and the tables are cleared",
    "s-dmz0": "An invitation by tweet, with a day's notice",
    "s-dmz": "Trump steps over the line at Panmunjom",
    "s-port": "Ferry crews in the north strike for a third week",
    "s-flood": "Delta towns move pumps ahead of the high water",
}
CONTINUES = {"s-sin": "s-sin0", "s-han": "s-sin", "s-dmz": "s-han"}
ALERTS = (
    # event, story, what is new, articles, sources
    (0, "s-pan", "4 articles; first in Hangang Daily", ("p2", "p1", "p3", "p4")),
    (0, "s-pan2", "a new story of this event", ("p5",)),
    (1, "s-sin0", "a new story of this event", ("g1", "g2")),
    (1, "s-sin", "2 more independent sources",
     ("g3", "g4", "g5", "g6", "g7")),
    (2, "s-han", "1 more independent source: Potomac Courier", ("h2", "h1", "h3", "h4")),
    (3, "s-dmz0", "a new story of this event", ("z1",)),
    (3, "s-dmz", "2 more independent sources: Hangang Daily, Potomac Courier",
     ("z2", "z3", "z4", "z5")),
)  # fmt: skip


def decision(
    event: Definition, probability: float, sentence: str, *, rival: Definition | None = None
) -> Decision:
    """A Decision whose contributions sum to its score."""
    place = PLACES[event.id]
    shared = [n for n in ("Donald Trump", "Kim Jong Un", "Moon Jae-in", place) if n in sentence]
    score = math.log(probability / (1 - probability))
    base = -3.4
    inside = probability >= 0.5
    weights = (0.46, 0.27, 0.2, 0.12, -0.05) if inside else (0.9, 0.3, 0.25, -0.15, -0.3)
    told = (
        ("meaning", "close to the description" if inside else "far from the description"),
        ("actors", "names " + " and ".join(shared[:2]) if shared else "names none of its people"),
        ("places", f"names {place}" if place in sentence else "names none of its places"),
        (
            "inside" if inside else "outside",
            "published inside the window" if inside else "published at the window's edge",
        ),
        ("own", f"names {PLACES[rival.id]}, of a related event" if rival else ""),
    )
    signals = [
        Signal(name=name, value=round(weight, 2), contribution=(score - base) * weight, note=note)
        for weight, (name, note) in zip(weights, told, strict=True)
    ]
    return Decision(
        event_id=event.id, version=event.version, probability=probability,
        matched=probability >= 0.5, score=score, base=base, signals=signals, decider="test",
        model="minilm@test", sentence=sentence, shared=shared, rival=rival and rival.id,
        rival_probability=0.08 if rival else None, margin=probability - 0.08 if rival else None,
    )  # fmt: skip


def at(day: str, hour: int = 9) -> datetime:
    return datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC)


def fill(engine: sa.Engine) -> None:
    """Write the whole world into an empty, upgraded database."""
    with engine.begin() as connection:
        _events(connection)
        for number, row in enumerate(ARTICLES.values()):
            _article(connection, number, row)
        _near_misses(connection)
        for story, label in STORIES.items():
            before = CONTINUES.get(story)
            connection.execute(
                t.stories.insert().values(
                    id=story, label=label, state="open", continues=before, **LOG
                )
            )
        _alerts(connection)
        _feeds(connection)


def _events(connection: sa.Connection) -> None:
    for event in EVENTS:
        connection.execute(
            t.events.insert().values(
                id=event.id, version=event.version, title=event.title, starts=event.starts,
                ends=event.ends, follows=event.follows, definition=msgspec.to_builtins(event),
                removed=False,
            )
        )  # fmt: skip


def _article(connection: sa.Connection, number: int, row: dict[str, Any]) -> None:
    id_, outlet, title = row["id"], row["outlet"], row["title"]
    published, copy = at(row["day"], 6 + number % 12), row.get("copy_of")
    name, family = OUTLETS[outlet]
    text = f"{row['sentence']}\nReporters on the spot said that preparations had gone on for weeks."
    edited = id_ == "z2"
    connection.execute(
        t.articles.insert().values(
            id=id_, ref=f"ref-{id_}", url=f"https://{outlet}/{row['day']}/{id_}", title=title,
            text=text, outlet=outlet, outlet_name=name, family=family, verified=True,
            wire=row.get("wire"), lang="en", published=published, published_from="feed",
            fetched=published + timedelta(minutes=4), event_time=published,
            revision=2 if edited else 1, revision_hash=f"r-{id_}", copy_of=copy,
            novelty=0.02 if copy else 0.7, story_id=row["story"], first_story_id=row["story"],
            model="minilm@test", vector=b"\0\0", **LOG,
        )
    )  # fmt: skip
    wordings = ["Trump greets Kim at Panmunjom", title] if edited else [title]
    for revision, wording in enumerate(wordings, start=1):
        last = revision == len(wordings)
        connection.execute(
            t.revisions.insert().values(
                article_id=id_, revision_hash=f"r-{id_}-{revision}", number=revision,
                title=wording, text=text if last else text.replace("became", "may become"),
                fetched=published + timedelta(minutes=4 * revision), **LOG,
            )
        )  # fmt: skip
    connection.execute(
        t.fates.insert().values(
            stage="database", record=f"{id_}@r-{id_}", fate="stored", reason="", article_id=id_,
            **LOG,
        )
    )  # fmt: skip
    if "event" in row:
        event = BY_ID[row["event"]]
        # Its neighbour in the chain.
        rival = EVENTS[EVENTS.index(event) - 1] if event.follows else EVENTS[1]
        decided = decision(event, row["probability"], row["sentence"], rival=rival)
        _match(connection, id_, published, decided)


def _match(connection: sa.Connection, id_: str, when: datetime, decided: Decision) -> None:
    connection.execute(
        t.matches.insert().values(
            id=f"{decided.event_id}:{id_}", event_id=decided.event_id, article_id=id_,
            probability=decided.probability, matched=decided.matched,
            reasons=msgspec.to_builtins(decided), definition_version=decided.version,
            model=decided.model, decided_at=when, history=False, **LOG,
        )
    )  # fmt: skip


def _near_misses(connection: sa.Connection) -> None:
    for id_, event in (("p5", 1), ("g2", 0), ("h3", 1), ("z2", 2), ("z4", 2), ("z1", 2)):
        row = ARTICLES[id_]
        near = decision(EVENTS[event], 0.08, row["sentence"], rival=BY_ID[row["event"]])
        _match(connection, id_, at(row["day"]), near)


def _alerts(connection: sa.Connection) -> None:
    days = {id_: row["day"] for id_, row in ARTICLES.items()}
    for event, story, new, ids in ALERTS:
        alert = f"{EVENTS[event].id}:{story}"
        first, last = min(days[i] for i in ids), max(days[i] for i in ids)
        connection.execute(
            t.alerts.insert().values(
                id=alert, event_id=EVENTS[event].id, story_id=story, first_at=at(first),
                updated_at=at(last), told_at=at(last), headline=STORIES[story], what_is_new=new,
                articles=len(ids), independent_sources=max(1, len(ids) - 1), told_sources=1,
                sequence=1, **LOG,
            )
        )  # fmt: skip
        for number, id_ in enumerate(ids):
            connection.execute(
                t.alert_articles.insert().values(alert_id=alert, article_id=id_, number=number)
            )


def _feeds(connection: sa.Connection) -> None:
    now = at("2019-07-03")
    for number, outlet in enumerate(OUTLETS):
        failing = outlet == "nordic-standard.example"
        connection.execute(
            t.feeds.insert().values(
                url=f"https://{outlet}/rss.xml", outlet=outlet, state="active",
                added=at("2018-04-01"), next_at=now + timedelta(minutes=5 * number), interval_s=900,
                last_at=now, last_ok=now - timedelta(days=2 if failing else 0),
                items_per_day=1.5 + number,
                error="the server answered 503; the next try is in 30 minutes" if failing else None,
                health="dying" if failing else "silent" if number == 4 else "ok",
                why="nothing new for 25 hours; its longest pause of late was 8 hours"
                if number == 4 else None,
            )
        )  # fmt: skip
    connection.execute(
        t.polls.insert().values(
            source="archive:test", at=now, seen=28, stored=len(ARTICLES), revised=1, duplicate=1,
            filtered=1, dead=0, reasons={"filtered: no title and no text": 1},
        )
    )  # fmt: skip
    connection.execute(
        t.positions.insert().values(
            topic="dateline.matched", partition=0, log_id="test", next=len(ARTICLES)
        )
    )
