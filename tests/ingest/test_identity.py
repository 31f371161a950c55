"""Which article an item is: through the poller, over several polls; and addresses by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import feeds
from ingest.articles import identity, urls
from ingest.books.intake import Intake
from ingest.books.ledger import Brought, Ledger, PollReport
from ingest.documents.items import Document
from ingest.documents.parse import parse
from ingest.fetch.outcomes import Fetched
from stream.records import Article
from tests.fuzz.identity import addresses, wordings
from tests.ingest.conftest import START, World, item, rss

LONG = " ".join(f"Sentence number {n} tells of the ferry, the crew and the sea." for n in range(90))
ONE, TWO = "https://feeds.example/one", "https://feeds.example/two"


class Days:
    """Feeds that show what they are told to at noon of one day after the other. Read and settled
    as polls are, without the processes and the network of polls, which take most of their time."""

    def __init__(self, world: World) -> None:
        self.world, self.now = world, START
        self.ledger = Ledger(world.engine, Intake(world.engine, world.log), world.settings)

    def show(self, document: bytes, url: str = ONE) -> PollReport:
        if url not in {feed.url for feed in feeds.listing(self.world.engine)}:
            feeds.add(self.world.engine, url, now=START)
        feed = next(f for f in feeds.listing(self.world.engine) if f.url == url)
        self.now += timedelta(days=1)
        answer = Fetched(body=document, status=200, content_type="text/xml", final_url=url)
        found = parse(document, answer.content_type, url, 2000)
        assert isinstance(found, Document)
        brought = Brought(
            feed=feed, at=self.now, answer=answer, document=found, digest=str(self.now)
        )
        (report,) = self.ledger.settle([brought])
        assert isinstance(report, PollReport)
        return report


@pytest.fixture
def days(world: World) -> Iterator[Days]:
    made = Days(world)
    yield made
    made.ledger.close()


def polled(days: Days, *documents: bytes) -> list[PollReport]:
    return [days.show(document) for document in documents]


def sums(report: PollReport) -> dict[str, int]:
    return {fate: n for fate, n in report.counts.items() if n}


def day(n: int, hour: int = 10) -> str:
    return f"{n} Sep 2021 {hour:02}:00:00 GMT"


def ids(articles: list[Article]) -> int:
    return len({a.id for a in articles})


# -- addresses -------------------------------------------------------------------------------------

SAME = [
    # www, mobile, scheme, port, slash, index
    ("https://news.example/a/b", "http://www.news.example:80/a/b/"),
    ("https://news.example/a/b", "https://m.news.example/a/b/index.html"),
    ("https://en.wikipedia.org/wiki/Ferry", "https://en.m.wikipedia.org/wiki/Ferry"),
    ("https://news.example/a/b", "https://reader:secret@news.example/a/b"),
    ("https://news.example/a/b", "https://news.example./a//x/../b"),
    ("https://xn--mnchen-3ya.example/a", "https://MÜNCHEN.example/a"),
    # AMP, on the publisher's host and in caches
    ("https://news.example/a/b", "https://amp.news.example/a/b"),
    ("https://news.example/a/b", "https://news.example/amp/a/b"),
    ("https://news.example/a/b", "https://news.example/a/b/amp/"),
    ("https://news.example/a/b", "https://news.example/a/b?amp"),
    ("https://news.example/a/b", "https://news.example/a/b?outputType=amp"),
    ("https://news.example/a/b.html", "https://news.example/a/b-amp.html"),
    ("https://news.example/a/b.html", "https://news.example/a/b.amp.html"),
    ("https://news.example/a/b", "https://www.google.com/amp/s/www.news.example/a/b/amp"),
    (
        "https://news.example/a/b",
        "https://news-example.cdn.ampproject.org/c/s/news.example/a/b?amp=1",
    ),
    # who sent the reader
    ("https://news.example/a?id=5", "https://news.example/a?utm_source=rss&id=5&fbclid=x#top"),
    ("https://news.example/a", "https://news.example/a?ref=rss&at_medium=RSS&CMP=share"),
    ("https://news.example/a", "https://news.example/a?emc=rss"),
    ("https://news.example/a", "https://news.example/a?maca=chi-rss-chi-all-1127-rdf"),
    ("https://news.example/a", "https://news.example/a#xtor=RSS-1481423633"),
    ("https://news.example/a", "https://news.example/a?PHPSESSID=0123456789abcdef0123"),
    ("https://news.example/a", "https://news.example/a?sid=0a1b2c3d4e5f60718293a4b5c6d7e8f9"),
    ("https://news.example/a", "https://news.example/a;jsessionid=0A1B2C3D?utm_medium=x"),
    ("https://news.example/a?id=5", "https://www.google.com/url?sa=t&url=https://news.example/a%3Fid%3D5&ct=ga"),
    # spelling
    ("https://news.example/%7Euser/美", "https://news.example/~user/%e7%be%8e"),
    ("https://news.example/a?a=1&b=2", "https://news.example/a?b=2&a=1"),
    # the headline behind the publisher's number
    ("https://news.example/nz/451824/old-headline", "https://news.example/nz/451824/new-one.html"),
]  # fmt: skip

OTHER = [
    ("https://news.example/?p=123", "https://news.example/?p=124"),
    ("https://news.example/article.cfm?c_id=1&objectid=5", "https://news.example/article.cfm?c_id=1&objectid=6"),
    ("https://news.example/a?ref=123456", "https://news.example/a?ref=123457"),
    ("https://news.example/a?sid=1", "https://news.example/a?sid=2"),
    (
        "https://news.example/a?sid=202109200001234567890",
        "https://news.example/a?sid=202109200001234567891",
    ),
    ("https://news.example/a", "https://news.example/A"),
    ("https://news.example/a?page=1", "https://news.example/a?page=2"),
    ("https://news.example/20210920/ferry", "https://news.example/20210920/bank"),
    ("https://news.example/2021/09/ferry", "https://news.example/2021/09/bank"),
    ("https://news.example/2021/ferry-1", "https://news.example/2021/ferry-2"),
    ("https://news.example/video/451824/x", "https://news.example/nz/451824/x"),
    ("https://news.example/#!/story/1", "https://news.example/#!/story/2"),
    ("https://news.example:8080/a", "https://news.example/a"),
    ("https://one.example/a", "https://two.example/a"),
    ("https://camp.example/a", "https://example/a"),
    ("https://news.example/ampere", "https://news.example/ere"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_forms_of_one_address_are_one_article(one: str, other: str) -> None:
    assert urls.identity_key(one) == urls.identity_key(other) is not None


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_numbers_an_article_is_not_folded(one: str, other: str) -> None:
    assert urls.identity_key(one) != urls.identity_key(other)


@pytest.mark.parametrize(
    "url",
    ["https://news.example/a/b/?id=5&b=2", "https://m.news.example/a/", "http://news.example/a#c-5",
     "https://news.example/美/a?x=%e7%be%8e", "https://news.example/#!/story/5",
     "https://news.example/a?ref=123456", "https://news.example/a/amp/", "https://n.example/a//b",
     "https://news.example/451824/headline/index.html", "https://news.example/a#ref-1",
     "https://news.example/a?session_id=7"],
)  # fmt: skip
def test_what_is_stored_is_what_the_publisher_linked(url: str) -> None:
    assert urls.canonical(url) == url


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://n.example/a?id=5&utm_source=x", "https://n.example/a?id=5"),
        ("https://u:p@n.example:443/a;jsessionid=1?gclid=5", "https://n.example/a"),
        ("https://n.example/a b", "https://n.example/a%20b"),
        ("  https://n.example/a/\n      b\t ", "https://n.example/a/b"),
        ("https://n.example/a/./b/../c", "https://n.example/a/c"),
        ("https://n-example.cdn.ampproject.org/v/s/n.example/a", "https://n.example/a"),
        ("http://www.bing.com/news/apiclick.aspx?aid=&url=https%3a%2f%2fn.example%2fa&c=4",
         "https://n.example/a"),
        ("https://www.google.com/url?q=javascript:alert(1)",
         "https://www.google.com/url?q=javascript:alert(1)"),
    ],
)  # fmt: skip
def test_stored_addresses_lose_tracking_sessions_users_and_caches(url: str, stored: str) -> None:
    assert urls.canonical(url) == stored


PIECES = st.sampled_from(
    ["http://", "https://", "//", "/", "?", "#", "#!", "&", "=", "%2e", "%2F", "..", "amp", "/amp/",
     "m.", "www.", "news.example", "www.google.com/url?q=", "cdn.ampproject.org/c/s/",
     "bing.com/news/apiclick.aspx?url=", "https%3A%2F%2Fa.example%2Fb", "utm_source=x", "ref=",
     "rss", "/451824/", "slug-a", "index.html", ";jsessionid=1", "PHPSESSID=0123456789abcdef0", "@",
     ":80", ":8080", " ", "\n", "é", "美", "%e7", "%", "xn--", "[::1]", "&amp;amp;", "+", "\x00"]
)  # fmt: skip
ADDRESSES = st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=12).map("".join)


@given(ADDRESSES, ADDRESSES)
def test_any_address_keeps_its_meaning_when_made_canonical_again(one: str, other: str) -> None:
    addresses(one, other)


@given(st.text(max_size=50), st.text(max_size=600), st.text(max_size=600))
def test_any_two_wordings_compare(title: str, text: str, later: str) -> None:
    wordings(title, text, later)


PAGE = "https://www.news.example/world/ferry-sinks-off-crete?utm_source=x"


@pytest.mark.parametrize(
    ("page", "claim", "accepted"),
    [
        (PAGE, "https://www.news.example/world/ferry-sinks-off-crete", True),
        (PAGE, "/world/2021/ferry-sinks-off-crete", True),
        (PAGE, "https://news.example/", False),
        (PAGE, "https://www.news.example/world/", False),
        (PAGE, "https://www.news.example/sport", False),
        (PAGE, "https://www.news.example/login", False),
        (PAGE, "https://other.example.net/world/ferry-sinks-off-crete", False),
        (PAGE, "javascript:alert(1)", False),
        ("https://amp.news.co.uk/x/58587866", "https://www.news.co.uk/x/58587866", True),
        ("https://a.co.uk/x/58587866", "https://b.co.uk/x/58587866", False),
        ("https://a.github.io/x/58587866", "https://b.github.io/x/58587866", False),
        ("https://news.example/?p=123", "https://news.example/2021/09/ferry-sinks/", True),
        ("https://news.example/story.php?id=5", "https://news.example/story.php", False),
        ("https://news.example/live-text-of-the-day?post=5",
         "https://news.example/live-text-of-the-day", True),
        ("https://news.example/nz/12345/old", "https://news.example/nz/12345/new", True),
    ],
)  # fmt: skip
def test_a_page_is_believed_about_its_own_address_only(
    page: str, claim: str, accepted: bool
) -> None:
    found = urls.accepts_canonical(page, claim)
    assert (found is not None) == accepted


# -- guids and addresses that move -----------------------------------------------------------------


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


# -- texts that break off, vanish and flip ---------------------------------------------------------


@pytest.mark.parametrize("size", [4096, 1000, 255])
def test_a_text_that_breaks_off_does_not_replace_the_whole_one(days: Days, size: int) -> None:
    cut = LONG[:size].rstrip(". ")
    reports = polled(days, *[rss(item(1, text=text)) for text in (LONG, cut, LONG, cut, LONG)])
    assert [sums(r) for r in reports] == [{"stored": 1}, *[{"duplicate": 1}] * 4]
    assert reports[1].reasons == {
        "duplicate: its text breaks off in this answer; the whole one stands": 1
    }


def test_a_text_that_was_cut_when_it_came_is_made_whole_once(days: Days) -> None:
    cut = LONG[:1000].rstrip(". ")
    polled(days, *[rss(item(1, text=text)) for text in (cut, LONG, cut, LONG)])
    assert [len(a.text) for a in days.world.articles()] == [len(cut), len(LONG)]


def test_a_text_that_was_shortened_is_an_edit(days: Days) -> None:
    short = LONG[: LONG.index(".", 1000) + 1]
    polled(days, *[rss(item(1, text=text)) for text in (LONG, short)])
    assert [a.text for a in days.world.articles()] == [LONG, short]


def test_an_answer_without_bodies_empties_no_article(days: Days) -> None:
    full = [item(n) for n in range(5)]
    empty = [item(n, text="") for n in range(4)] + [item(4, text="", title="Other headline")]
    reports = polled(days, rss(*full), rss(*empty), rss(*full))
    assert [sums(r) for r in reports] == [{"stored": 5}, {"duplicate": 5}, {"duplicate": 5}]
    assert list(reports[1].reasons) == [
        "duplicate: its text is missing in this answer; the known one stands"
    ]


def test_an_empty_channel_brings_nothing_and_withdraws_nothing(days: Days) -> None:
    reports = polled(days, rss(item(1), item(2)), rss(), rss(item(1), item(2), title="Again"))
    assert [sums(r) for r in reports] == [{"stored": 2}, {}, {"duplicate": 2}]
    assert not any(r.missed for r in reports)


def test_a_headline_without_text_may_be_edited(days: Days) -> None:
    polled(days, *[rss(item(1, title=t, text="")) for t in ("Polls open", "Polls have closed")])
    assert [a.title for a in days.world.articles()] == ["Polls open", "Polls have closed"]


def test_a_wording_that_flips_between_two_caches_comes_to_rest(days: Days) -> None:
    texts = ["The old text.", "The new text."] * 10
    reports = polled(days, *[rss(item(1, text=text)) for text in texts])
    assert len(days.world.articles()) == 4
    assert list(reports[2].reasons) == ["revised: an earlier wording returned"]
    assert next(iter(reports[-1].reasons)).startswith("duplicate: ")
    assert {r for report in reports[4:] for r in report.reasons} == {
        "duplicate: unchanged",
        "duplicate: a wording that comes and goes; the last one stands",
    }


def test_what_was_put_aside_is_put_aside_again_for_a_true_reason(days: Days) -> None:
    cut = rss(item(1, text=LONG[:4096].rstrip(". ")))
    reports = polled(days, rss(item(1, text=LONG)), cut, cut + b"\n")
    assert reports[2].reasons == {
        "duplicate: unchanged since another text of this feed was kept": 1
    }


# -- several feeds ---------------------------------------------------------------------------------


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


# -- functions -------------------------------------------------------------------------------------


def test_a_cut_is_told_from_an_edit_by_words_and_by_its_end() -> None:
    whole = identity.sketch("T", LONG)

    def cut(text: str) -> bool:
        return identity.cut_off(text, identity.sketch("T", text), len(LONG), whole)

    assert cut(LONG[:4096].rstrip(". "))
    assert not cut(LONG[:1000] + " other words that were never in the long text at all, and so on")
    assert not cut(LONG[: LONG.index(".", 4000) + 1])
    assert not cut(LONG[:200])
    assert not cut(LONG + " and")


def test_another_article_under_an_address_has_the_same_id_everywhere() -> None:
    assert identity.again("a1", "x") == identity.again("a1", "x") != identity.again("a2", "x")
    assert identity.again("a1", "x") != identity.again("a1", "y")
