"""The feeds of a site, found from its page: where they are looked for, and where it ends."""

from __future__ import annotations

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import feeds
from ingest.settings import IngestSettings
from ingest.subscriptions import links
from ingest.subscriptions.discover import Discovery, discover
from ingest.subscriptions.links import Link
from ingest.subscriptions.probe import Probe
from tests.ingest.world import Site, item, rss, running

ATOM = b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>In Atom</title>
<entry><title>Headline number 1 of the day</title><id>x1</id>
<link href="https://news.example/1"/><updated>2021-09-20T10:00:00Z</updated></entry></feed>"""
JSON_FEED = b"""{"version": "https://jsonfeed.org/version/1.1", "title": "In JSON",
"items": [{"id": "9", "url": "https://news.example/9", "content_text": "Nine."}]}"""


def page(head: str = "", body: str = "") -> bytes:
    return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode()


def declared(href: str, kind: str = "application/rss+xml") -> str:
    return f'<link rel="alternate" type="{kind}" href="{href}">'


@pytest.fixture
def site() -> Site:
    return Site()


def found(site: Site, path: str = "/", **settings: object) -> Discovery:
    """What is discovered from the page at `path`."""
    allowed = {"allow_networks": ["127.0.0.0/8"], "host_gap": 0, "deadline": 5, **settings}
    results: list[Discovery] = []

    async def scenario() -> None:
        async with Probe(IngestSettings.model_validate(allowed)) as probe:
            results.append(await discover(site.url(path), probe))

    running(scenario, site)
    return results[0]


def paths(site: Site, result: Discovery) -> list[str]:
    return [f.url.removeprefix(site.base) for f in result.found]


def asked(site: Site) -> list[str]:
    return [r.path for r in site.requests]


def test_an_address_that_is_a_feed_is_taken_as_it_is(site: Site) -> None:
    site.pages["/rss"] = rss(item(1), item(2), title="Itself")
    (feed,) = found(site, "/rss").found
    assert (feed.how, feed.title, feed.kind, feed.items) == ("itself", "Itself", "rss20", 2)
    assert feed.newest is not None
    assert feed.newest.isoformat() == "2021-09-20T10:00:00+00:00"
    assert feed.language == "en"
    assert asked(site) == ["/rss"]


def test_what_the_page_declares_is_read_and_nothing_else_is_asked(site: Site) -> None:
    site.pages["/"] = page(declared("/a.xml") + declared("b.json", "application/feed+json"))
    site.pages["/a.xml"], site.pages["/b.json"] = rss(item(1)), JSON_FEED
    assert paths(site, found(site)) == ["/a.xml", "/b.json"]
    assert asked(site) == ["/", "/a.xml", "/b.json"]


def test_relative_addresses_start_from_the_base_of_the_page(site: Site) -> None:
    site.pages["/news/"] = page('<base href="/elsewhere/x">' + declared("feed"))
    site.pages["/elsewhere/feed"] = rss(item(1))
    assert paths(site, found(site, "/news/")) == ["/elsewhere/feed"]


def test_relative_addresses_start_from_where_a_redirect_led(site: Site) -> None:
    async def moved(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/new/home")

    site.pages["/"] = moved
    site.pages["/new/home"] = page(declared("feed"))
    site.pages["/new/feed"] = rss(item(1))
    assert paths(site, found(site)) == ["/new/feed"]


def test_a_link_header_names_a_feed(site: Site) -> None:
    site.pages["/"] = page()
    site.headers["/"]["Link"] = (
        '</hidden>; rel="alternate"; type="application/rss+xml", </x>; rel=y'
    )
    site.pages["/hidden"] = rss(item(1))
    assert paths(site, found(site)) == ["/hidden"]


def test_links_on_the_page_that_look_like_feeds_are_tried(site: Site) -> None:
    site.pages["/"] = page(
        body='<a href="/feedback">Write</a><a href="/rss.png">i</a><a href="/world/rss">World</a>'
        '<a href="http://other.example/feed">Not ours</a>'
    )
    site.pages["/world/rss"] = rss(item(1))
    assert paths(site, found(site)) == ["/world/rss"]
    assert asked(site) == ["/", "/world/rss"]


@pytest.mark.parametrize("where", ["/feed", "/atom.xml", "/index.xml", "/feed.json"])
def test_usual_places_are_tried_until_one_is_a_feed(site: Site, where: str) -> None:
    site.pages["/"] = page()
    site.pages[where] = JSON_FEED if where.endswith("json") else ATOM
    assert paths(site, found(site)) == [where]
    assert asked(site)[-1] == where


def test_a_news_sitemap_is_found_through_robots_txt(site: Site) -> None:
    site.pages["/"] = page()
    site.pages["/map.xml"] = b"never asked"

    async def robots(request: web.Request) -> web.StreamResponse:
        home = f"http://{request.host}"
        return web.Response(
            text=f"User-agent: *\nSitemap: {home}/map.xml\nSitemap: {home}/news-map.xml\n"
        )

    site.pages["/robots.txt"] = robots
    site.pages["/news-map.xml"] = b"""<?xml version="1.0"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
 xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><url>
