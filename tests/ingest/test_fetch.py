"""Fetching: what is refused, what is sent, and what an answer becomes."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from ingest.fetch import hops
from ingest.fetch.addresses import allowed
from ingest.fetch.fetcher import Fetched, Fetcher, FetchError, NotModified
from ingest.settings import IngestSettings
from tests.ingest.world import LOOPBACK, Site, running


def _fetch(
    site: Site, path: str, settings: IngestSettings = LOOPBACK, **conditions: Any
) -> Fetched | NotModified | FetchError:
    found: list[Fetched | NotModified | FetchError] = []

    async def scenario() -> None:
        async with Fetcher(settings) as fetcher:
            found.append(await fetcher.fetch(site.url(path), **conditions))

    running(scenario, site)
    return found[0]


def _redirect(to: str) -> object:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": to} if to else {})

    return answer


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.0.8",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1",
        "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "2001:0:7f00:1::", "not an address",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not allowed(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert allowed(address)


def test_a_named_network_is_allowed_in_every_spelling() -> None:
    networks = [ip_network("127.0.0.0/8")]
    assert allowed("127.0.0.1", networks)
    assert allowed("::ffff:127.0.0.1", networks)
    assert not allowed("10.0.0.1", networks)


def test_loopback_is_refused_by_default() -> None:
    site = Site(pages={"/a": b"secret"})
    answer = _fetch(site, "/a", IngestSettings(deadline=5))
    assert isinstance(answer, FetchError)
    assert answer.kind == "address"
    assert site.requests == []


def test_a_name_that_means_a_private_address_is_refused() -> None:
    site = Site(pages={"/a": b"secret"})

    async def scenario() -> None:
        async with Fetcher(IngestSettings(deadline=5)) as fetcher:
            answer = await fetcher.fetch(site.url("/a").replace("127.0.0.1", "localhost"))
        assert isinstance(answer, FetchError)
        assert answer.kind == "address"

    running(scenario, site)
    assert site.requests == []


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/x", "http://169.254.169.254/latest/", "http://[::1]:1/"]
)
def test_a_redirect_to_a_private_address_is_refused(target: str) -> None:
    answer = _fetch(Site(pages={"/a": _redirect(target)}), "/a")  # type: ignore[dict-item]
    assert isinstance(answer, FetchError)
    assert answer.kind == "address"


def test_only_http_is_followed() -> None:
    answer = _fetch(Site(pages={"/a": _redirect("file:///etc/passwd")}), "/a")  # type: ignore[dict-item]
    assert isinstance(answer, FetchError)
    assert answer.kind == "redirect"


def test_a_redirect_loop_ends() -> None:
    site = Site(pages={"/a": _redirect("/b"), "/b": _redirect("/a")})  # type: ignore[dict-item]
    answer = _fetch(site, "/a")
    assert isinstance(answer, FetchError)
    assert answer.kind == "redirect"
    assert len(site.requests) == LOOPBACK.max_redirects + 1


def test_a_redirect_without_target_is_an_error() -> None:
    answer = _fetch(Site(pages={"/a": _redirect("")}), "/a")  # type: ignore[dict-item]
    assert isinstance(answer, FetchError)
    assert answer.kind == "redirect"


def test_a_relative_redirect_is_followed_and_moves_the_base() -> None:
    site = Site(pages={"/x/a": _redirect("../ok"), "/ok": b"body"})  # type: ignore[dict-item]
    answer = _fetch(site, "/x/a")
    assert isinstance(answer, Fetched)
    assert answer.body == b"body"
    assert answer.final_url == site.url("/ok")


def test_validators_are_sent_back() -> None:
    async def page(request: web.Request) -> web.Response:
        assert request.headers["If-None-Match"] == '"v"'
        assert "If-Modified-Since" in request.headers
        return web.Response(status=304, headers={"Cache-Control": "public, max-age=600"})

    answer = _fetch(
        Site(pages={"/a": page}), "/a",
        etag='"v"', last_modified="Mon, 20 Sep 2021 10:00:00 GMT",
    )  # fmt: skip
    assert answer == NotModified(max_age=600)


def test_304_to_a_first_request_is_an_error() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(status=304)

    answer = _fetch(Site(pages={"/a": page}), "/a")
    assert isinstance(answer, FetchError)
    assert answer.status == 304


def test_validators_that_are_no_validators_are_forgotten() -> None:
    site = Site(pages={"/a": b"x"})
    site.headers["/a"] = {"ETag": '"' + "e" * 60_000 + '"', "Last-Modified": "yesterday"}
    answer = _fetch(site, "/a")
    assert isinstance(answer, Fetched)
    assert (answer.etag, answer.last_modified) == (None, None)


def test_the_program_says_who_it_is() -> None:
    site = Site(pages={"/a": b"x"})
    settings = LOOPBACK.model_copy(update={"contact": "desk@example.org"})
    _fetch(site, "/a", settings)
    assert "Dateline" in site.requests[0].headers["User-Agent"]
    assert "desk@example.org" in site.requests[0].headers["User-Agent"]


def test_retry_after_may_be_seconds_or_a_date() -> None:
    async def seconds(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "120"})

    async def date(request: web.Request) -> web.Response:
        headers = {
            "Retry-After": "Mon, 20 Sep 2021 10:05:00 GMT",
            "Date": "Mon, 20 Sep 2021 10:00:00 GMT",
        }
        return web.Response(status=503, headers=headers)

    for page, wait in ((seconds, 120), (date, 300)):
        answer = _fetch(Site(pages={"/a": page}), "/a")
        assert isinstance(answer, FetchError)
        assert answer.retry_after == wait


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "connection"),
        (b"<rss>this is HTTP/0.9</rss>", "connection"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n<rss>\r\n", "connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<rss>", "encoding"),
    ],
)
def test_broken_answers_are_values(raw: bytes, kind: str) -> None:
    async def main() -> None:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(raw)
            writer.close()

        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        async with server, Fetcher(LOOPBACK) as fetcher:
            port = server.sockets[0].getsockname()[1]
            answer = await fetcher.fetch(f"http://127.0.0.1:{port}/")
        assert isinstance(answer, FetchError)
        assert answer.kind == kind
        assert "\n" not in answer.sentence

    asyncio.run(main())


@pytest.mark.parametrize("url", ["http://", "http://[::1", "ftp://example.org/", "http://a b/"])
def test_addresses_that_cannot_be_asked_are_values(url: str) -> None:
    async def main() -> None:
        async with Fetcher(LOOPBACK) as fetcher:
            assert isinstance(await fetcher.fetch(url), FetchError)

    asyncio.run(main())


def test_pages_are_asked_for_as_pages_and_may_be_smaller() -> None:
    site = Site(pages={"/a": b"x" * 1000})
    answer = _fetch(site, "/a", accept="text/html", max_bytes=999)
    assert isinstance(answer, FetchError)
    assert answer.kind == "too-large"
    assert site.requests[0].headers.getall("Accept") == ["text/html"]


def test_a_bug_below_is_a_value_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(url: str) -> None:
        raise KeyError("what nobody thought of")

    monkeypatch.setattr(hops, "asked", broken)
    answer = _fetch(Site(pages={"/a": b"x"}), "/a")
    assert isinstance(answer, FetchError)


def test_a_contact_can_start_no_header() -> None:
    for contact in ("a\r\nX: y", "ü@example.org", "x" * 300):
        with pytest.raises(ValueError, match="contact"):
            IngestSettings(contact=contact)
    assert IngestSettings(contact="desk of news, +1 555 https://example.org/bot").contact
