"""One conditional GET with a deadline and caps. Every outcome is a value."""

from __future__ import annotations

import asyncio
import ssl
from http import HTTPStatus
from importlib.metadata import version

import aiohttp

from ingest.fetch import freshness, hops
from ingest.fetch.addresses import Rule
from ingest.fetch.codings import Body, TooLarge
from ingest.fetch.outcomes import Fetched, FetchError, NotModified, failed, plain
from ingest.fetch.proxies import Proxy
from ingest.fetch.resolver import Resolver
from ingest.fetch.sockets import Answer, WireLimit, socket_factory
from ingest.settings import IngestSettings
from stream.errors import UsageError

__all__ = ["FetchError", "Fetched", "Fetcher", "NotModified"]

_REDIRECTS = {301, 302, 303, 307, 308}
_PERMANENT = {301, 308}
# 203: a proxy on the way changed it. Other codes between 200 and 299 do not bring a document.
_WHOLE = {200, 203}
# Servers have sent megabytes as an ETag. What we would have to send back stays short.
_MAX_VALIDATOR = 1000
# A header line up to here is read (the rest of the answer may be fine) though never sent back.
# Longer ones would be pieced together from thousands of packets, each time copied.
_MAX_HEADER = 128 * 1024
# 500 cookies were met; `max_wire_bytes` bounds the sum.
_MAX_HEADERS = 2000
# A host's next feed follows after `host_gap`, so the connection lives on for a few of these; its
# next poll is minutes away, and ten thousand hosts would use up the process's open files.
_KEEP_ALIVE_S = 5.0
# The usual lifetime of a publisher's DNS record. What is connected to is checked each time anyway.
_DNS_CACHE_S = 60
_ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json;q=0.9, "
    "application/rdf+xml;q=0.8, application/xml;q=0.7, text/xml;q=0.7, */*;q=0.1"
)


