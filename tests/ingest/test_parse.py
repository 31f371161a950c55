"""Formats, links, truncation and limits of feed documents."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.documents.items import Document, Refusal
from ingest.documents.parse import parse
from tests.ingest.world import item, rss

BASE = "https://feeds.example/news/feed.xml"
NOON = datetime(2021, 9, 20, 12, 0, tzinfo=UTC)


def read(body: bytes | str, content_type: str = "", max_items: int = 2000) -> Document:
    found = parse(body.encode() if isinstance(body, str) else body, content_type, BASE, max_items)
    assert isinstance(found, Document), found
    return found


def refused(body: bytes) -> Refusal:
    found = parse(body, "", BASE, 2000)
    assert isinstance(found, Refusal), found
    return found


RSS_091 = """<?xml version="1.0"?><rss version="0.91"><channel><title>T</title>
<link>https://news.example/</link><language>en</language>
<item><title>Ferry sinks</title><link>https://news.example/1</link>
<description>Forty saved.</description></item>
</channel></rss>"""
RSS_10 = """<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="https://news.example/"><title>T</title>
<link>https://news.example/</link></channel>
<item rdf:about="https://news.example/1"><title>Ferry sinks</title>
<link>https://news.example/1</link>
<description>Forty saved.</description>
<dc:date>2021-09-20T14:00:00+02:00</dc:date></item></rdf:RDF>"""
RSS_20 = """<?xml version="1.0"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>T</title><link>https://news.example/</link>
<item><title>Ferry sinks</title><link>https://news.example/1</link>
<guid>https://news.example/1</guid>
<description>Short.</description>
<content:encoded><![CDATA[<p>Forty <b>saved</b>.</p>]]></content:encoded>
<pubDate>Mon, 20 Sep 2021 12:00:00 GMT</pubDate></item></channel></rss>"""
ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">
<title>T</title><id>urn:f</id>
<updated>2021-09-20T12:00:00Z</updated><entry><title>Ferry sinks</title><id>urn:1</id>
<link rel="self" href="https://news.example/self"/><link href="https://news.example/1"/>
<published>2021-09-20T12:00:00Z</published><updated>2021-09-21T12:00:00Z</updated>
<summary>Forty saved.</summary><author><name>A. Writer</name></author></entry></feed>"""
JSON_FEED = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1", "title": "T", "language": "en",
        "home_page_url": "https://news.example/",
        "items": [
            {
                "id": "1", "url": "https://news.example/1", "title": "Ferry sinks",
                "content_html": "<p>Forty saved.</p>", "date_published": "2021-09-20T12:00:00Z",
            }
        ],
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "kind", "published"),
    [
        (RSS_091, "rss091", None),
        (RSS_10, "rss10", NOON),
        (RSS_20, "rss20", NOON),
        (ATOM, "atom10", NOON),
        (JSON_FEED, "json1.1", NOON),
    ],
)
def test_every_format_gives_the_same_item(body: str, kind: str, published: datetime) -> None:
    document = read(body)
    (found,) = document.items
    assert document.kind.startswith(kind)
    assert (found.title, found.text) == ("Ferry sinks", "Forty saved.")
    assert found.url == "https://news.example/1"
    assert found.published == published


def test_the_items_own_link_is_taken_not_a_related_one() -> None:
    body = rss(
        "<item><title>Ours</title><link>https://news.example/ours</link>"
        '<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="related" '
        'href="https://news.example/related"/>'
        '<atom:link xmlns:atom="http://www.w3.org/2005/Atom" href="https://news.example/more"/></item>'
    )
    assert read(body).items[0].url == "https://news.example/ours"


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("/a/1", "https://feeds.example/a/1"),
        ("2.html", "https://feeds.example/news/2.html"),
        ("//cdn.example/3", "https://cdn.example/3"),
        ("#5", None),
        ("", None),
        ("javascript:alert(1)", None),
        ("https://news.example/?a=1&b=2&copy=3", "https://news.example/?a=1&b=2&copy=3"),
        ("https://news.example/?a=1&amp;amp;b=2", "https://news.example/?a=1&b=2"),
    ],
)
def test_links_are_resolved_and_only_http_ones_kept(link: str, url: str | None) -> None:
    assert read(rss(item(1, link=link))).items[0].url == url


def test_a_last_item_that_was_cut_off_is_left_out_and_counted() -> None:
    whole = rss(item(1), item(2))
    document = read(whole[: whole.rindex(b"</description>")])
    assert [i.guid for i in document.items] == ["id-1"]
    assert sum(document.left_out.values()) == 1


