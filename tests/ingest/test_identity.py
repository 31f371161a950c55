"""Which article an item is, over several polls and feeds."""

from __future__ import annotations

from ingest.articles import identity
from tests.ingest.days import LONG, ONE, TWO, Days, day, ids, polled
from tests.ingest.world import item, rss, sums


def test_a_headline_in_the_address_may_change_behind_the_publishers_number(days: Days) -> None:
    polled(
        days,
        rss(item(1, title="Cabinet decides today", text="It meets at noon.", guid="g-1",
                 link="https://news.example/nz/451824/cabinet-decides-today")),
        rss(item(1, title="Level three for two weeks", text="Shops stay shut.", guid="g-2",
                 link="https://news.example/nz/451824/level-three-for-two-weeks")),
    )  # fmt: skip
    found = days.world.articles()
    assert ids(found) == 1
    assert [a.url for a in found] == [
        "https://news.example/nz/451824/cabinet-decides-today",
        "https://news.example/nz/451824/level-three-for-two-weeks",
    ]


def test_a_rewritten_article_that_moved_is_known_by_the_number_in_its_guid(days: Days) -> None:
    polled(
        days,
        rss(item(1, title="Police seek witnesses", text="A brawl was seen.",
                 guid="news.example/300411501",
                 link="https://news.example/taranaki/300411501/police-seek-witnesses.html")),
        rss(item(1, title="Three men held after fight", text="They are 43 to 52 years old.",
                 guid="news.example/300411501",
                 link="https://news.example/national/300411501/three-men-held.html")),
    )  # fmt: skip
    assert ids(days.world.articles()) == 1


def test_a_page_of_changing_headlines_is_another_article_each_day(days: Days) -> None:
    link = "https://news.example/collections/covid"
    (first, edited, reused, same) = polled(
        days,
        rss(item(1, title="Five countries open up", text="", link=link, date=day(21))),
        rss(item(1, title="These five countries open up", text="", link=link, date=day(21))),
        rss(item(1, title="Protesters clash with police", text="", link=link, date=day(23, 8))),
        rss(item(1, title="Protesters clash with police", text="", link=link, date=day(23, 9))),
    )
    assert [sums(r) for r in (first, edited, reused, same)] == [
        {"stored": 1}, {"revised": 1}, {"stored": 1}, {"duplicate": 1},
    ]  # fmt: skip
    assert list(reused.reasons) == [
        "stored: another story under an address that had named one before"
    ]
    assert ids(days.world.articles()) == 2


def test_a_page_that_all_items_link_to_names_none_of_them_even_one_at_a_time(days: Days) -> None:
    link = "https://news.example/podcast"
    reports = polled(
        days,
        *[rss(item(n, title=title, text=title, link=link, guid=f"episode-{n}", date=None))
          for n, title in enumerate(("Ferry sinks", "Bank raises rates", "Bank raises its rates"))],
    )  # fmt: skip
    assert [sums(r) for r in reports] == [{"stored": 1}] * 3


def test_guids_that_change_with_every_poll_reuse_no_address_twice(days: Days) -> None:
    words = ("Ferry sinks", "Bank raises rates", "Bank raises rates", "Bank raises rates")
    link = "https://news.example/today"
    reports = polled(
        days,
        *[rss(item(n, title=title, text=title, link=link, guid=f"poll-{n}", date=None))
          for n, title in enumerate(words)],
    )  # fmt: skip
    assert [sums(r) for r in reports] == [
        {"stored": 1}, {"stored": 1}, {"duplicate": 1}, {"duplicate": 1},
    ]  # fmt: skip


def test_a_live_page_rewritten_within_hours_stays_one_article(days: Days) -> None:
    link = "https://news.example/live"
    polled(
        days,
        rss(item(1, title="SpaceX capsule to return", text="", link=link, date=day(21, 11))),
        rss(item(1, title="Flight splashes down", text="", link=link, date=day(21, 13))),
    )  # fmt: skip
    assert ids(days.world.articles()) == 1


def test_guids_that_change_with_every_poll_are_no_new_articles_and_no_gap(days: Days) -> None:
    reports = polled(days, *[rss(item(1, guid=f"x{n}"), item(2, guid=f"y{n}")) for n in range(3)])
    assert [sums(r) for r in reports] == [{"stored": 2}, {"duplicate": 2}, {"duplicate": 2}]
    assert not any(r.missed for r in reports)


