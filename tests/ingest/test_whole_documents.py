"""Every item of a document is read or counted; what is refused is told in a sentence."""

from __future__ import annotations

import pytest

from ingest.documents.items import Document, Hints, Refusal
from tests.ingest.reading import NOON, N, items, one, read, titles
from tests.ingest.world import item, rss


@pytest.mark.parametrize(
    ("document", "kept", "left_out"),
    [
        # Neither comments nor CDATA sections hold items.
        (one("<!-- <item><title>no</title></item> -->"), 1, 0),
        (one("<description><![CDATA[<item><title>no</title></item>]]></description>"), 1, 0),
        (one("", head="<!-- <item> -->", tail="<x>"), 1, 0),
        # The last item is cut off, in its text, its tag, its CDATA section.
        (one("")[:-30] + "<item><title>cut", 1, 1),
        (one("", tail="<item><title>whole</title></item><ite")[:-16], 2, 0),
        (one("", tail="<item><description><![CDATA[and no end"), 1, 1),
        (one("", tail="<item><title>a</title></item><!-- <item></item><item></item>"), 2, 2),
        # An item that was never closed ends where the next begins.
        (one("", head="<item><title>Open</title>"), 2, 0),
        # More than the cap.
        (rss(*(item(n) for n in range(12))).decode(), 10, 2),
        (rss(*(item(n) for n in range(12))).decode().replace("</channel>", "<x>"), 10, 2),
        # The end of the feed stands too early.
        (one("").replace("<item>", "</channel></rss><item>"), 1, 0),
    ],
)  # fmt: skip
def test_every_item_is_read_or_counted(document: str, kept: int, left_out: int) -> None:
    found = read(document, max_items=10)
    assert isinstance(found, Document), found
    assert (len(found.items), sum(found.left_out.values())) == (kept, left_out)


def test_a_json_feed_that_is_cut_off_keeps_its_whole_items() -> None:
    found = read('{"version": "https://jsonfeed.org/version/1", "items": [{"title": "a"}, {"tit')
    assert titles(found) == ["a"]
    assert isinstance(found, Document)
    assert sum(found.left_out.values()) == 1


def test_a_json_feed_may_say_that_it_has_ended() -> None:
    found = read('{"version": "https://jsonfeed.org/version/1", "expired": true, "items": []}')
    assert isinstance(found, Document)
    assert found.ended


SITEMAP = """<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
 xmlns:n="http://www.google.com/schemas/sitemap-news/0.9"
 xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
<url><loc> https://news.example/1?a=1&amp;b=2 </loc><n:news><n:publication><n:name>The News</n:name>
<n:language>en</n:language></n:publication>
<n:publication_date>2021-09-20T12:00:00+02:00</n:publication_date>
<n:title>Ferry &amp; storm</n:title></n:news>
<image:image><image:loc>https://img.example/x.jpg</image:loc><image:title>No</image:title>
</image:image></url>
<url><loc>https://news.example/2</loc><n:news><n:title>Second</n:title></n:news></url></urlset>"""


def test_a_news_sitemap_is_a_feed() -> None:
    found = read(SITEMAP)
    first, second = items(found)
    assert (first.title, first.url, first.guid, first.published, first.lang, first.text) == (
        "Ferry & storm", f"{N}/1?a=1&b=2", f"{N}/1?a=1&b=2", NOON, "en", "",
    )  # fmt: skip
    assert (second.title, second.published) == ("Second", None)
    assert isinstance(found, Document)
    assert (found.kind, found.title) == ("sitemap", "The News")
    assert len(items(read(SITEMAP, max_items=1))) == 1
    assert isinstance(read(SITEMAP.replace("</urlset>", "")), Document)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("<urlset><url><loc>https://news.example/</loc></url></urlset>", "news sitemap"),
        ("<!-- x --><sitemapindex><sitemap/></sitemapindex>", "sitemap index"),
        ("<?xml version='1.0'?><!DOCTYPE opml><opml/>", "OPML"),
        ("<!DOCTYPE html [ <!ENTITY a 'b'> ]><rss/>", "web page"),
    ],
)
def test_what_is_refused_says_what_to_do(body: str, names: str) -> None:
    found = read(body)
    assert isinstance(found, Refusal)
    assert names in found.sentence


@pytest.mark.parametrize(
    ("head", "hints"),
    [
        ("<ttl>60</ttl>", Hints(ttl=3600)),
        ("<ttl> 0 </ttl><ttl>-1</ttl>", Hints()),
        ("<ttl>999999999</ttl>", Hints(ttl=30 * 86_400)),
        ("<skipHours><hour>24</hour><hour>3</hour><hour>99</hour></skipHours>",
         Hints(skip_hours=(0, 3))),
        ("<skipDays><day>Sunday</day><day> monday</day><day>Someday</day></skipDays>",
         Hints(skip_days=(0, 6))),
        ("".join(f"<skipHours><hour>{n}</hour></skipHours>" for n in range(24)), Hints()),
        ('<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">daily'
         '</sy:updatePeriod><sy:updateFrequency xmlns:sy="http://purl.org/rss/1.0/modules/'
         'syndication/">4</sy:updateFrequency>', Hints(update_period=21_600)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("broken", [False, True], ids=["well-formed", "broken"])
def test_hints_are_read_and_kept_sane(head: str, hints: Hints, broken: bool) -> None:
    body = one("", head=head)
    found = read(body.replace("</channel>", "<x></channel>") if broken else body)
    assert isinstance(found, Document)
    assert found.hints == hints