def test_items_over_the_cap_are_counted_not_read() -> None:
    document = read(rss(*(item(n) for n in range(12))), max_items=10)
    assert len(document.items) == 10
    assert document.left_out == {"filtered: over 10 items in one document": 2}
    assert document.title == "Test feed"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b"<!doctype html><html><body>Log in</body></html>", "page"),
        (b"\x89PNG\r\n\x1a\n", "not-a-feed"),
        (b"<opml><body/></opml>", "not-a-feed"),
        (b'{"a": 1}', "not-a-feed"),
        (b"[1, 2]", "not-a-feed"),
        (b"<rss><channel><!-- <item><title>x</title></item>", "broken"),
    ],
)
def test_what_is_no_feed_is_refused_with_a_reason(body: bytes, kind: str) -> None:
    assert refused(body).kind == kind


def test_a_channel_without_items_is_a_feed() -> None:
    assert read(rss()).items == []


def test_entities_are_never_expanded_and_files_never_read(tmp_path: object) -> None:
    document = read(
        '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">'
        '<!ENTITY f SYSTEM "file:///etc/passwd">]>'
        "<rss version='2.0'><channel><item><title>A &b; &f; B</title></item></channel></rss>"
    )
    assert document.items[0].title == "A &b; &f; B"


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("AT&T, R&D & Q&A", "AT&T, R&D & Q&A"),
        ("AT&amp;amp;T", "AT&T"),
        ("caf&eacute;", "café"),
        ("&#147;quoted&#148; &#150; it&#146;s", "“quoted” – it’s"),
        ("a&#0;b&#xD800;c", "abc"),
        ("a\x00b\x1b[31mred\x1b[0m", "abred"),
        ("&lt;b&gt;Bold&lt;/b&gt; &lt;script&gt;alert(1)&lt;/script&gt;", "Bold"),
        ("<![CDATA[<i>Italic</i> & more]]>", "Italic & more"),
    ],
)
def test_titles_are_plain_text(raw: str, title: str) -> None:
    assert read(rss(item(1, title=raw))).items[0].title == title


def test_one_bad_json_item_never_loses_the_others() -> None:
    items = [None, 5, {"title": ["x"]}, {"title": "OK"}]
    feed = {"version": "https://jsonfeed.org/version/1", "items": items}
    document = read(json.dumps(feed))
    assert [i.title for i in document.items if not i.error] == ["", "OK"]
    assert sum(1 for i in document.items if i.error) == 2


def test_documents_made_to_hurt_give_items_or_a_reason(shared_data: Path) -> None:
    folder = shared_data / "feeds" / "hostile"
    for path in sorted(folder.glob("*.xml")) + sorted(folder.glob("*.json")):
        found = parse(path.read_bytes(), "", BASE, 2000)
        if isinstance(found, Refusal):
            assert found.sentence, path.name
            continue
        for entry in found.items:
            for value in (entry.title, entry.text, entry.guid or "", entry.author or ""):
                value.encode()  # can be stored
                assert not re.search("[\x00-\x08\x1b\u202e]|<script", value), path.name
            assert entry.url is None or entry.url.startswith(("http://", "https://")), path.name


NAMESPACES = (
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0"'
)
N = "https://news.example"


@pytest.mark.parametrize("broken", ["", "<b>"], ids=["well-formed", "broken"])
@pytest.mark.parametrize(
    ("fields", "url", "guid"),
    [
        (f"<guid>{N}/g</guid>", f"{N}/g", f"{N}/g"),
        (f"<guid isPermaLink='TRUE'>{N}/g</guid>", f"{N}/g", f"{N}/g"),
        (f"<guid isPermaLink='false'>{N}/g</guid>", None, f"{N}/g"),
        (f"<link/><guid>{N}/g</guid>", f"{N}/g", f"{N}/g"),
        (f"<link> </link><guid>{N}/g</guid>", f"{N}/g", f"{N}/g"),
        (f"<link>{N}/1</link><guid>story-1</guid>", f"{N}/1", "story-1"),
        (f"<link>\n  {N}/a\n  b\n</link>", f"{N}/ab", None),
        (f"<link><![CDATA[{N}/?a=1&b=2]]></link>", f"{N}/?a=1&b=2", None),
        ("<link>www.news.example/x</link>", "https://www.news.example/x", None),
        ("<link>ftp://news.example/x</link>", None, None),
        (f"<link>{N}/1</link><link>{N}/2</link>", f"{N}/1", None),
        (f"<atom:link href='{N}/more'/><link>{N}/own</link>", f"{N}/own", None),
        (f"<atom:link rel='self' href='{N}/self'/>", None, None),
        (f"<enclosure url='{N}/x.mp3' type='audio/mpeg' length='1'/>", None, None),
        (f"<link>{N}/count</link><feedburner:origLink>{N}/real</feedburner:origLink>",
         f"{N}/real", None),
        ("<dc:identifier>urn:x</dc:identifier>", None, "urn:x"),
    ],
)  # fmt: skip
def test_links_and_ids_of_an_rss_item(
    fields: str, url: str | None, guid: str | None, broken: str
) -> None:
    body = f"<rss version='2.0' {NAMESPACES}><channel><item><title>t</title>{fields}{broken}</item>"
    (found,) = read(f"{body}</channel></rss>").items
    assert (found.url, found.guid) == (url, guid)