class Fetcher:
    """A session for many feeds. Use as an async context manager, from one event loop.

    Raises UsageError for a `ca_file` or `proxy` that cannot be used."""

    def __init__(self, settings: IngestSettings) -> None:
        self._settings = settings
        self._proxy = Proxy.named(settings)

    async def __aenter__(self) -> Fetcher:
        s, proxy = self._settings, self._proxy
        # The proxy's own address is the operator's word; what it is asked for is checked by name.
        rule = None if proxy else Rule(s.allow_networks, s.refuse_networks)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=s.concurrency,
                socket_factory=socket_factory(rule, s.max_wire_bytes),
                resolver=Resolver(rule),
                ttl_dns_cache=_DNS_CACHE_S,
                keepalive_timeout=_KEEP_ALIVE_S,
                ssl=_trusted(s),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "User-Agent": _agent(s),
                "Accept": _ACCEPT,
                "Accept-Encoding": "gzip, deflate",  # only what can be undone with the cap applied
            },
            auto_decompress=False,
            response_class=Answer,
            proxy=proxy.url if proxy else None,
            timeout=aiohttp.ClientTimeout(total=None),  # one deadline over all hops, below
            max_line_size=_MAX_HEADER,
            max_field_size=_MAX_HEADER,
            max_headers=_MAX_HEADERS,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def fetch(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        accept: str | None = None,
        max_bytes: int | None = None,
        max_redirects: int | None = None,
    ) -> Fetched | NotModified | FetchError:
        """GET `url`, following redirects; the validators of the last answer make it conditional.
        `accept`, `max_bytes` (of the body, uncoded) and `max_redirects` take the place of those
        for feeds."""
        headers = {}
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        conditional = bool(headers)
        if accept:
            headers["Accept"] = accept
        limit = max_bytes or self._settings.max_bytes
        redirects = self._settings.max_redirects if max_redirects is None else max_redirects
        try:
            async with asyncio.timeout(self._settings.deadline):
                return await self._follow(url, headers, conditional, limit, redirects)
        except Exception as error:
            return failed(error, self._settings)

    async def _follow(
        self, url: str, headers: dict[str, str], conditional: bool, limit: int, redirects: int
    ) -> Fetched | NotModified | FetchError:
        moved: str | None = None
        permanent, location, status = True, "", 0
        for hop in range(redirects + 1):
            try:
                if hop:
                    before, url = url, hops.target(url, location)
                    # Moving for good is the owner's word: not after somebody's temporary redirect,
                    # and never from https to http, which anybody on the way could say.
                    permanent &= status in _PERMANENT and not hops.downgrade(before, url)
                to = hops.asked(url)
            except ValueError as error:
                kind = "redirect" if hop else "url"
                return FetchError(kind=kind, sentence=f"not to be asked: {plain(error)}")
            if hop and permanent:
                moved = str(to)
            if self._proxy:
                await self._proxy.check(to)
            # The validators go to every hop: they came from the end of the chain, and each poll of
            # a feed behind a redirect would bring the whole document without them. All that
            # another host learns is the name of a version.
            async with self._session.get(to, headers=headers, allow_redirects=False) as answer:
                assert isinstance(answer, Answer)
                status = answer.status
                if status not in _REDIRECTS:
                    return await self._read(answer, conditional, limit, moved)
                location = answer.headers.get("Location", "")
            if not location.strip():
                sentence = f"redirected ({status}) without saying where to"
                return FetchError(kind="redirect", sentence=sentence, status=status)
        sentence = f"more than {redirects} redirects in a row"
        return FetchError(kind="redirect", sentence=sentence, leads_to=hops.onward(url, location))

    async def _read(
        self, answer: Answer, conditional: bool, limit: int, moved: str | None
    ) -> Fetched | NotModified | FetchError:
        headers = answer.headers
        if answer.status == HTTPStatus.NOT_MODIFIED and conditional:
            return NotModified(max_age=freshness.lifetime(headers), moved_to=moved)
        if answer.status not in _WHOLE:
            return FetchError(
                kind="status",
                sentence=plain(f"the server answered {answer.status} {answer.reason or ''}"),
                status=answer.status,
                retry_after=freshness.retry_after(headers),
            )
        try:
            if (answer.content_length or 0) > self._settings.max_wire_bytes:
                raise WireLimit.over(self._settings.max_wire_bytes)
            body = Body(",".join(headers.getall("Content-Encoding", ())), limit)
            await answer.pour(body.add)
            whole = body.whole()
        except TooLarge:
            answer.close()
            own = limit == self._settings.max_bytes  # whose limit it is, the caller knows
            hint = "; raise ingest.max_bytes if this feed should be read" if own else ""
            return FetchError(
                kind="too-large",
                sentence=f"the answer is over the limit of {limit:,} bytes{hint}",
                status=answer.status,
            )
        return Fetched(
            body=whole,
            status=answer.status,
            content_type=plain(headers.get("Content-Type", ""), 500),
            final_url=str(answer.url),
            etag=_validator(headers.get("ETag")),
            last_modified=_dated(headers.get("Last-Modified")),
            max_age=freshness.lifetime(headers),
            moved_to=moved,
            links=plain(", ".join(headers.getall("Link", ())), _MAX_HEADER),
        )


def _agent(settings: IngestSettings) -> str:
    """Publishers block clients that hide; this names the program and, when set, its keeper."""
    keeper = f"; +{settings.contact}" if settings.contact else ""
    return f"Dateline/{version('dateline')} (news monitoring{keeper})"


def _trusted(settings: IngestSettings) -> ssl.SSLContext | bool:
    if settings.ca_file is None:
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(settings.ca_file)
    except OSError as error:
        raise UsageError(
            f"ingest.ca_file: {settings.ca_file} should hold certificates in PEM form, but "
            f"it cannot be read ({error.strerror or error})"
        ) from None
    return context


def _validator(value: str | None) -> str | None:
    return value if value and len(value) <= _MAX_VALIDATOR and value.isprintable() else None


def _dated(value: str | None) -> str | None:
    """Sent back only when it is a date: some servers answer an error to anything else."""
    return value if freshness.http_date(value) else None
