"""XML namespaces that feeds use, by what they mean."""

from __future__ import annotations

# Elements of these are written without a prefix in what follows.
_FEED = {
    "http://www.w3.org/2005/atom",
    "http://purl.org/atom/ns#",
    "http://purl.org/rss/1.0/",
    "http://my.netscape.com/rdf/simple/0.9/",
    "http://blogs.law.harvard.edu/tech/rss",
    "http://purl.org/rss/1.0/modules/rss091#",
}
ATOM = "http://www.w3.org/2005/Atom"
KNOWN_PREFIXES = {
    "atom": ATOM,
    "atom10": ATOM,
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "news": "http://www.google.com/schemas/sitemap-news/0.9",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rss": "http://purl.org/rss/1.0/",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
    "wfw": "http://wellformedweb.org/CommentAPI/",
    "xhtml": "http://www.w3.org/1999/xhtml",
}
_BY_URI = {uri.lower(): prefix for prefix, uri in KNOWN_PREFIXES.items()} | {
    "http://search.yahoo.com/mrss": "media",
    "http://purl.org/rss/modules/syndication/": "sy",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
}


def is_feed_namespace(uri: str) -> bool:
    """Is this one of RSS's or Atom's own?"""
    lower = uri.lower()
    return lower in _FEED or "backend.userland.com/rss" in lower


def prefix_of(uri: str) -> str | None:
    """The usual prefix of a namespace, "" for RSS's and Atom's own, None for an unknown one."""
    if not uri or is_feed_namespace(uri):
        return ""
    return _BY_URI.get(uri.lower())
