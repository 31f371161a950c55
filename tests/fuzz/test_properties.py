"""What must hold for any text or feed (hypothesis)."""

from __future__ import annotations

import html
import string
import unicodedata
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.documents.items import Document
from ingest.documents.parse import parse
from tests.fuzz import clean, dates, opml, urls
from tests.fuzz import parse as documents

# Pieces that feeds are made of, so that chance makes documents and not noise.
_PIECES = """
    <rss version="2.0"> <channel> </channel> </rss> <item> </item> <entry> </entry> <title>
    </title> <link> </link> <link/> <guid> <description> </description> <![CDATA[ ]]> <!-- -->
    &amp; &lt; &gt; &nbsp; &#0; &#x1b;[31m & < > " ' <b> </b> <br> <a href="x> xmlns:a="b" a:b=
    <?x ?> <!DOCTYPE x [ ]> <feed xmlns="http://www.w3.org/2005/Atom"> </feed> <urlset> <url>
    <loc> { } [ ] , : "items" "title" \u202e \ud83d é \x85 \xa0 &lt;script&gt; 2021-09-20
    http://a.b/c <rdf:RDF <news:news>"""
PIECES = st.sampled_from(_PIECES.split())
SOUP = st.lists(PIECES | st.text(max_size=8), max_size=60).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | SOUP.map(lambda s: b"\0" + s.encode("utf-8", "surrogatepass")))
def test_any_document_is_read_or_refused(data: bytes) -> None:
    documents.one(data)


@settings(max_examples=300, deadline=None)
@given(SOUP | st.text(max_size=200))
@pytest.mark.parametrize("target", [dates.one, clean.one, urls.one, opml.one])
def test_any_text_holds_what_must_hold(target, text: str) -> None:  # type: ignore[no-untyped-def]
    target(text.encode("utf-8", "surrogatepass"))


_WORDS = st.text(
    st.characters(codec="utf-8", categories=["L", "N"]) | st.sampled_from(" &.,'\"-–—“”"),
    min_size=1,
    max_size=60,
).map(lambda t: " ".join(t.split()))
WORDS = _WORDS.filter(lambda t: bool(t) and html.unescape(html.unescape(t)) == t)
_PATH = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=20)
ITEM = st.tuples(
    WORDS,
    _PATH.map(lambda p: f"https://news.example/story-{p}"),
    st.text(string.ascii_letters + string.digits + ":-", min_size=1, max_size=30),
    st.integers(600_000_000, 2_200_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
)


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


@settings(max_examples=200, deadline=None)
@given(st.lists(ITEM, max_size=6), st.booleans())
@pytest.mark.parametrize("form", ["rss", "atom"])
def test_a_feed_gives_back_what_was_put_into_it(
    form: str, items: list[tuple[str, str, str, datetime]], broken: bool
) -> None:
    if form == "rss":
        inner = "".join(
            f"<item><title>{escape(escape(t))}</title><link>{u}</link>"
            f"<guid isPermaLink='false'>{g}</guid><pubDate>{format_datetime(d)}</pubDate></item>"
            for t, u, g, d in items
        )
        body = f"<rss version='2.0'><channel><title>T</title>{inner}</channel></rss>"
    else:
        inner = "".join(
            f"<entry><title>{escape(t)}</title><link href='{u}'/><id>{g}</id>"
            f"<published>{d.isoformat()}</published></entry>"
            for t, u, g, d in items
        )
        body = f"<feed xmlns='http://www.w3.org/2005/Atom'><title>T</title>{inner}</feed>"
    if broken:  # so that the other reader gets it
        body = body.replace("<title>T</title>", "<title>T</title><x>")
    found = parse(body.encode(), "", "https://news.example/feed", 100)
    assert isinstance(found, Document)
    got = [(i.title, i.url, i.guid, i.published) for i in found.items]
    assert got == [(_normal(t), u, g, d) for t, u, g, d in items]
