"""What dashboards read, on both databases."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from store import tables
from tests.sinks.world import NOON, Feed, created, decision, matched, view


def test_articles_carry_what_a_dashboard_needs(feed: Feed, engine: sa.Engine) -> None:
    feed(
        matched("a", changes=[created("s1")], outlet="www.ledger.example"),
        matched("b", outlet="unknown.example", published=None, published_from="none", copy_of="a"),
    )
    one, two = view(engine, "v_articles")
    assert (one["ref"], one["outlet"], one["outlet_name"], one["family"], one["verified"]) == (
        "ref-a", "www.ledger.example", "The Strait Ledger", "Ledger Group", True
    )  # fmt: skip
    assert (one["published"], one["fetched"], one["published_from"]) == (NOON, NOON, "feed")
    assert (two["published"], two["event_time"], two["verified"]) == (None, NOON, False)
    assert (two["copy_of"], two["story_id"], two["revision"]) == ("a", "s1", 1)
    assert [row["is_copy"] for row in view(engine, "v_story_articles")] == [False, True]


def test_stories_count_outlets_and_independent_sources(feed: Feed, engine: sa.Engine) -> None:
    feed(
        matched("a", changes=[created("s1", "Summit")]),
        matched("b", outlet="mekong.example", minute=10),
        matched("c", outlet="harbor.example", copy_of="a", minute=20),
        matched("d", outlet="courier.example", text="Meridian Wire contributed.", minute=30),
        matched("e", outlet="hangang.example", minute=40),
    )
    [story] = view(engine, "v_stories")
    assert story == {
        "story_id": "s1", "label": "Summit", "state": "open", "first_published": NOON,
        "last_published": NOON + timedelta(minutes=40), "articles": 5, "outlets": 5,
        "independent_sources": 2, "merged_into": None, "continues": None,
    }  # fmt: skip
    assert view(engine, "v_alerts")[0]["independent_sources"] == 2, "alerts count alike"


def test_matches_keep_their_reasons_and_say_when_they_were_decided(
    feed: Feed, engine: sa.Engine
) -> None:
    rivals = [decision("dmz", 0.2, rival="singapore-summit", margin=-2.0), decision()]
    feed(matched("a", decisions=rivals))
    dmz, singapore = view(engine, "v_matches")
    assert (dmz["event_id"], dmz["matched"], dmz["probability"]) == ("dmz", False, 0.2)
    assert dmz["reasons"]["rival"] == "singapore-summit"
    assert sum(s["contribution"] for s in singapore["reasons"]["signals"]) == 3.2
    assert singapore["decided_at"] == NOON + timedelta(days=1), "the time that the log gave it"
    assert (singapore["definition_version"], singapore["model"], singapore["verdict"]) == (
        1, "mini@1", None
    )  # fmt: skip


def test_deliveries_and_feeds(feed: Feed, engine: sa.Engine) -> None:
    feed(matched("a"))
    [delivery] = view(engine, "v_deliveries")
    assert (delivery["alert_id"], delivery["channel"], delivery["state"]) == (
        "singapore-summit:s1", "console", "pending"
    )  # fmt: skip
    with engine.begin() as connection:
        row = {"url": "https://x.example/rss", "added": NOON, "next_at": NOON, "interval_s": 300.0}
        connection.execute(tables.feeds.insert(), row)
    [shown] = view(engine, "v_feeds")
    assert (shown["url"], shown["state"], shown["next_at"]) == (
        "https://x.example/rss", "active", NOON
    )  # fmt: skip
