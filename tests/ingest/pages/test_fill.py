"""Full text from articles' pages: when a page is asked, what it may change, what it costs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from ingest import feeds
from ingest.articles import identity
from store.tables import feeds as feeds_table
from tests.ingest.pages.asking import again, asked, brief, full, moved, reasons, serving
from tests.ingest.pages.html import HEADLINE, TEASER, article, page, paragraphs
from tests.ingest.world import World, item, rss, running


@pytest.fixture(autouse=True)
def _unhurried(world: World) -> None:
    world.settings.pages_deadline = world.settings.page_deadline = 60  # real seconds, unused


def test_a_brief_item_gets_the_text_of_its_page(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article())}
        await world.polled()

    running(scenario, world)
    (found,) = world.articles()
    assert "nineteen of the thirty pillars" in found.text
    assert not found.text.startswith("Council of")  # the headline is the title
    assert "Most read" not in found.text
    assert "Copyright" not in found.text
    assert found.published_from == "feed"
    assert reasons(world) == {"stored: new; text of its page": 1}


def test_an_unchanged_item_asks_for_no_page_again(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article())}
        await world.polled()
        world.site.pages["/feed"] = rss(brief(world, 1), title="Another title of the feed")
        (report,) = await world.polled()
        assert {f: n for f, n in report.counts.items() if n} == {"duplicate": 1}

    running(scenario, world)
    assert asked(world, "/feed") == 2
    assert asked(world, "/1") == 1
    assert len(world.articles()) == 1


def test_an_edit_asks_again_and_is_a_revision(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article(6))}
        await world.polled()
        edited = brief(world, 1, text="The council of Lowmere agreed after a vote of nine to four.")
        world.site.pages |= {"/feed": rss(edited), "/1": serving(article(7))}
        await world.polled()

    running(scenario, world)
    first, second = world.articles()
    assert first.id == second.id
    assert first.revision != second.revision
    assert len(second.text) > len(first.text)


def test_with_full_text_off_no_page_and_no_robots_are_asked(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.settings.full_text = False
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article())}
        await world.polled()

    running(scenario, world)
    assert {r.path for r in world.site.requests} == {"/feed"}
    assert world.articles()[0].text == TEASER.format(place="Lowmere")


def test_one_feed_may_ask_though_the_others_do_not(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.settings.full_text = False
        with world.engine.begin() as db:
            db.execute(sa.update(feeds_table).values(full_text=True))
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article())}
        await world.polled()

    running(scenario, world)
    assert asked(world, "/1") == 1


def test_a_feed_that_brings_the_whole_text_is_preferred(world: World) -> None:
    async def scenario() -> None:
        full(world)
        whole = brief(world, 1, text=paragraphs(6).replace("<", "&lt;"))
        world.site.pages |= {"/feed": rss(whole), "/1": serving(article(9))}
        await world.polled()

    running(scenario, world)
    assert asked(world, "/1") == 0
    assert asked(world, "/robots.txt") == 0


def test_a_page_that_says_less_than_the_feed_changes_nothing(world: World) -> None:
    text = " ".join([TEASER.format(place="Lowmere")] * 9)

    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(brief(world, 1, text=text)), "/1": serving(article(2))}
        await world.polled()

    running(scenario, world)
    assert world.articles()[0].text == text
    assert reasons(world) == {"stored: new; page says no more than its feed": 1}


def _undated(world: World) -> str:
    return brief(world, 1, date="")


def test_a_page_dates_what_its_feed_does_not(world: World) -> None:
    head = "<meta property='article:published_time' content='2021-09-20T08:15:00+02:00'>"

    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(_undated(world)), "/1": serving(article(head=head))}
        await world.polled()

    running(scenario, world)
    (found,) = world.articles()
    assert found.published == datetime(2021, 9, 20, 6, 15, tzinfo=UTC)
    assert found.published_from == "page"


def test_a_date_that_stands_only_in_the_words_of_a_page_is_not_taken(world: World) -> None:
    body = page(paragraphs(6) + "<p>Posted on 3 March 2019 and again on 4 May 2020.</p>")

    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(_undated(world)), "/1": serving(body)}
        await world.polled()

    running(scenario, world)
    (found,) = world.articles()
    assert (found.published, found.published_from) == (None, "none")


def test_author_and_language_come_from_the_page_when_the_feed_has_none(world: World) -> None:
    head = """<script type="application/ld+json">{"@type": "NewsArticle",
    "author": [{"name": "Ada <b>Brook</b>"}, {"name": "Tom Vale<script>alert(1)"}]}</script>"""

    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article(head=head))}
        await world.polled()

    running(scenario, world)
    (found,) = world.articles()
    assert found.author == "Ada Brook, Tom Vale"
    assert found.lang == "en"


def test_only_plain_text_of_a_page_is_stored(world: World) -> None:
    body = page(
        paragraphs(4) + "<p>Seven &amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt; berths "
        "<a href='javascript:alert(2)'>remain</a> <img src=x onerror='alert(3)'>\u202e open.</p>"
        "<script>alert(4)</script><style>p{color:red}</style><iframe src='//ad'>alert(5)</iframe>"
    )

    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(body)}
        await world.polled()

    running(scenario, world)
    (found,) = world.articles()
    assert "berths remain" in found.text
    for hidden in ("<", "alert", "javascript:", "onerror", "color", "\u202e"):
        assert hidden not in found.text


def _canonical(href: str) -> str:
    return f"<link rel='canonical' href='{href}'>"


def test_the_address_a_page_gives_as_its_own_names_the_article(world: World) -> None:
    async def scenario() -> None:
        full(world)
        clicked = item("x", title=HEADLINE.format(place="Lowmere"), text="The pier.",
                       link=world.site.url("/click/77812"))  # fmt: skip
        own = world.site.url("/2021/09/20/council-agrees-to-rebuild-the-eastern-pier")
        world.site.pages |= {
            "/feed": rss(clicked), "/click/77812": serving(article(head=_canonical(own)))
        }  # fmt: skip
        await world.polled()
        world.site.pages["/feed"] += b"\n"  # type: ignore[operator]
        report = await again(world)
        assert {f: n for f, n in report.counts.items() if n} == {"duplicate": 1}
        (found,) = world.articles()
        assert found.url == own
        assert found.id == identity.article_id(url=own, outlet="", guid=None, content="")

    running(scenario, world)
    assert asked(world, "/click/77812") == 1


def test_an_address_at_another_publisher_is_not_believed(world: World) -> None:
    head = _canonical("https://elsewhere.example/2021/09/20/eastern-pier-to-be-rebuilt")

    async def scenario() -> None:
        full(world)
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(article(head=head))}
        await world.polled()
        assert world.articles()[0].url == world.site.url("/1")

    running(scenario, world)


def test_a_wall_keeps_the_words_of_the_feed_with_the_reason(world: World) -> None:
    async def scenario() -> None:
        full(world)
        walled = page(paragraphs(2) + "<div><h2>Subscribe to continue reading</h2></div>")
        world.site.pages |= {"/feed": rss(brief(world, 1)), "/1": serving(walled)}
        await world.polled()

    running(scenario, world)
    assert world.articles()[0].text == TEASER.format(place="Lowmere")
    assert reasons(world) == {"stored: new; page is behind a paywall": 1}


def test_a_consent_site_on_another_host_is_told_from_the_article(world: World) -> None:
    async def scenario() -> None:
        full(world)
        world.site.pages |= {
            "/feed": rss(brief(world, 1)), "/1": moved("/privacy-gate?back=/1"),
            "/privacy-gate": serving(page("<p>We and our partners use cookies.</p>")),
        }  # fmt: skip
        await world.polled()

    running(scenario, world)
    assert reasons(world) == {"stored: new; page is behind a consent site": 1}


def test_two_feeds_with_one_article_give_one_article_with_the_whole_text(world: World) -> None:
    async def scenario() -> None:
        full(world, "/feed")
        feeds.add(world.engine, world.site.url("/other"), now=world.clock.now())
        teaser = brief(world, 1, text="Lowmere rebuilds its eastern pier, the council says.")
        world.site.pages |= {
            "/feed": rss(brief(world, 1)), "/other": rss(teaser), "/1": serving(article())
        }  # fmt: skip
        await world.polled()

    running(scenario, world)
    (found,) = world.articles()
    assert "nineteen of the thirty pillars" in found.text
