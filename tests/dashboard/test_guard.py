"""Hostile names, titles and links; the headers; the socket."""

from __future__ import annotations

import threading
import urllib.request

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from dashboard.server import Server, serve
from dashboard.settings import DashboardSettings
from dashboard.words import marked, outside_link
from store import tables
from stream.errors import UsageError
from tests.dashboard.conftest import client_of
from tests.dashboard.markup import Page

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def poisoned(filled: sa.Engine) -> sa.Engine:
    """Every text that comes from outside is an attack."""
    with filled.begin() as connection:
        for table, names in (
            (tables.articles, ("title", "text", "outlet_name", "wire", "lang", "ref")),
            (tables.stories, ("label",)),
            (tables.alerts, ("headline", "what_is_new")),
            (tables.feeds, ("outlet", "error", "health", "why")),
            (tables.events, ("title",)),
            (tables.revisions, ("title", "text")),
            (tables.fates, ("reason",)),
        ):
            connection.execute(table.update().values(dict.fromkeys(names, HOSTILE)))
        connection.execute(tables.articles.update().values(url="javascript:alert(3)"))
        connection.execute(
            tables.matches.update().values(
                reasons={
                    "event_id": HOSTILE, "version": 1, "probability": 0.9, "matched": True,
                    "score": 2.2, "base": 0.0, "decider": "d", "model": HOSTILE,
                    "sentence": HOSTILE, "shared": ["<script>", "img"], "rival": HOSTILE,
                    "signals": [
                        {"name": HOSTILE, "value": 1.0, "contribution": 2.2, "note": HOSTILE}
                    ],
                }
            )
        )  # fmt: skip
    return filled


@pytest.mark.parametrize(
    "address",
    ["/", "/events/kim-trump-dmz", "/stories", "/stories/s-sin", "/articles/z2", "/feeds",
     "/stories?q=%3Cscript%3Ealert(1)", "/events/%3Cscript%3Ealert(1)"],
)  # fmt: skip
def test_outside_text_is_only_ever_text(poisoned: sa.Engine, address: str) -> None:
    answer = client_of(poisoned).get(address)
    page = Page(answer.text)
    page.check(address)
    assert "&lt;script&gt;" in answer.text
    scripts = [attributes["src"] for tag, attributes in page.seen if tag == "script"]
    assert scripts == ["/static/theme.js", "/static/desk.js"]
    assert not [tag for tag, _ in page.seen if tag == "img"]
    assert "javascript:" not in answer.text


def test_links_that_lead_outside_tell_nothing_and_open_only_web_addresses(
    desk: TestClient,
) -> None:
    outside = [
        attributes
        for tag, attributes in Page(desk.get("/").text).seen
        if tag == "a" and not attributes["href"].startswith(("/", "#"))
    ]
    assert outside
    for link in outside:
        assert link["href"].startswith("https://")
        assert link["rel"] == "noopener noreferrer nofollow"


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", " javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x",
     "file:///etc/passwd", "//elsewhere.example/x", "http:", "https://[bad", "", None],
)  # fmt: skip
def test_an_address_that_is_not_of_the_web_is_no_link(url: str | None) -> None:
    assert outside_link(url) is None


def test_names_are_marked_and_the_rest_of_a_sentence_stays_escaped() -> None:
    assert marked("Kim & <b>Kim Jong Un</b>", ["Kim", "Kim Jong Un"]) == (
        "<mark>Kim</mark> &amp; &lt;b&gt;<mark>Kim Jong Un</mark>&lt;/b&gt;"
    )


@pytest.mark.parametrize("address", ["/", "/nope", "/api/status", "/api/nope", "/static/desk.js"])
def test_every_answer_carries_the_policy(desk: TestClient, address: str) -> None:
    headers = desk.get(address).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_an_answer_about_a_fault_of_ours_carries_the_policy_and_no_traceback(
    desk: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("inner secret")

    monkeypatch.setattr("dashboard.queries.status.counts", broken)
    answer = desk.get("/")
    assert answer.status_code == 500
    assert "inner secret" not in answer.text
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "10.0.0.1"])
def test_a_name_that_is_not_ours_is_refused(desk: TestClient, host: str) -> None:
    assert desk.get("/api/status", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8642", "127.0.0.1:1", "[::1]:9", "LOCALHOST"])
def test_loopback_names_are_answered(desk: TestClient, host: str) -> None:
    assert desk.get("/api/status", headers={"Host": host}).status_code == 200


def test_an_operator_may_allow_another_name(filled: sa.Engine) -> None:
    desk = client_of(filled, allowed_hosts=["desk.newsroom.example"])
    answer = desk.get("/api/status", headers={"Host": "desk.newsroom.example:8642"})
    assert answer.status_code == 200


def test_the_desk_only_reads(filled: sa.Engine, desk: TestClient) -> None:
    statements = []
    listener = lambda *args: statements.append(args[2])  # noqa: E731
    sa.event.listen(filled, "before_cursor_execute", listener)
    for address in ("/", "/events/kim-trump-dmz", "/stories", "/articles/z2", "/api/status"):
        desk.get(address)
    assert statements
    assert {s.lstrip().split()[0].upper() for s in statements} <= {"SELECT", "BEGIN"}
    assert "BEGIN IMMEDIATE" not in statements


def test_served_on_a_free_port_until_closed(filled: sa.Engine) -> None:
    with Server(client_of(filled).app) as server:
        assert server.port > 0
        with urllib.request.urlopen(f"{server.url}/api/status", timeout=10) as answer:
            assert answer.status == 200
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{server.url}/api/status", timeout=10)


def test_a_port_in_use_is_a_usage_error_in_one_sentence(filled: sa.Engine) -> None:
    app = client_of(filled).app
    with Server(app) as server, pytest.raises(UsageError, match=r"cannot listen on 127.0.0.1"):
        Server(app, port=server.port)


def test_serving_ends_when_told(filled: sa.Engine) -> None:
    stop = threading.Event()
    serving = threading.Thread(
        target=serve, args=(client_of(filled).app, DashboardSettings(port=0), stop)
    )
    serving.start()
    stop.set()
    serving.join(20)
    assert not serving.is_alive()
