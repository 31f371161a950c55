"""Addresses: which are one, which are not, and what is stored of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.articles import urls
from tests.fuzz.identity import addresses

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
