"""Documents made to hurt: each gives the items it should, or one sentence why not.

The captured index is read where it is; equivalents of its attacks, written for this test, run
everywhere.
"""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.documents.items import Document, Hints, Item, Refusal
from ingest.documents.parse import parse
from tests.ingest.world import item, rss

BASE = "https://feeds.example/news/feed.xml"
NOON = datetime(2021, 9, 20, 10, 0, tzinfo=UTC)
# Nothing a document holds may cost more; the machine that runs this may be busy, so it is ten
# times what the worst of them takes.
BOUND_S = 20.0


def read(body: bytes | str, content_type: str = "", max_items: int = 2000) -> Document | Refusal:
    data = body.encode() if isinstance(body, str) else body
    began = time.process_time()
    found = parse(data, content_type, BASE, max_items)
    assert time.process_time() - began < BOUND_S
    return found


def items(found: Document | Refusal) -> list[Item]:
    assert isinstance(found, Document), found
    return found.items


def titles(found: Document | Refusal) -> list[str]:
    return [i.title for i in items(found)]


def links(found: Document | Refusal) -> list[str | None]:
    return [i.url for i in items(found)]


def dates(found: Document | Refusal) -> list[datetime | None]:
    return [i.published for i in items(found)]


def refused(kind: str) -> Callable[[Document | Refusal], bool]:
    return lambda f: isinstance(f, Refusal) and f.kind == kind and bool(f.sentence)


def titled(*expected: str) -> Callable[[Document | Refusal], bool]:
    return lambda f: titles(f) == list(expected)


def count(n: int) -> Callable[[Document | Refusal], bool]:
    return lambda f: len(items(f)) == n


