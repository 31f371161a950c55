"""The JSON API: shapes, paging, errors, and the tag that says whether anything changed."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from store import tables
from tests.dashboard import world


def test_times_are_iso_8601_with_a_zone(desk: TestClient) -> None:
    article = desk.get("/api/articles/z2").json()
    assert datetime.fromisoformat(article["published"]).utcoffset() is not None
    assert [revision["number"] for revision in article["revisions"]] == [1, 2]


def test_an_article_carries_its_decisions_whose_contributions_sum_to_the_score(
    desk: TestClient,
) -> None:
    decisions = desk.get("/api/articles/z2").json()["decisions"]
    assert [row["event_id"] for row in decisions] == ["kim-trump-dmz", "kim-trump-hanoi"]
    for row in decisions:
        reasons = row["reasons"]
        total = reasons["base"] + sum(signal["contribution"] for signal in reasons["signals"])
        assert total == pytest.approx(reasons["score"])


def test_pages_of_a_list_neither_overlap_nor_leave_out(desk: TestClient) -> None:
    found = []
    for offset in (0, 4, 8):
        page = desk.get("/api/stories", params={"limit": 4, "offset": offset}).json()
        assert page["total"] == len(world.STORIES)
        found += [row["story_id"] for row in page["items"]]
    assert sorted(found) == sorted(world.STORIES)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=ten", "limit=-1", "offset=-1", "offset=" + "9" * 30]
)
def test_paging_out_of_bounds_is_refused_in_a_sentence(desk: TestClient, query: str) -> None:
    answer = desk.get(f"/api/stories?{query}")
    assert answer.status_code == 400
    assert "must be a whole number from" in answer.json()["error"]


@pytest.mark.parametrize("address", ["/api/events/nope", "/api/articles/nope", "/api/nope"])
def test_what_is_not_there_is_an_error_as_json(desk: TestClient, address: str) -> None:
    answer = desk.get(address)
    assert answer.status_code == 404
    assert set(answer.json()) == {"error"}


def test_one_event_has_coverage_near_misses_and_alerts(desk: TestClient) -> None:
    event = desk.get("/api/events/kim-trump-hanoi", params={"limit": 2}).json()
    assert event["definition"]["places"][0]["name"] == "Hanoi"
    assert event["coverage"]["total"] == 4
    assert len(event["coverage"]["items"]) == 2
    assert {row["article_id"] for row in event["near_misses"]} <= {"z1", "z2", "z4"}
    assert event["alerts"][0]["match_id"] == "kim-trump-hanoi:h2"


def test_feeds_that_fail_come_first(desk: TestClient) -> None:
    feeds = desk.get("/api/feeds").json()
    assert feeds["total"] == 6
    assert feeds["items"][0]["error"].startswith("the server answered 503")
    assert [row["health"] for row in feeds["items"]][:3] == ["dying", "silent", "ok"]
    assert "nothing new for 25 hours" in desk.get("/feeds").text


def test_the_tag_changes_when_the_sink_or_a_feed_moves_and_only_then(
    filled: sa.Engine, desk: TestClient
) -> None:
    tag = desk.get("/api/changes").json()["tag"]
    assert not desk.get("/api/changes", params={"since": tag}).json()["changed"]
    with filled.begin() as connection:
        connection.execute(tables.positions.update().values(next=99))
    moved = desk.get("/api/changes", params={"since": tag}).json()
    assert moved["changed"]
    with filled.begin() as connection:
        connection.execute(tables.feeds.update().values(last_at=world.at("2019-07-04")))
    assert desk.get("/api/changes", params={"since": moved["tag"]}).json()["changed"]


def test_the_counts_say_that_every_item_has_a_fate(desk: TestClient) -> None:
    status = desk.get("/api/status").json()
    assert status["ledger"] == {"stored": 25, "revised": 1, "duplicate": 1, "filtered": 1}
    assert sum(status["ledger"].values()) == 28
    assert status["fates"]["database"]["stored"] == status["articles"]