<loc>https://news.example/1</loc><news:news><news:publication><news:name>N</news:name>
<news:language>en</news:language></news:publication>
<news:publication_date>2021-09-20T10:00:00Z</news:publication_date>
<news:title>Headline</news:title></news:news></url></urlset>"""
    result = found(site)
    assert paths(site, result) == ["/news-map.xml"]
    assert result.found[0].how == "robots"
    assert "/map.xml" not in asked(site)


def test_one_feed_in_two_formats_and_comments_are_no_choice(site: Site) -> None:
    site.pages["/"] = page(
        declared("/rss") + declared("/atom", "application/atom+xml") + declared("/comments/feed/")
    )
    site.pages["/rss"], site.pages["/atom"] = rss(item(1)), ATOM
    site.pages["/comments/feed/"] = rss(item("said", title="Nice"))
    result = found(site)
    assert paths(site, result) == ["/rss"]
    assert [f.aside for f in result.aside] == [
        f"the same items as {site.url('/rss')}",
        "readers' comments",
    ]


def test_comments_are_offered_when_there_is_nothing_else(site: Site) -> None:
    site.pages["/"] = page(declared("/comments/feed"))
    site.pages["/comments/feed"] = rss(item(1))
    assert paths(site, found(site)) == ["/comments/feed"]


def test_feeds_without_items_come_last(site: Site) -> None:
    site.pages["/"] = page(declared("/empty") + declared("/full"))
    site.pages["/empty"], site.pages["/full"] = rss(), rss(item(1))
    assert paths(site, found(site)) == ["/full", "/empty"]


def test_what_is_no_feed_is_told_and_not_offered(site: Site) -> None:
    site.pages["/"] = page(declared("/api", "application/json") + declared("/gone"))
    site.pages["/api"] = b'{"routes": []}'
    result = found(site)
    assert result.found == []
    assert {t.url.removeprefix(site.base) for t in result.tried} >= {"/api", "/gone"}
    assert result.refusal is not None
    assert "none was found" in result.refusal


def test_a_page_of_a_thousand_links_costs_a_bounded_number_of_requests(site: Site) -> None:
    site.pages["/"] = page("".join(declared(f"/{n}.xml") for n in range(1000)))
    for n in range(1000):
        site.pages[f"/{n}.xml"] = rss(item(n))
    result = found(site)
    assert len(site.requests) <= 20
    assert len(result.found) + len(result.unasked) == 1000


def test_a_page_cannot_send_us_into_a_private_network(site: Site) -> None:
    site.pages["/"] = page(declared("http://127.0.0.2:9/rss") + declared("file:///etc/passwd"))
    result = found(site, allow_networks=["127.0.0.1/32"])
    assert result.found == []
    assert "not public" in result.tried[0].sentence
    assert all(t.url.startswith("http") for t in result.tried)


def test_a_server_that_refuses_is_not_searched(site: Site) -> None:
    async def no(_: web.Request) -> web.StreamResponse:
        raise web.HTTPForbidden

    site.pages["/"] = no
    result = found(site)
    assert result.refusal is not None
    assert "403" in result.refusal
    assert len(site.requests) == 1


# -- reading pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markup", "url"),
    [
        (declared("/a"), "https://news.example/a"),
        ("<LINK TYPE='Application/RSS+XML; charset=utf-8' REL='Alternate' HREF='/a'>", "https://news.example/a"),
        ("<link href=/a rel=alternate type=application/atom+xml />", "https://news.example/a"),
        ('<link rel="alternate" title="a > b" type="text/xml" href="/a">', "https://news.example/a"),
        (declared("/a?x=1&amp;y=2#z"), "https://news.example/a?x=1&y=2"),
        (declared("feed:https://other.example/a"), "https://other.example/a"),
        ('<link rel="feed" href="/a">', "https://news.example/a"),
        ("<base href='//cdn.example/'>" + declared("a"), "https://cdn.example/a"),
    ],
)  # fmt: skip
def test_declarations_are_read_as_browsers_read_them(markup: str, url: str) -> None:
    assert links.declared(markup, "https://news.example/x/") == [Link(url, "link")]


@pytest.mark.parametrize(
    "markup",
    [
        f"<!-- {declared('/a')} -->",
        f"<script>{declared('/a')}</script>",
        f"<!-- never closed {declared('/a')}",
        '<link rel="stylesheet" type="text/css" href="/a">',
        '<link rel="alternate" hreflang="de" href="/de/">',
        declared("javascript:alert(1)"),
        declared("data:application/rss+xml,<rss/>"),
        declared("http://[::1"),
        declared(""),
        declared("/" + "a" * 5000),
    ],
)
def test_what_a_browser_would_not_see_as_a_feed_is_none(markup: str) -> None:
    assert links.declared(markup, "https://news.example/") == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ['<a "', "<link rel='", "<!--", "<a a=a ", "<script", "<base href=", "<a href=x>", "<"]
)
def test_no_page_takes_long_to_read(piece: str) -> None:
    hostile = piece * (2_000_000 // len(piece))
    assert links.declared(hostile, "https://news.example/") == []
    assert links.anchors(hostile, "https://news.example/") == []


_pieces = st.lists(
    st.sampled_from(
        ["<link ", "<a ", "<base ", "href=", "rel=alternate ", "type=text/xml ", "\"", "'", ">",
         "<!--", "-->", "/rss", "//x.example/feed", "http:", "[", "]", "&#0;", "\\", "\n",
         "\x00", "é"]
    ) | st.text(max_size=5)
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_pieces)
def test_any_page_gives_addresses_that_can_be_asked(pieces: list[str]) -> None:
    page = "".join(pieces)
    found = links.declared(page, "https://news.example/", header=page)
    for link in [*found, *links.anchors(page, "https://news.example/")]:
        assert link.url.startswith(("http://", "https://"))
        feeds.address(link.url)