N = "https://news.example"
NEWS = "Новости часа: пожар в порту"
TOKYO = "日本の首相が辞任を表明"
# What a good ingester makes of each file of the index, told apart by its name.
EXPECTED: dict[str, Callable[[Document | Refusal], bool]] = {
    "xml-billion-laughs.xml": titled("&l9;", "Item 2"),
    "xml-quadratic-blowup.xml": lambda f: len(titles(f)[0]) < 100_000,
    "xml-external-entity-file.xml": titled("A &x; B", "Item 2"),
    "xml-external-entity-http.xml": titled("A &x; B"),
    "xml-50k-attributes.xml": titled("t"),
    "xml-20k-namespaces.xml": titled("Item 1"),
    "xml-nested-1mb.xml": titled("deep"),
    "html-nested-1mb-escaped.xml": lambda f: items(f)[0].text == "x",
    "html-comment-flood.xml": titled("Item 1"),
    "xml-comment-unclosed.xml": refused("broken"),
    "xml-cdata-unclosed.xml": titled("Item 1"),
    "xml-cdata-nested.xml": lambda f: items(f)[0].text == "a ]]> b <![CDATA[ c",
    "xml-blank-before-prolog.xml": titled("Item 1"),
    "xml-bare-ampersand.xml": lambda f: (
        titles(f) == ["AT&T, R&D & Q&A"] and links(f) == [f"{N}/?a=1&b=2&copy=3"]
    ),
    "xml-double-escaped-link.xml": lambda f: links(f) == [f"{N}/?a=1&b=2"],
    "xml-uppercase-tags.xml": lambda f: titles(f) == ["Upper"] and links(f) == [f"{N}/1"],
    "xml-version-1.1.xml": titled("Item 1"),
    "xml-mixed-rss-atom.xml": titled("Item 1", "atom in rss"),
    "xml-channel-fields-after-items.xml": lambda f: (
        titles(f) == ["Item 1"] and isinstance(f, Document) and f.title == "Late title"
    ),
    "trunc-4096.xml": lambda f: (
        isinstance(f, Document) and len(f.items) == 19 and sum(f.left_out.values()) == 1
    ),
    "not-empty-body.xml": refused("empty"),
    "not-html-page.xml": refused("page"),
    "not-cloudfront-403.xml": refused("page"),
    "not-png.xml": refused("not-a-feed"),
    "not-opml.xml": refused("not-a-feed"),
    "not-sitemap.xml": refused("not-a-feed"),
    "not-svg.xml": refused("not-a-feed"),
    "empty-channel.xml": count(0),
    "enc-declared-utf8-is-1251.xml": titled(NEWS),
    "enc-declared-latin1-is-utf8.xml": titled("Zürich: “Ende”"),
    "enc-http-conflicts-xml.xml": titled(NEWS),
    "enc-text-xml-no-charset.xml": titled(NEWS),
    "enc-utf16be-nobom.xml": titled(TOKYO),
    "enc-utf32.xml": titled(TOKYO),
    "enc-gb2312-with-gbk.xml": titled("朱镕基与㐀𠀀"),
    "enc-utf7.xml": lambda f: "<" not in titles(f)[0],
    "enc-unknown-name.xml": titled(NEWS),
    "enc-long-name.xml": titled(NEWS),
    "enc-invalid-utf8.xml": lambda f: len(items(f)) == 2 and titles(f)[1].startswith("café"),
    "enc-control-chars.xml": lambda f: titles(f)[0].startswith("ARED"),
    "enc-charrefs-illegal.xml": lambda f: links(f) == [f"{N}/1", f"{N}/2"],
    "enc-cp1252-charrefs.xml": titled("“quoted” – it’s …"),
    "enc-double-utf8.xml": titled("Zürich – „Ende“ für Käufer"),
    "size-1mb-link.xml": lambda f: links(f) == [None, f"{N}/2"],
    "size-500kb-word.xml": titled("Item 1"),
    "id-no-guid.xml": lambda f: links(f) == [f"{N}/1", f"{N}/2"],
    "id-dup-guid-different-items.xml": lambda f: len(set(links(f))) == 3,
    "id-same-item-1000.xml": count(1000),  # made one article later
    "id-same-link-for-all.xml": lambda f: len({i.guid for i in items(f)}) == 5,
    "id-tracking-links.xml": lambda f: len(set(links(f))) <= 2,
    "id-media-title.xml": lambda f: (
        titles(f) == ["Item 1"] and items(f)[0].text == "Text of item 1"
    ),
    "id-image-title-leak.xml": lambda f: (
        isinstance(f, Document) and (f.title, f.link) == ("Hostile feed", f"{N}/")
    ),
    "id-source-spoof.xml": titled("BREAKING: fake story"),
    "id-atom-source.xml": lambda f: (
        (titles(f), links(f), dates(f)) == (["Entry 1"], [f"{N}/1"], [NOON])
    ),
    "date-far-past.xml": lambda f: [d.year if d else 0 for d in dates(f)]
    == [1000, 1601, 1899, 1969, 1970],
    "date-long-digits.xml": lambda f: dates(f) == [None] * 3,
    "date-updated-before-published.xml": lambda f: dates(f) == [NOON],
    "date-many.xml": lambda f: dates(f) == [datetime(2021, 9, 21, 10, tzinfo=UTC)],
    "date-none-at-all.xml": lambda f: dates(f) == [None] * 5,
    "xss-title.xml": count(18),
    "xss-xhtml.xml": titled("T", "T", "T"),
    "xss-author-category.xml": lambda f: isinstance(f, Document) and f.title == "",
    "text-bidi-invisible.xml": lambda f: titles(f)[:2] == ["Bank gnp.exe safe", ""],
    "text-language-lies.xml": count(3),
    "text-no-text.xml": count(5),
    "links-relative.xml": lambda f: links(f) == [
        "https://feeds.example/a/1", "https://feeds.example/news/2.html", "https://cdn.example/3",
        "https://feeds.example/news/feed.xml?id=4", None, "https://feeds.example/6", None,
    ],
    "links-xml-base.xml": lambda f: len(items(f)) == 5,
    "links-self-and-hub.xml": lambda f: links(f) == [f"{N}/1"],
    "links-moved.xml": lambda f: links(f) == [f"{N}/1"],
    "links-enclosures.xml": lambda f: links(f) == [f"{N}/{n}" for n in (1, 2, 3, 4)],
    "links-ssrf.json": refused("not-a-feed"),
    "feed-ttl-tricks.xml": lambda f: (
        isinstance(f, Document) and not f.hints.skip_hours and not f.hints.skip_days
        and (f.hints.ttl or 60) >= 60 and (f.hints.update_period or 60) >= 60
    ),
    "json-wrong-types.json": lambda f: (
        titles(f)[-1] == "OK" and sum(1 for i in items(f) if i.error) == 4
    ),
    "json-top-list.json": refused("not-a-feed"),
    "json-top-number.json": refused("not-a-feed"),
    "json-nul-surrogate.json": count(2),
    "json-nan.json": count(1),
    "json-bom.json": titled("a"),
    "json-jsonp.json": refused("not-a-feed"),
    "json-lines.json": refused("not-a-feed"),
    "json-trailing-comma.json": titled("a"),
    "json-xss.json": lambda f: (items(f)[0].title, items(f)[0].text) == ("", "ok"),
    "json-no-id.json": lambda f: titles(f)[:2] == ["a", "b"],
    "pair-double-escape-2.xml": titled("AT&T & R&D"),
    "pair-whitespace-2.xml": titled("A title"),
}  # fmt: skip


