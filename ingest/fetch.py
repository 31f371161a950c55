"""One conditional GET with a deadline and caps. Every outcome is a value."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from urllib.parse import urljoin

import aiohttp
from msgspec import Struct
from yarl import URL

from ingest.addresses import RefusedAddress, socket_factory
from ingest.settings import IngestSettings

_REDIRECTS = {301, 302, 303, 307, 308}
# Servers have sent megabytes as an ETag. What we would have to send back stays short.
_MAX_VALIDATOR = 1000
# Header lines up to here are read (the rest of the answer may be fine) though never sent back.
_MAX_HEADER = 128 * 1024
_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json;q=0.9, "
    "application/rdf+xml;q=0.8, application/xml;q=0.7, text/xml;q=0.7, */*;q=0.1"
)


class Fetched(Struct, kw_only=True):
    body: bytes
    status: int
    content_type: str
    final_url: str  # after redirects: where relative links start from
    etag: str | None = None
    last_modified: str | None = None
    max_age: float | None = None  # seconds
    moved_to: str | None = None  # where an unbroken chain of 301 and 308 leads


class NotModified(Struct, kw_only=True):
    status: int = 304
    max_age: float | None = None
    moved_to: str | None = None


class FetchError(Struct, kw_only=True):
    kind: str  # timeout, connection, address, redirect, status, encoding, too-large, url
    sentence: str
    status: int | None = None
    retry_after: float | None = None  # seconds


class Fetcher:
    """A session for many feeds. Use as an async context manager, from one event loop."""

    def __init__(self, settings: IngestSettings) -> None:
        self._settings = settings

    async def __aenter__(self) -> Fetcher:
        s = self._settings
        # Publishers block clients that hide; this names the program and, when set, its keeper.
        agent = "Dateline/0.1 (news monitoring" + (f"; +{s.contact})" if s.contact else ")")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=s.concurrency, socket_factory=socket_factory(s.allow_networks)
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "User-Agent": agent,
                "Accept": _ACCEPT,
                "Accept-Encoding": "gzip, deflate",  # only what can be undone with the cap applied
            },
            timeout=aiohttp.ClientTimeout(total=None),  # one deadline over all hops, below
            max_line_size=_MAX_HEADER,
            max_field_size=_MAX_HEADER,
            max_headers=2000,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None
    ) -> Fetched | NotModified | FetchError:
        """GET `url`, following redirects; the validators of the last answer make it conditional."""
        conditions = {}
        if etag:
            conditions["If-None-Match"] = etag
        if last_modified:
            conditions["If-Modified-Since"] = last_modified
        deadline = self._settings.deadline
        try:
            async with asyncio.timeout(deadline):
                return await self._follow(url, conditions)
        except TimeoutError:
            return FetchError(kind="timeout", sentence=f"no whole answer within {deadline:g} s")
        except RefusedAddress as error:
            return _refused(error)
        except aiohttp.ClientConnectorError as error:
            inner: BaseException | None = error
            while inner is not None:
                if isinstance(inner, RefusedAddress):
                    return _refused(inner)
                inner = getattr(inner, "os_error", None) or inner.__cause__
            return FetchError(kind="connection", sentence=f"cannot connect ({_why(error)})")
        except (aiohttp.InvalidURL, ValueError) as error:
            return FetchError(
                kind="url", sentence=f"not an address that can be asked ({_why(error)})"
            )
        except aiohttp.ClientPayloadError as error:
            return FetchError(
                kind="encoding", sentence=f"the answer was cut short or garbled ({_why(error)})"
            )
        except (aiohttp.ClientError, OSError) as error:
            return FetchError(kind="connection", sentence=f"no usable answer ({_why(error)})")

    async def _follow(
        self, url: str, conditions: dict[str, str]
    ) -> Fetched | NotModified | FetchError:
        for _ in range(self._settings.max_redirects + 1):
            if not url.lower().startswith(("http://", "https://")):
                return FetchError(
                    kind="redirect", sentence=f"only http and https are asked, not {url[:100]}"
                )
            async with self._session.get(
                URL(url, encoded="%" in url), headers=conditions, allow_redirects=False
            ) as answer:
                if answer.status not in _REDIRECTS:
                    return await self._read(answer, bool(conditions))
                target = answer.headers.get("Location")
                if not target:
                    return FetchError(
                        kind="redirect",
                        sentence=f"redirected ({answer.status}) without saying where to",
                        status=answer.status,
                    )
                url = urljoin(str(answer.url), target)
        return FetchError(
            kind="redirect", sentence=f"more than {self._settings.max_redirects} redirects in a row"
        )

    async def _read(
        self, answer: aiohttp.ClientResponse, conditional: bool
    ) -> Fetched | NotModified | FetchError:
        if answer.status == HTTPStatus.NOT_MODIFIED and conditional:
            return NotModified(max_age=_max_age(answer))
        if answer.status != HTTPStatus.OK:
            return FetchError(
                kind="status",
                sentence=f"the server answered {answer.status} {answer.reason or ''}".strip()[:200],
                status=answer.status,
                retry_after=_retry_after(answer),
            )
        limit, body = self._settings.max_bytes, bytearray()
        # The chunks are decoded already: a bomb is stopped here, not unpacked.
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > limit:
                answer.close()
                return FetchError(
                    kind="too-large",
                    sentence=f"the answer is over the limit of {limit:,} bytes; raise "
                    "ingest.max_bytes if this feed should be read",
                    status=answer.status,
                )
        return Fetched(
            body=bytes(body),
            status=answer.status,
            content_type=answer.headers.get("Content-Type", "")[:500],
            final_url=str(answer.url),
            etag=_validator(answer.headers.get("ETag")),
            last_modified=_http_date(answer.headers.get("Last-Modified")),
            max_age=_max_age(answer),
        )


def _refused(error: RefusedAddress) -> FetchError:
    return FetchError(
        kind="address",
        sentence=f"{error}; name its network in ingest.allow_networks if it should be asked",
    )


def _why(error: BaseException) -> str:
    return " ".join(str(error).split())[:250] or type(error).__name__


def _validator(value: str | None) -> str | None:
    return value if value and len(value) <= _MAX_VALIDATOR and value.isprintable() else None


def _http_date(value: str | None) -> str | None:
    """Sent back only when it is a date: some servers answer an error to anything else."""
    try:
        return value if value and len(value) < 100 and parsedate_to_datetime(value) else None
    except ValueError:
        return None


def _max_age(answer: aiohttp.ClientResponse) -> float | None:
    for part in answer.headers.get("Cache-Control", "")[:1000].lower().split(","):
        name, _, value = part.strip().partition("=")
        if name == "max-age" and value.strip('"').isdecimal() and len(value) < 12:
            return float(value.strip('"'))
    return None


def _retry_after(answer: aiohttp.ClientResponse) -> float | None:
    value = answer.headers.get("Retry-After", "").strip()
    if value.isdecimal() and len(value) < 12:
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        sent = parsedate_to_datetime(answer.headers["Date"])  # their clock against their clock
        return max(0.0, (until - sent).total_seconds())
    except (ValueError, KeyError, TypeError):
        return None
