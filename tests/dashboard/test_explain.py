"""The box: a text in, decisions out, and everything that may go wrong on the way."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from dashboard.app import create_app
from dashboard.explain import MAX_BODY, Explainer
from dashboard.settings import DashboardSettings
from stream.errors import Unavailable
from stream.records import Decision
from tests.dashboard import world
from tests.dashboard.markup import Page

ASKED = {"text": "Trump and Kim will meet in Singapore", "published": "2018-06-11"}


def desk_with(engine: sa.Engine, explainer: Explainer | None, **settings: object) -> TestClient:
    app = create_app(engine, explainer, DashboardSettings.model_validate(settings))
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


def test_an_answer_comes_back_whole_most_probable_first(desk: TestClient) -> None:
    decisions = desk.post("/api/explain", json=ASKED).json()["decisions"]
    assert len(decisions) == len(world.EVENTS)
    assert decisions[0]["event_id"] == "kim-trump-singapore"
    assert decisions[0]["matched"]
    assert not any(decision.get("matched") for decision in decisions[1:])


def test_the_page_says_which_event_why_and_why_not(desk: TestClient) -> None:
    answer = desk.post("/api/explain", json=ASKED, headers={"Accept": "text/html"})
    text = Page(answer.text).text
    assert "It would match 1 event" in text
    assert text.index("Kim–Trump summit in Singapore matches") < text.index("does not match")
    assert "Why not:" in text
    assert "<mark>Kim Jong Un</mark>" in answer.text
    assert "Best rival Kim–Moon meetings at Panmunjom at 8 %, 89 points below this one" in text


def test_the_box_works_without_javascript(desk: TestClient) -> None:
    answer = desk.post("/explain", data=ASKED)
    assert answer.status_code == 200
    Page(answer.text).check("/explain")
    assert "It would match 1 event" in answer.text
    assert "Trump and Kim will meet in Singapore</textarea>" in answer.text


def test_a_short_first_line_is_the_headline_and_the_date_is_utc(filled: sa.Engine) -> None:
    asked = []

    def explainer(title: str, text: str, published: datetime | None) -> list[Decision]:
        asked.append((title, text, published))
        return []

    desk = desk_with(filled, explainer)
    desk.post("/api/explain", json={"text": "A headline\n\nThe text.", "published": "2018-06-12"})
    desk.post("/api/explain", json={"text": "long " * 100})
    desk.post(
        "/api/explain", json={"title": "T", "text": "B", "published": "2018-06-12T09:00:00+08:00"}
    )
    assert asked[0] == ("A headline", "The text.", datetime(2018, 6, 12, tzinfo=UTC))
    assert asked[1] == ("", ("long " * 100).strip(), None)
    assert asked[2] == ("T", "B", datetime(2018, 6, 12, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"text": 3}', "application/json", 400),
        (b'{"text": "  "}', "application/json", 400),
        (b'{"text": "x", "published": "yesterday"}', "application/json", 400),
        (b"text=\xff", "application/x-www-form-urlencoded", 400),
        (b"text", "text/plain", 415),
        (b"x" * (MAX_BODY + 1), "application/json", 413),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(
    desk: TestClient, body: bytes, kind: str, status: int
) -> None:
    answer = desk.post("/api/explain", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.json()["error"].endswith(".")


def test_a_page_elsewhere_may_not_ask(desk: TestClient) -> None:
    answer = desk.post("/api/explain", json=ASKED, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_without_an_explainer_the_box_says_so(filled: sa.Engine) -> None:
    desk = desk_with(filled, None)
    assert "Explaining is off" in desk.get("/").text
    answer = desk.post("/api/explain", json=ASKED)
    assert answer.status_code == 503
    assert "dateline explain" in answer.json()["error"]


def test_pages_are_served_and_the_state_is_told_while_the_model_loads(filled: sa.Engine) -> None:
    entered, loaded = threading.Event(), threading.Event()

    def explainer(title: str, text: str, published: datetime | None) -> list[Decision]:
        entered.set()
        assert loaded.wait(20)
        return [world.decision(world.EVENTS[1], 0.9, "Singapore.")]

    with desk_with(filled, explainer) as desk:
        assert desk.get("/api/status").json()["explain"] == "cold"
        answers = []
        asking = threading.Thread(
            target=lambda: answers.append(desk.post("/api/explain", json=ASKED).status_code)
        )
        asking.start()
        assert entered.wait(20)
        assert desk.get("/api/status").json()["explain"] == "loading"
        assert desk.get("/").status_code == 200
        loaded.set()
        asking.join(20)
        assert answers == [200]
        assert desk.get("/api/status").json()["explain"] == "ready"


def test_an_answer_that_takes_too_long_is_given_up_with_a_sentence(filled: sa.Engine) -> None:
    loaded = threading.Event()

    def explainer(title: str, text: str, published: datetime | None) -> list[Decision]:
        loaded.wait(20)
        return []

    with desk_with(filled, explainer, explain_deadline_s=0.05) as desk:
        answer = desk.post("/api/explain", json=ASKED)
        loaded.set()
    assert answer.status_code == 503
    assert "may still be loading" in answer.json()["error"]


def test_a_failing_explainer_breaks_nothing_else(filled: sa.Engine) -> None:
    errors: list[Exception] = [Unavailable("the model is away; try again"), ValueError("secret")]

    def explainer(title: str, text: str, published: datetime | None) -> list[Decision]:
        raise errors.pop(0)

    desk = desk_with(filled, explainer)
    first, second = (desk.post("/api/explain", json=ASKED) for _ in range(2))
    assert (first.status_code, first.json()["error"]) == (503, "the model is away; try again")
    assert second.status_code == 500
    assert "secret" not in second.text
    assert desk.get("/").status_code == 200