def test_one_guid_on_many_items_names_none_of_them(days: Days) -> None:
    items = [item(n, guid="same") for n in range(10)]
    reports = polled(days, rss(*items), rss(*reversed(items)))
    assert [sums(r) for r in reports] == [{"stored": 10}, {"duplicate": 10}]


def test_one_guid_on_the_only_item_of_each_day_names_none_of_them(days: Days) -> None:
    texts = ("The ferry sank off Crete.", "Rates rise by half a point.", "Rain until Friday.")
    polled(days, *[rss(item(n, title=t, text=t, guid="daily")) for n, t in enumerate(texts)])
    assert ids(days.world.articles()) == 3


def test_items_that_swap_their_addresses_stay_what_their_guids_say(days: Days) -> None:
    one, two = {"title": "Ferry sinks", "text": LONG}, {"title": "Bank raises", "text": "By half."}
    a, b = "https://news.example/a", "https://news.example/b"
    reports = polled(
        days,
        rss(item(1, **one, link=a), item(2, **two, link=b)),
        rss(item(1, **one, link=b), item(2, **two, link=a)),
    )
    assert sums(reports[1]) == {"duplicate": 2}


def test_items_without_ids_and_links_are_known_by_their_words(days: Days) -> None:
    bare = "<item><title>{}</title><description>Text of it.</description></item>"
    document = rss(bare.format("Ferry sinks"), bare.format("Bank raises rates"))
    reports = polled(days, document, document + b"\n")
    assert [sums(r) for r in reports] == [{"stored": 2}, {"duplicate": 2}]


def test_parts_of_one_page_are_articles_of_their_own(days: Days) -> None:
    bare = "<item><title>{0}</title><link>https://news.example/live#{0}</link></item>"
    first = rss(*[bare.format(name) for name in ("Ferry", "Bank", "Rain")])
    reports = polled(days, first, first + b"\n")
    assert [sums(r) for r in reports] == [{"stored": 3}, {"duplicate": 3}]
    assert {a.url for a in days.world.articles()} == {
        f"https://news.example/live#{name}" for name in ("Ferry", "Bank", "Rain")
    }


def test_twins_by_http_and_https_are_one_article(days: Days) -> None:
    reports = polled(
        days,
        rss(item(1, link="http://news.example/1"), item(2, link="https://news.example/2")),
        rss(item(1, link="https://news.example/1"), item(2, link="http://news.example/2/")),
    )
    assert sums(reports[1]) == {"duplicate": 2}


def test_what_another_feed_of_the_outlet_brought_is_said_to_be_known(days: Days) -> None:
    days.show(rss(item(1)))
    report = days.show(rss(item(1, guid="other"), item(2)), TWO)
    assert report.reasons == {"duplicate: known from another feed": 1}
    assert sums(report) == {"stored": 1, "duplicate": 1}


def test_a_reused_address_is_one_new_article_in_every_feed_of_the_outlet(days: Days) -> None:
    link = "https://news.example/collections/covid"
    old = rss(item(1, title="Five countries open up", text="", link=link, date=day(20)))
    new = rss(item(1, title="Protesters clash with police", text="", link=link, date=day(23)))
    reports = [days.show(document, url) for document in (old, new) for url in (ONE, TWO)]
    reports += [days.show(new, url) for url in (ONE, TWO)]
    assert [sums(r) for r in reports] == [
        {"stored": 1}, {"duplicate": 1}, {"stored": 1}, *[{"duplicate": 1}] * 3
    ]  # fmt: skip


def test_one_story_at_two_outlets_stays_two_articles(days: Days) -> None:
    same = {"title": "Ferry sinks off Crete", "text": LONG, "guid": "wire-4711"}
    polled(
        days,
        rss(item(1, **same, link="https://one.example/ferry"),
            item(2, **same, link="https://two.example/ferry")),
    )  # fmt: skip
    assert {a.outlet for a in days.world.articles()} == {"one.example", "two.example"}
    assert ids(days.world.articles()) == 2


def test_another_article_under_an_address_has_the_same_id_everywhere() -> None:
    assert identity.again("a1", "x") == identity.again("a1", "x") != identity.again("a2", "x")
    assert identity.again("a1", "x") != identity.again("a1", "y")
