"""From one URL to the next: what is asked, and where a redirect leads."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from yarl import URL

# No feed's URL in the wild is longer than 2,000; chains of growing URLs end here.
_MAX_URL = 4000
# Everything that may stand in a URL as it is, "%" too: what is quoted already stays.
_LEGAL = "!#$%&'()*+,/:;=?@[]~"
_HOST = re.compile(r"[A-Za-z0-9._:-]+")


class NotWeb(ValueError):
    """Not an http or https URL."""


# The URLs of some thousand feeds come again and again; making one costs 20 µs.
@lru_cache(maxsize=8192)
def asked(url: str) -> URL:
    """The URL as it goes on the wire. Characters that may not stand in it are quoted, the rest is
    left alone: some servers sign the very bytes. Raises NotWeb, ValueError."""
    parts = urlsplit(url)  # drops line ends and tabs, as browsers do
    if parts.scheme not in ("http", "https"):
        raise NotWeb(f"only http and https are asked, not {parts.scheme[:20] or 'this'}")
    if len(url) > _MAX_URL:
        raise ValueError(f"the URL is longer than {_MAX_URL:,} characters")
    base = URL(f"{parts.scheme}://{parts.netloc}/")  # the host as DNS wants it
    if not base.raw_host or not _HOST.fullmatch(base.raw_host):
        raise ValueError("there is no host in it" if not base.raw_host else "the host is no name")
    if not base.port:
        raise ValueError("the port is 0")
    return URL.build(
        scheme=parts.scheme,
        authority=base.raw_authority,
        path=_quoted(parts.path) or "/",
        query_string=_quoted(parts.query),
        encoded=True,
    )


def target(url: str, location: str) -> str:
    """Where a `Location` at `url` leads. Credentials come only from the operator: those in `url`
    go on within its host, those in `location` are dropped."""
    parts = urlsplit(urljoin(url, location.strip()))
    host = parts.netloc.rpartition("@")[2]
    before = urlsplit(url)
    known, at, origin = before.netloc.rpartition("@")
    same = host.lower() == origin.lower() and (before.scheme, parts.scheme) != ("https", "http")
    return urlunsplit(parts._replace(netloc=known + at + host if same else host, fragment=""))


def onward(url: str, location: str) -> str | None:
    """Where a `Location` at `url` leads, when that can be asked; else None."""
    try:
        return str(asked(target(url, location)))
    except ValueError:
        return None


def downgrade(url: str, to: str) -> bool:
    """From https to http."""
    return url.lower().startswith("https:") and not to.lower().startswith("https:")


def _quoted(text: str) -> str:
    # Header bytes that are no UTF-8 arrive as surrogates; they go back as the bytes they were.
    return quote(text, safe=_LEGAL, errors="surrogateescape")
