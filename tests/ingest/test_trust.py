"""Who is believed: certificates, the operator's own authority, and the proxy."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr

from ingest.fetch.fetcher import Fetched, Fetcher, FetchError, NotModified
from ingest.settings import IngestSettings
from stream.errors import UsageError
from tests.ingest.misbehaving import Peer, Script, Server, answer

SETTINGS = IngestSettings(allow_networks=["127.0.0.0/8"], deadline=5)
SHORT = SETTINGS.model_copy(update={"deadline": 0.25})
PAGE = answer(body=b"body")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    made = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    made.cert_pem.write_to_path(str(path))
    return made, path


def _tls(ca: trustme.CA, *names: str, expires: datetime | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(*names, not_after=expires).configure_cert(context)
    return context


def _fetch(
    settings: IngestSettings, script: Script | bytes, tls: ssl.SSLContext | None, host: str
) -> tuple[Fetched | NotModified | FetchError, Server]:
    async def main() -> tuple[Fetched | NotModified | FetchError, Server]:
        async with Server(script, tls) as server:
            async with Fetcher(settings) as fetcher:
                found = await fetcher.fetch(server.url(host=host))
            async with asyncio.timeout(5):
                await server.left()
            return found, server

    return asyncio.run(main())


def test_a_certificate_that_nobody_vouches_for_is_refused(
    authority: tuple[trustme.CA, Path],
) -> None:
    found, server = _fetch(SETTINGS, PAGE, _tls(authority[0], "127.0.0.1"), "127.0.0.1")
    assert isinstance(found, FetchError)
    assert (found.kind, "ca_file" in found.sentence) == ("tls", True)
    assert server.requests == []


def test_an_operators_own_authority_is_believed(authority: tuple[trustme.CA, Path]) -> None:
    own = SETTINGS.model_copy(update={"ca_file": authority[1]})
    found, _ = _fetch(own, PAGE, _tls(authority[0], "127.0.0.1"), "127.0.0.1")
    assert isinstance(found, Fetched)


@pytest.mark.parametrize(
    ("names", "expires"),
    [(("other.example",), None), (("127.0.0.1",), datetime(2020, 1, 1, tzinfo=UTC))],
    ids=["another name", "expired"],
)
def test_a_wrong_certificate_is_refused_and_not_tried_without_tls(
    authority: tuple[trustme.CA, Path], names: tuple[str, ...], expires: datetime | None
) -> None:
    own = SETTINGS.model_copy(update={"ca_file": authority[1]})
    found, server = _fetch(own, PAGE, _tls(authority[0], *names, expires=expires), "127.0.0.1")
    assert isinstance(found, FetchError)
    assert found.kind == "tls"
    assert server.requests == []


def test_an_authority_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    for name in ("missing.pem", "empty.pem"):

        async def main(path: Path = tmp_path / name) -> None:
            async with Fetcher(SETTINGS.model_copy(update={"ca_file": path})):
                pass

        with pytest.raises(UsageError, match="ca_file"):
            asyncio.run(main())


async def _silence(peer: Peer) -> None:
    await peer.hang()


async def _slowly(peer: Peer) -> None:
    await peer.drip(b"\x16\x03\x03\x00\x7a\x02" + bytes(1000))


async def _noise(peer: Peer) -> None:
    await peer.say(b"HTTP/1.1 400 This is no TLS\r\n\r\n")


@pytest.mark.parametrize(
    ("script", "kinds"),
    [(_silence, {"timeout"}), (_slowly, {"timeout"}), (_noise, {"tls", "connection"})],
)
def test_a_handshake_that_never_ends_meets_the_deadline(script: Script, kinds: set[str]) -> None:
    async def main() -> None:
        async with Server(script) as server:
            async with Fetcher(SHORT) as fetcher:
                found = await fetcher.fetch(server.url().replace("http:", "https:"))
            assert isinstance(found, FetchError)
            assert found.kind in kinds
            async with asyncio.timeout(5):
                await server.left()

    asyncio.run(main())


def test_name_servers_that_never_answer_meet_the_deadline_and_hold_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()
    ask = socket.getaddrinfo

    def lookup(host: str, *rest: Any) -> Any:
        if "slow" in host:
            answered.wait(20)
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return ask("127.0.0.1", *rest)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)

    async def main() -> None:
        # Time for one quick answer on a busy machine; the slow ones use it up.
        many = SETTINGS.model_copy(update={"concurrency": 60, "deadline": 1.5})
        async with Server(PAGE) as server, Fetcher(many) as fetcher:
            slow = [fetcher.fetch(f"http://slow-{n}.example:1/") for n in range(50)]
            waiting = [asyncio.create_task(each) for each in slow]
            await asyncio.sleep(0)
            found = await fetcher.fetch(server.url(host="quick.example"))
            assert isinstance(found, Fetched)
            late = await asyncio.gather(*waiting)
            assert {f.kind for f in late if isinstance(f, FetchError)} == {"timeout"}
            assert len(late) == 50

    try:
        asyncio.run(main())
    finally:
        answered.set()


# -- through a proxy -------------------------------------------------------------------------------


def _through(server: Server, host: str = "127.0.0.1", **more: Any) -> IngestSettings:
    url = f"http://me:s3cret%40@{host}:{server.port}"
    return IngestSettings(deadline=5, proxy=SecretStr(url), **more)


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a firewall: this machine resolves nothing but itself."""
    ask = socket.getaddrinfo

    def lookup(host: str, *rest: Any) -> Any:
        if host.endswith((".example", ".internal")) or "." not in host:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return ask(host, *rest)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@pytest.mark.usefixtures("no_names")
