"""What an analyst sees, over a filled and an empty database, on both kinds of database."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from dashboard.app import create_app
from dashboard.server import serve
from dashboard.settings import DashboardSettings
from store import tables
from store.engine import open_database
from tests.dashboard import world
from tests.dashboard.conftest import client_of
from tests.dashboard.markup import Page
from tests.postgres import database_url, postgres_server, postgres_url  # noqa: F401

PAGES = (
    "/", "/explain", "/stories", "/stories?q=Panmunjom", "/stories?offset=50", "/feeds",
    "/stories/s-sin", "/events/kim-trump-singapore", "/events/kim-trump-dmz?offset=50",
    "/articles/z2", "/articles/g4", "/articles/x1",
)  # fmt: skip


def test_every_page_of_a_filled_database_renders_on_both_databases(
    database_url: str,  # noqa: F811
) -> None:
    engine = open_database(database_url, upgrade=True)
    world.fill(engine)
    desk = client_of(engine)
    try:
        for address in PAGES:
            answer = desk.get(address)
            assert answer.status_code == 200, address
            Page(answer.text).check(address)
        assert desk.get("/api/status").json()["articles"] == 25
        assert "Trump steps over the line at Panmunjom" in desk.get("/").text
    finally:
        engine.dispose()


def test_the_first_page_says_what_is_new_about_which_event_how_sure_and_why(
    desk: TestClient,
) -> None:
    newest = Page(desk.get("/").text).part("newest")
    assert newest.index("Kim–Trump meeting at the DMZ") < newest.index("Trump steps over the line")
    assert "2 more independent sources: Hangang Daily" in newest
    assert "99 %" in newest
    assert "names Donald Trump and Kim Jong Un" in newest


def test_the_first_page_shows_every_event_with_its_coverage_its_alerts_and_its_chain(
    desk: TestClient,
) -> None:
    page = desk.get("/").text
    for event in world.EVENTS:
        assert page.count(f'id="event-{event.id}"') == 1
    text = Page(page).part("events")
    # The latest window comes first, and the chain reads from its beginning.
    assert text.index("meeting at the DMZ") < text.index("An hour at Freedom House")
    chain = Page(page).text_of("chain")
    places = ["Panmunjom", "Singapore", "Hanoi", "DMZ"]
    assert [chain.index(place) for place in places] == sorted(chain.index(p) for p in places)


def test_copies_do_not_count_as_independent_sources(desk: TestClient) -> None:
    events = {row["event_id"]: row for row in desk.get("/api/events").json()["items"]}
    singapore = events["kim-trump-singapore"]
    # Seven matched: g4 and g5 repeat g3, so Meridian, Ledger, Potomac and Nordic remain.
    assert (singapore["matches"], singapore["independent_sources"]) == (7, 4)


def test_an_event_shows_its_definition_its_coverage_and_why_not_its_look_alikes(
    desk: TestClient,
) -> None:
    page = Page(desk.get("/events/kim-trump-singapore").text)
    assert "The first meeting of an American president" in page.text
    assert "Shangri-La Dialogue" in page.text
    assert "A quiet island counts what the summit cost" in page.part("matched")
    near = page.part("near")
    assert "Defence ministers meet at the Shangri-La Dialogue" in near
    assert "Moon reports on a second, unannounced meeting" in near


def test_copies_are_folded_under_their_original_in_a_story(desk: TestClient) -> None:
    page = desk.get("/stories/s-sin").text
    assert "2 copies of this text: Mekong Current, Hangang Daily" in page
    assert page.index("Trump and Kim sign a joint") < page.index("Trump, Kim sign statement")


def test_a_saga_is_shown_as_its_chain_of_stories(desk: TestClient) -> None:
    page = Page(desk.get("/stories/s-sin").text)
    chain = page.part("story")
    labels = [world.STORIES[one] for one in ("s-sin0", "s-sin", "s-han", "s-dmz")]
    assert sorted(labels, key=chain.index) == labels
    assert world.STORIES["s-pan"] not in chain
    alone = desk.get("/stories/s-pan").text
    assert "One story after another" not in alone


def test_an_edit_is_shown_word_by_word(desk: TestClient) -> None:
    page = desk.get("/articles/z2").text
    assert "<del>may become" in page
    assert "<ins>became" in page


def test_stories_are_found_by_a_headline_of_one_of_their_articles(desk: TestClient) -> None:
    page = Page(desk.get("/stories", params={"q": "Freedom House"}).text).part("stories")
    assert "Trump steps over the line at Panmunjom" in page
    assert "Ferry" not in page
    # A percent sign is a letter here, not a wildcard.
    assert "No story has" in desk.get("/stories", params={"q": "%"}).text


def test_an_empty_database_says_what_to_do(empty: sa.Engine) -> None:
    desk = client_of(empty)
    page = desk.get("/")
    assert page.status_code == 200
    Page(page.text).check("/")
    assert "dateline events apply DIR" in page.text
    assert "dateline feeds add URL" in page.text
    assert desk.get("/feeds").status_code == desk.get("/stories").status_code == 200


@pytest.mark.parametrize("address", ["/events/nope", "/stories/nope", "/articles/nope", "/nope"])
def test_what_is_not_there_gets_a_page_that_says_so(desk: TestClient, address: str) -> None:
    answer = desk.get(address)
    assert answer.status_code == 404
    Page(answer.text).check(address)
    assert "Back to the desk" in answer.text
    assert "Not Found" not in answer.text
    assert address.rpartition("/")[2] in Page(answer.text).text


def test_the_atom_feed_of_an_event_is_the_file_that_delivery_wrote(
    filled: sa.Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "atom"
    folder.mkdir()
    (folder / "kim-trump-dmz.atom").write_text("<feed/>")
    (tmp_path / "secret.atom").write_text("secret")
    desk = client_of(filled, atom_dir=folder)
    answer = desk.get("/events/kim-trump-dmz.atom")
    assert answer.text == "<feed/>"
    assert answer.headers["content-type"].startswith("application/atom+xml")
    assert 'href="/events/kim-trump-dmz.atom"' in desk.get("/events/kim-trump-dmz").text
    for missing in ("/events/kim-trump-hanoi.atom", "/events/..%2Fsecret.atom"):
        assert desk.get(missing).status_code == 404


def test_a_removed_event_leaves_the_desk(filled: sa.Engine) -> None:
    with filled.begin() as connection:
        connection.execute(
            tables.events.update().where(tables.events.c.id == "kim-trump-dmz").values(removed=True)
        )
    desk = client_of(filled)
    assert "event-kim-trump-dmz" not in desk.get("/").text
    assert desk.get("/events/kim-trump-dmz").status_code == 404


def test_a_database_without_tables_is_told_in_a_sentence(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    answer = client_of(engine).get("/")
    assert answer.status_code == 503
    assert "dateline db upgrade" in answer.text
    engine.dispose()


def test_a_theme_can_be_asked_for_in_the_address(desk: TestClient) -> None:
    assert 'data-theme="dark"' in desk.get("/?theme=dark").text
    assert "data-theme" not in desk.get('/?theme="><script>').text


def test_a_feed_is_called_the_same_on_both_pages(desk: TestClient) -> None:
    for address in ("/", "/feeds"):
        said = Page(desk.get(address).text).part("feeds")
        assert "silent" in said
        assert "its longest pause of late was 8 hours" in said
        assert "active" not in said


def test_the_address_of_the_desk_is_told(empty: sa.Engine) -> None:
    stop = threading.Event()
    stop.set()
    with capture_logs() as said:
        serve(create_app(empty), DashboardSettings(port=0), stop)
    [opened] = [line for line in said if line["event"] == "desk.open"]
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", opened["url"])