@pytest.mark.parametrize("broken", ["", "<b>"], ids=["well-formed", "broken"])
@pytest.mark.parametrize(
    ("fields", "attributes", "url"),
    [
        ("<link rel='enclosure' href='/x'/><link href='/a'/>", "", "https://feeds.example/a"),
        ("<link type='application/json' href='/j'/><link type='text/html' href='/h'/>", "",
         "https://feeds.example/h"),
        ("<link rel='http://www.iana.org/assignments/relation/alternate' href='/a'/>", "",
         "https://feeds.example/a"),
        ("<link rel='related' href='/r'/>", "", None),
        ("<link href='a'/>", "xml:base='https://b.example/x/'", "https://b.example/x/a"),
        ("<link xml:base='sub/' href='a'/>", "xml:base='/top/'",
         "https://feeds.example/top/sub/a"),
        ("<link xml:base='javascript:x//' href='a'/>", "", "https://feeds.example/news/a"),
        ("<content type='text/html' src='/c'/>", "", "https://feeds.example/c"),
        ("<source><link href='/s'/><id>s</id></source><link href='/own'/>", "",
         "https://feeds.example/own"),
    ],
)  # fmt: skip
def test_links_of_an_atom_entry(fields: str, attributes: str, url: str | None, broken: str) -> None:
    body = f"<feed xmlns='http://www.w3.org/2005/Atom' {attributes}><entry><title>t</title>"
    (found,) = read(f"{body}<id>rel-id</id>{fields}{broken}</entry></feed>").items
    assert (found.url, found.guid) == (url, "rel-id")


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("<title type='html'>A &lt;b&gt;bold&lt;/b&gt; &amp;amp; x</title>", "A bold & x"),
        ("<title>5 &lt; 6 &amp;amp; more</title>", "5 < 6 & more"),
        ("<title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>A <b>bold</b> &lt; x</div>"
         "</title>", "A bold < x"),
    ],
)  # fmt: skip
def test_titles_of_atom_in_every_type(title: str, plain: str) -> None:
    body = f"<feed xmlns='http://www.w3.org/2005/Atom'><entry>{title}<id>1</id></entry></feed>"
    assert read(body).items[0].title == plain


@pytest.mark.parametrize(
    ("body", "title", "url"),
    [
        ("<feed version='0.3' xmlns='http://purl.org/atom/ns#'><entry><title mode='escaped'>"
         "A &lt;b&gt;b&lt;/b&gt;</title><link rel='alternate' href='/o'/></entry></feed>",
         "A b", "https://feeds.example/o"),
        ("<CHANNEL HREF='https://n.example/'><ITEM HREF='/cdf'><TITLE>c</TITLE></ITEM></CHANNEL>",
         "c", "https://feeds.example/cdf"),
        ("<feed><entry><title>n</title><link href='/n'/></entry></feed>",
         "n", "https://feeds.example/n"),
        ("<entry xmlns='http://www.w3.org/2005/Atom'><title>e</title><link href='/e'/></entry>",
         "e", "https://feeds.example/e"),
        ("<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry><a:title>p</a:title>"
         "<a:link href='/p'/></a:entry></a:feed>", "p", "https://feeds.example/p"),
        ("<rss xmlns='urn:o'><channel><item><title>o</title><link>/o</link></item></channel></rss>",
         "o", "https://feeds.example/o"),
        ("<br />\n<b>Warning</b>: x\n<?xml version='1.0'?><rss><channel><item><title>w</title>"
         "<link>/w</link></item></channel></rss>", "w", "https://feeds.example/w"),
    ],
)  # fmt: skip
def test_rare_dialects_are_read(body: str, title: str, url: str) -> None:
    (found,) = read(body).items
    assert (found.title, found.url) == (title, url)
