"""What a page gave, and how it goes into the article that its feed's item makes."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from ingest.articles import identity, urls
from ingest.articles.fates import Candidate
from stream.records import Article


class Page(Struct, kw_only=True):
    """An article as its page tells it: plain text, safe URLs, aware UTC."""

    text: str
    url: str  # after redirects
    title: str = ""
    published: datetime | None = None
    author: str | None = None
    lang: str | None = None  # the page's claim
    canonical: str | None = None  # the page's claim


class Unread(Struct, kw_only=True):
    """Why the feed's text stays. `kind` is short and countable; the clause ends "page …"."""

    kind: str
    clause: str


def put(candidate: Candidate, found: Page | Unread) -> None:
    """Let the page speak where the feed is brief; the reason for either goes with the item.

    The content hash and the sketch stay those of the feed's own words, which is what the next
    poll compares: an item that its feed has not changed asks for no page again.
    """
    if isinstance(found, Unread):
        candidate.page = f"page {found.clause}"
        return
    article = candidate.article
    candidate.sketch = identity.sketch(article.title, article.text)
    candidate.page = "text of its page"
    article.text = found.text
    article.title = article.title or found.title
    article.author = article.author or found.author
    candidate.lang_claim = candidate.lang_claim or found.lang
    article.lang = None  # to be told from the whole text
    if article.published is None and found.published is not None:
        article.published, article.published_from = found.published, "page"
    if found.canonical and (named := urls.accepts_canonical(found.url, found.canonical)):
        _rename(article, named)


def _rename(article: Article, url: str) -> None:
    """The address that the page gives as its own names the article, where its feed's address did:
    a link that counts clicks, or that several items share, does not."""
    old = identity.article_id(url=article.url, outlet=article.outlet, guid=None, content="")
    if article.id == old:
        article.id = identity.article_id(url=url, outlet=article.outlet, guid=None, content="")
    article.url = url