def clean_everywhere(found: Document | Refusal) -> None:
    """What must hold of every item, whatever the document."""
    if isinstance(found, Refusal):
        assert found.sentence
        return
    for entry in found.items:
        for value in (entry.title, entry.text, entry.guid or "", entry.author or ""):
            value.encode()  # can be stored
            assert not re.search("[\x00-\x08\x1b\u202e\ud800-\udfff]", value)
        for value in (entry.title, entry.text, entry.author or ""):
            assert not re.search(r"<(?:script|img|iframe|svg|object|style)\b", value, re.IGNORECASE)
        assert entry.url is None or re.match(r"https?://[^\s<>\"]+$", entry.url), entry.url


def test_every_document_of_the_index_gives_what_it_should(shared_data: Path) -> None:
    folder = shared_data / "feeds" / "hostile"
    wrong = []
    with (folder / "INDEX.tsv").open(newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            name = row["file"]
            if not name.endswith((".xml", ".json")) or name.endswith(".http.json"):
                continue  # answers of servers: see the tests of fetching
            found = read((folder / name).read_bytes(), row["content_type"])
            clean_everywhere(found)
            # Of the others (pairs of polls, codec names) only that their items are all there.
            expected = EXPECTED.get(name, lambda f: isinstance(f, Document))
            if not expected(found):
                wrong.append(f"{name}: {row['good_ingester']!r} but {str(found)[:300]}")
    assert not wrong, "\n".join(wrong)


def one(inner: str, *, head: str = "", tail: str = "") -> str:
    return (
        f'<rss version="2.0"><channel><title>T</title>{head}<item><title>Kept</title>{inner}</item>'
        f"{tail}</channel></rss>"
    )


SIZE = 1_000_000
BIG: dict[str, str] = {
    "50,000 attributes": one("<x " + " ".join(f"a{n}='{n}'" for n in range(50_000)) + "/>"),
    "deep nesting": one("<description>" + "<b>" * 200_000 + "x</description>"),
    "deep and closed": one("<x>" + "<b>" * 100_000 + "</b>" * 100_000 + "</x>"),
    "tags never closed": one("<b>" * 100_000),
    "quotes never closed": one('<a href="' * 100_000),
    "namespaces": one("".join(f"<n{n}:a xmlns:n{n}='urn:{n}'/>" for n in range(20_000))),
    "unclosed comments in HTML": one(f"<description>{'&lt;!--' * 80_000}</description>"),
    "HTML attributes": one(
        f"<description>&lt;a {' '.join(f'x{n}' for n in range(200_000))}&gt;</description>"
    ),
    "HTML attributes in quotes": one(
        "<description>&lt;a "
        + " ".join(f'x{n}=&quot;&gt;&quot;' for n in range(50_000))
        + "&gt;</description>"
    ),
    "escaped over and over": one(f"<description>&amp;{'amp;' * 250_000}lt;b</description>"),
    "categories": one("<category>c</category>" * 50_000),
    "a long word": one(f"<description>{'x' * SIZE}</description>"),
    "blanks": one(f"<description>{' ' * SIZE}</description>"),
    "combining marks": one(f"<description>a{chr(0x301) * SIZE}</description>"),
    "digits for a date": one(f"<pubDate>{'1' * SIZE}</pubDate>"),
    "many instructions": one("<?x ?>" * 100_000),
    "many document types": one("<!DOCTYPE x [" * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("attack", BIG)
@pytest.mark.parametrize("broken", [False, True], ids=["well-formed", "broken"])
def test_no_document_costs_more_than_linear_time(attack: str, broken: bool) -> None:
    body = BIG[attack].replace("</channel>", "<x></channel>") if broken else BIG[attack]
    found = read(body)
    clean_everywhere(found)
    assert isinstance(found, Refusal) or titles(found) == ["Kept"]


def test_more_tags_than_any_feed_has_are_refused() -> None:
    assert refused("broken")(read(one("<b>" * 600_000)))


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
