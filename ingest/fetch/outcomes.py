"""What comes of asking a server: an answer, no news, or an error in a sentence. Always a value."""

from __future__ import annotations

import aiohttp
import structlog
from msgspec import Struct

from ingest.fetch.addresses import RefusedAddress
from ingest.fetch.codings import Garbled
from ingest.fetch.sockets import WireLimit
from ingest.settings import IngestSettings

_say = structlog.get_logger("dateline.ingest")


class Fetched(Struct, kw_only=True):
    body: bytes
    status: int
    content_type: str
    final_url: str  # after redirects: where relative links start from
    etag: str | None = None
    last_modified: str | None = None
    max_age: float | None = None  # seconds
    moved_to: str | None = None  # where an unbroken chain of 301 and 308 leads
    links: str = ""  # its Link headers, in which a page may name its feeds


class NotModified(Struct, kw_only=True):
    status: int = 304
    max_age: float | None = None
    moved_to: str | None = None


class FetchError(Struct, kw_only=True):
    # timeout, connection, tls, proxy, address, redirect, status, encoding, too-large, url
    kind: str
    sentence: str
    status: int | None = None
    retry_after: float | None = None  # seconds
    leads_to: str | None = None  # where the redirect that was one too many would have led


def failed(error: Exception, settings: IngestSettings) -> FetchError:
    """The error as an outcome: which of our rules it was, or what the server did."""
    if isinstance(error, TimeoutError):
        sentence = f"no whole answer within {settings.deadline:g} s"
        return FetchError(kind="timeout", sentence=sentence)
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, RefusedAddress):
            return FetchError(kind="address", sentence=plain(inner, 400))
        if isinstance(inner, WireLimit):
            return FetchError(kind="too-large", sentence=str(inner))
        inner = getattr(inner, "os_error", None) or inner.__cause__
    why = plain(getattr(error, "message", "") or error) or type(error).__name__
    why = why.replace(" ssl:default", "")  # said of plain http, too
    match error:
        case aiohttp.ClientSSLError():
            kind = "tls"
            sentence = f"no trusted connection ({why}); ingest.ca_file can name your own authority"
        case aiohttp.ClientHttpProxyError():
            kind, sentence = "proxy", f"the proxy of ingest.proxy answered {error.status}"
        case aiohttp.ClientProxyConnectionError():
            kind, sentence = "proxy", "the proxy of ingest.proxy cannot be reached"
        case aiohttp.ClientConnectorError():
            kind, sentence = "connection", f"cannot connect ({why})"
        case aiohttp.ClientPayloadError() | Garbled():
            kind, sentence = "encoding", f"the answer was cut short or garbled ({why})"
        case aiohttp.InvalidURL():
            kind, sentence = "url", "not to be asked: the host is no name"
        case aiohttp.ClientError() | OSError():
            kind, sentence = "connection", f"no usable answer ({why})"
        case _:
            _say.exception("ingest.fetch_broke", exc_info=error)
            kind, sentence = "connection", f"asking for it broke ({type(error).__name__}: {why})"
    return FetchError(kind=kind, sentence=sentence)


def plain(text: object, length: int = 250) -> str:
    """One line without control characters: it goes to terminals, logs and the database."""
    line = " ".join(str(text)[: length * 4].split())
    return "".join(c if c.isprintable() else "?" for c in line)[:length]
