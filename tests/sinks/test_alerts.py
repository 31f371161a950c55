"""What an analyst is told: one alert a story, updated in place, told again when it matters."""

from __future__ import annotations

import msgspec
import pytest
import sqlalchemy as sa

from sinks.alerts.words import reason
from sinks.news import Piece, Reason
from store import tables
from stream import records
from stream.records import AlertAck, Signal, StoryChange
from tests.sinks.world import EVENT, NOON, Feed, created, decision, history, matched, rows, view

NO = [decision(probability=0.1)]


def _told(engine: sa.Engine) -> list[str]:
    return [
        row["payload"]["what_is_new"]
        for row in sorted(rows(engine, tables.outbox), key=lambda r: (r["alert_id"], r["sequence"]))
    ]


def test_one_alert_a_story_updated_in_place(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a", changes=[created("s1", "Summit is back on")]))
    feed(matched("b", outlet="mekong.example", minute=5))  # of the same family
    [alert] = view(engine, "v_alerts")
    assert alert["alert_id"] == f"{EVENT}:s1"
    assert (alert["articles"], alert["independent_sources"], alert["sequence"]) == (2, 1, 1)
    assert alert["headline"] == "Summit is back on"
    assert alert["what_is_new"] == "Another article from Mekong Current"
    assert alert["first_at"] == NOON
    assert alert["updated_at"] > NOON
    assert _told(engine) == ["First report: The Strait Ledger"]


def test_told_when_the_independent_sources_double(feed: Feed, engine: sa.Engine) -> None:
    outlets = ["ledger", "harbor", "hangang", "courier", "one", "two", "three", "four", "five"]
    for number, outlet in enumerate(outlets):
        feed(matched(f"a{number}", outlet=f"{outlet}.example", minute=number))
    assert _told(engine) == [
        "First report: The Strait Ledger",
        "2nd independent source: The Harbor Post",
        "4th independent source: Potomac Courier",
        "8th independent source: four.example",
    ]
    assert view(engine, "v_alerts")[0]["independent_sources"] == 9


def test_copies_and_credits_never_raise_the_independent_sources(
    feed: Feed, engine: sa.Engine
) -> None:
    wire = "SINGAPORE (Meridian Wire) - The summit is on again."
    feed(
        matched("w", outlet="meridian.example", text=wire),
        matched("c1", outlet="harbor.example", text=wire, copy_of="w"),
        matched("c2", outlet="hangang.example", text=wire, copy_of="w"),
        matched("k", outlet="courier.example", text="Our own words. Meridian Wire contributed."),
    )
    [alert] = view(engine, "v_alerts")
    assert (alert["articles"], alert["independent_sources"]) == (4, 1)
    assert alert["what_is_new"] == "Potomac Courier has it from Meridian Wire"
    assert len(_told(engine)) == 1
    assert view(engine, "v_stories")[0]["independent_sources"] == 1


def test_a_story_of_nothing_but_copies_has_one_source(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("c1", copy_of="elsewhere"), matched("c2", outlet="x.example", copy_of="elsewhere"))
    assert view(engine, "v_alerts")[0]["independent_sources"] == 1
    assert view(engine, "v_stories")[0]["independent_sources"] == 1


def test_told_when_the_lead_changes_its_headline(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a", title="Summit on"), matched("b", outlet="mekong.example"))
    feed(matched("b", outlet="mekong.example", title="Other words", revision="r2", minute=3))
    assert len(_told(engine)) == 1, "only the lead's headline was passed on"
    feed(matched("a", title="Summit off", revision="r2", minute=9))
    assert _told(engine)[1:] == ["The Strait Ledger has changed its headline: “Summit off”"]
    assert view(engine, "v_alerts")[0]["articles"] == 2


def test_a_correction_is_told(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a", title="Summit on"))
    feed(matched("a", title="Weather", revision="r2", decisions=NO))
    [alert] = view(engine, "v_alerts")
    assert (alert["state"], alert["articles"], alert["sequence"]) == ("withdrawn", 0, 2)
    assert _told(engine)[1].startswith("Corrected: “Weather” (The Strait Ledger)")


def test_a_decision_that_is_gone_from_a_revision_is_gone(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a"))
    feed(matched("a", revision="r2", decisions=[]))
    assert view(engine, "v_matches") == []
    assert view(engine, "v_alerts")[0]["state"] == "withdrawn"


def test_alerts_follow_the_survivor_of_a_merge(feed: Feed, engine: sa.Engine) -> None:
    feed(
        matched("a", "s1", changes=[created("s1", "One")]),
        matched("b", "s2", outlet="harbor.example", changes=[created("s2", "Two")]),
        matched("c", "s3", changes=[created("s3")], decisions=[decision("other-event")]),
    )
    merges = [StoryChange(kind="merged", story=s, into="s1") for s in ("s2", "s3")]
    feed(matched("d", "s1", decisions=NO, changes=merges))
    alerts = {alert["alert_id"]: alert for alert in view(engine, "v_alerts")}
    one, two, other = (alerts[f"{EVENT}:s1"], alerts[f"{EVENT}:s2"], alerts["other-event:s3"])
    assert (one["articles"], one["independent_sources"], one["state"]) == (2, 2, "open")
    assert (two["state"], two["merged_into"]) == ("merged", f"{EVENT}:s1")
    assert (other["state"], other["story_id"]) == ("open", "s1")
    assert "Two stories became one: 2 articles from 2 independent sources" in _told(engine)
    # What comes for the story that is no more belongs to the survivor's alert.
    feed(matched("e", "s2", outlet="hangang.example"))
    assert {a["alert_id"]: a["articles"] for a in view(engine, "v_alerts")}[f"{EVENT}:s1"] == 3


def test_an_alert_follows_its_only_article_to_another_story(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a", "s1", changes=[created("s1")]), matched("b", "s1", decisions=NO))
    split = StoryChange(kind="split", story="s1", into="s9", articles=["a"])
    feed(matched("a", "s9", revision="r2", changes=[split, created("s9", "Apart")]))
    [alert] = view(engine, "v_alerts")
    assert (alert["alert_id"], alert["story_id"], alert["articles"]) == (f"{EVENT}:s1", "s9", 1)
    assert len(_told(engine)) == 1


def test_an_article_that_moves_leaves_the_alert_and_raises_another(
    feed: Feed, engine: sa.Engine
) -> None:
    feed(matched("a", changes=[created("s1")]), matched("b", outlet="harbor.example"))
    split = StoryChange(kind="split", story="s1", into="s9", articles=["b"])
    feed(
        matched("b", "s9", outlet="harbor.example", revision="r2",
                changes=[split, created("s9", "Apart")])
    )  # fmt: skip
    assert {a["alert_id"]: (a["articles"], a["headline"]) for a in view(engine, "v_alerts")} == {
        f"{EVENT}:s1": (1, "A summit"),
        f"{EVENT}:s9": (1, "Apart"),
    }


def test_a_look_back_makes_one_alert_a_version(feed: Feed, engine: sa.Engine) -> None:
    feed(*[matched(f"a{n}", f"s{n}", decisions=[]) for n in range(3)])
    feed(history("a0"), history("a1", 0.95), history("a2", 0.1))
    feed(history("a2", 0.7, version=3))
    alerts = {alert["alert_id"]: alert for alert in view(engine, "v_alerts")}
    assert list(alerts) == [f"{EVENT}@2:history", f"{EVENT}@3:history"]
    assert alerts[f"{EVENT}@2:history"]["articles"] == 2
    assert _told(engine) == [
        "2 earlier articles from 1 independent source match version 2 of the event",
        "1 earlier article from 1 independent source matches version 3 of the event",
    ]
    assert [m["history"] for m in view(engine, "v_matches")] == [True] * 3


def test_a_look_back_that_confirms_what_was_told_is_silent(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a"))
    feed(history("a"))
    assert [alert["alert_id"] for alert in view(engine, "v_alerts")] == [f"{EVENT}:s1"]
    assert view(engine, "v_matches")[0]["definition_version"] == 2
    assert len(_told(engine)) == 1


def test_backfill_alerts_are_kept_and_told_to_nobody(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a"), partition=1)
    assert len(view(engine, "v_alerts")) == 1
    assert _told(engine) == []


def test_acknowledged_until_there_is_something_worth_telling(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a"))
    ack = AlertAck(alert_id=f"{EVENT}:s1", at=NOON.replace(hour=13), by="anna")
    feed(ack, topic=records.VERDICTS)
    assert view(engine, "v_alerts")[0]["state"] == "acknowledged"
    feed(matched("b", outlet="mekong.example", minute=120))
    assert view(engine, "v_alerts")[0]["state"] == "acknowledged"
    feed(matched("c", outlet="harbor.example", minute=130))
    assert view(engine, "v_alerts")[0]["state"] == "open"


def test_reasons_are_told_in_words_each_once() -> None:
    signals = [
        Signal(name="meaning", value=1, contribution=2.5, note="reads like the event"),
        Signal(name="words", value=1, contribution=2.0),
        Signal(name="detail", value=1, contribution=1.0, note="reads like a sentence of it"),
        Signal(name="places", value=1, contribution=0.8, note="names Kim Jong Un"),
        Signal(name="actors", value=1, contribution=0.7, note="names Kim Jong Un"),
        Signal(name="outside", value=1, contribution=-1.0, note="long before the window"),
    ]
    piece = Piece("a", "Title", None, "Ledger", "ledger", None, None, NOON, NOON)
    because = {"signals": [msgspec.to_builtins(signal) for signal in signals]}
    made = reason(piece, Reason(0.9, because))
    assert made["signals"] == ["reads like the event", "names Kim Jong Un"]


def test_the_payload_says_why(feed: Feed, engine: sa.Engine) -> None:
    feed(*[matched(f"a{n}", minute=n) for n in range(7)])
    feed(matched("x", outlet="harbor.example", minute=9))
    first, second = [row["payload"] for row in rows(engine, tables.outbox)]
    assert first["event"] == {"id": EVENT}
    assert first["reason"]["sentence"] == "The summit is on again."
    assert first["reason"]["shared"] == ["Kim Jong Un"]
    assert first["reason"]["signals"] == ["reads like the event", "names Kim Jong Un"]
    assert first["desk"] == f"/events/{EVENT}"
    assert len(first["articles"]) == 1
    assert [a["title"] for a in second["articles"]] == [
        "Title of x", "Title of a6", "Title of a5", "Title of a4", "Title of a3"
    ]  # fmt: skip
    assert second["articles"][0]["outlet"] == "The Harbor Post"
    assert second["article_count"] == 8


@pytest.mark.parametrize("at_once", [True, False])
def test_alerts_do_not_depend_on_where_batches_are_cut(
    feed: Feed, engine: sa.Engine, at_once: bool
) -> None:
    outlets = ["ledger", "harbor", "hangang", "courier"]
    feed(*[matched(f"a{n}", outlet=f"{o}.example") for n, o in enumerate(outlets)], at_once=at_once)
    assert len(_told(engine)) == 3