def test_a_proxy_is_asked_with_its_password_and_the_whole_url() -> None:
    async def main() -> None:
        async with Server(PAGE) as server, Fetcher(_through(server)) as fetcher:
            found = await fetcher.fetch("http://news.example/feed?a=b")
            assert isinstance(found, Fetched)
            head = server.requests[0].decode()
            assert head.startswith("GET http://news.example/feed?a=b HTTP/1.1\r\n")
            assert "Proxy-Authorization: Basic bWU6czNjcmV0QA==" in head
            assert found.final_url == "http://news.example/feed?a=b"

    asyncio.run(main())


@pytest.mark.usefixtures("no_names")
def test_https_goes_through_a_tunnel_and_the_certificate_is_checked_at_its_end(
    authority: tuple[trustme.CA, Path],
) -> None:
    async def main() -> None:
        tls = _tls(authority[0], "news.example")
        async with Server(PAGE, tls) as publisher:

            async def tunnel(peer: Peer) -> None:
                await peer.asked()
                reader, writer = await asyncio.open_connection("127.0.0.1", publisher.port)
                await peer.say(b"HTTP/1.1 200 Connected\r\n\r\n")
                there = asyncio.create_task(_pump(peer.reader, writer))
                await _pump(reader, peer.writer)
                await there

            async with Server(tunnel) as proxy:
                for trusted in (True, False):
                    more = {"ca_file": authority[1]} if trusted else {}
                    async with Fetcher(_through(proxy, **more)) as fetcher:
                        found = await fetcher.fetch("https://news.example/feed")
                    if trusted:
                        assert isinstance(found, Fetched), found
                        assert found.body == b"body"
                    else:
                        assert isinstance(found, FetchError)
                        assert found.kind == "tls"
                assert proxy.requests[0].startswith(b"CONNECT news.example:443 HTTP/1.1\r\n")
                assert b"Proxy-Authorization: Basic" in proxy.requests[0]
            assert len(publisher.requests) == 1
            assert b"Proxy-Authorization" not in publisher.requests[0]

    asyncio.run(main())


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@pytest.mark.usefixtures("no_names")
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://169.254.169.254/", "http://[::1]/", "http://0x7f.1/",
        "http://2130706433/", "http://①②⑦.⓪.⓪.①/", "http://[64:ff9b::7f00:1]/", "http://intranet/",
        "https://127.0.0.1/", "http://metadata.google.internal/", "http://METADATA.google.internal./",
    ],
)  # fmt: skip
def test_a_proxy_is_not_asked_for_private_addresses(url: str) -> None:
    async def main() -> None:
        async with Server(PAGE) as server, Fetcher(_through(server)) as fetcher:
            found = await fetcher.fetch(url)
            assert isinstance(found, FetchError)
            assert found.kind == "address"
            assert server.connections == 0

    asyncio.run(main())


def test_a_name_with_any_private_address_is_not_asked_of_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = socket.getaddrinfo

    def lookup(host: str, port: int, *rest: Any) -> Any:
        if host == "mixed.example":  # which of the two the proxy would take cannot be known
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port))
                for a in ("93.184.216.34", "10.0.0.1")
            ]
        return ask(host, port, *rest)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)

    async def main() -> None:
        async with Server(PAGE) as server, Fetcher(_through(server)) as fetcher:
            found = await fetcher.fetch("http://mixed.example/")
            assert isinstance(found, FetchError)
            assert found.kind == "address"
            assert server.connections == 0

    asyncio.run(main())


@pytest.mark.usefixtures("no_names")
@pytest.mark.parametrize("url", ["http://news.example/", "https://news.example/"])
@pytest.mark.parametrize(
    "reply",
    [answer(status="407 Who are you"), b"", answer(status="502 Bad"), b"nonsense\r\n\r\n"],
)
def test_a_proxys_errors_never_show_its_password(url: str, reply: bytes) -> None:
    async def main() -> None:
        async with Server(reply) as server:
            async with Fetcher(_through(server)) as fetcher:
                found = await fetcher.fetch(url)
            assert isinstance(found, FetchError)
            assert "s3cret" not in found.sentence
            async with asyncio.timeout(5):
                await server.left()

    asyncio.run(main())


def test_a_proxy_that_is_not_there_is_named_as_the_cause() -> None:
    settings = IngestSettings(deadline=5, proxy=SecretStr("http://me:s3cret@127.0.0.1:1"))

    async def main() -> None:
        async with Fetcher(settings) as fetcher:
            found = await fetcher.fetch("http://93.184.216.34/")
        assert isinstance(found, FetchError)
        assert (found.kind, "s3cret" in found.sentence) == ("proxy", False)

    asyncio.run(main())


@pytest.mark.parametrize(
    "url", ["socks5://me:s3cret@h:1", "me:s3cret@h", "http://", "http://[s3cret"]
)
def test_a_proxy_that_cannot_be_one_is_a_usage_error_without_its_password(url: str) -> None:
    with pytest.raises(UsageError, match=r"ingest\.proxy") as caught:
        Fetcher(IngestSettings(proxy=SecretStr(url)))
    assert "s3cret" not in str(caught.value)


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    found, server = _fetch(SETTINGS, PAGE, None, "127.0.0.1")
    assert isinstance(found, Fetched)
    assert len(server.requests) == 1
