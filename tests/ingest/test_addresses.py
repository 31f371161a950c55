"""Nothing that a feed says leads to an address that is not public."""

from __future__ import annotations

import asyncio
import re
import socket
from ipaddress import ip_network
from typing import Any

import pytest

from ingest.fetch.addresses import Rule, allowed
from ingest.fetch.fetcher import Fetched, Fetcher, FetchError, NotModified
from ingest.settings import IngestSettings
from tests.ingest.misbehaving import Peer, Server, answer

# :P is the port of a server that listens on every address of this machine.
FORBIDDEN = [
    # literals
    "http://127.0.0.1:P/", "http://127.0.0.2:P/", "http://127.255.255.254:P/",
    "http://0.0.0.0:P/", "http://10.0.0.1:P/", "http://172.16.0.1:P/", "http://192.168.1.1:P/",
    "http://169.254.169.254:P/latest/meta-data/", "http://169.254.170.2:P/v2/credentials",
    "http://100.100.100.200:P/latest/", "http://192.0.0.192:P/", "http://168.63.129.16:P/",
    "http://100.64.0.1:P/", "http://198.18.0.1:P/", "http://192.0.2.1:P/", "http://224.0.0.1:P/",
    "http://239.255.255.250:P/", "http://240.0.0.1:P/", "http://255.255.255.255:P/",
    # other spellings of 127.0.0.1
    "http://2130706433:P/", "http://0x7f000001:P/", "http://017700000001:P/",
    "http://0x7f.1:P/", "http://0x7f.0x0.0x0.0x1:P/", "http://0177.0.0.1:P/",
    "http://0177.0.0.01:P/", "http://127.1:P/", "http://127.0.1:P/", "http://0:P/",
    "http://00000177.1:P/", "http://127.0.0.1.:P/", "http://127.0.0.1..:P/",
    "http://①②⑦.⓪.⓪.①:P/", "http://１２７.０.０.１:P/", "http://127。0。0。1:P/",
    "http://0x7F．1:P/", "http://%31%32%37.0.0.1:P/", "http://127.0.0.%31:P/",
    "http://\t127.0.0.1:P/", "http://127.0.\n0.1:P/",
    # names
    "http://localhost:P/", "http://LOCALHOST:P/", "http://localhost.:P/", "http://LocalHost..:P/",
    "http://ｌｏｃａｌｈｏｓｔ:P/", "http://ⓛocalhost:P/",
    # around the host
    "http://public.example@127.0.0.1:P/", "http://public.example:80@127.0.0.1:P/",
    "http://public.example%2F@127.0.0.1:P/", "http://127.0.0.1:P@127.0.0.1:P/",
    "http://a@b@127.0.0.1:P/", "http://public.example\\@127.0.0.1:P/",
    "http://127.0.0.1:P\\@public.example/", "http:\\\\127.0.0.1:P/", "http:/127.0.0.1:P/",
    "http:127.0.0.1:P/", "http:///127.0.0.1:P/", "http://127.0.0.1:P#@public.example/",
    "http://127.0.0.1:P?@public.example/", "HTTP://127.0.0.1:P/", "https://127.0.0.1:P/",
    " http://127.0.0.1:P/", "\x00http://127.0.0.1:P/",
    # IPv6
    "http://[::1]:P/", "http://[0:0:0:0:0:0:0:1]:P/", "http://[::]:P/",
    "http://[::ffff:127.0.0.1]:P/", "http://[::ffff:7f00:1]:P/", "http://[::127.0.0.1]:P/",
    "http://[::ffff:0:127.0.0.1]:P/", "http://[64:ff9b::127.0.0.1]:P/",
    "http://[64:ff9b::7f00:1]:P/", "http://[64:ff9b:1::7f00:1]:P/", "http://[2002:7f00:1::]:P/",
    "http://[2001:0:7f00:1::]:P/", "http://[2001:470:1::5efe:7f00:1]:P/",
    "http://[2001:470:1::200:5efe:7f00:1]:P/", "http://[fe80::1]:P/", "http://[fe80::1%25lo]:P/",
    "http://[::1%25lo]:P/", "http://[fe80::5efe:7f00:1]:P/", "http://[fc00::1]:P/",
    "http://[fd00:ec2::254]:P/latest/", "http://[fd20:ce::254]:P/", "http://[fec0::1]:P/",
    "http://[ff02::1]:P/", "http://[100::1]:P/", "http://[2001:db8::1]:P/", "http://[3fff::1]:P/",
    "http://[5f00::1]:P/", "http://[4000::1]:P/", "http://[::ffff:169.254.169.254]:P/",
    # other ways than the web
    "file:///etc/passwd", "ftp://127.0.0.1:P/", "gopher://127.0.0.1:P/_GET%20/", "unix:///run/x",
    "http+unix://%2Frun%2Fdocker.sock/", "data:text/xml,<rss/>", "javascript:alert(1)",
    "dict://127.0.0.1:P/", "//127.0.0.1:P/", "", "127.0.0.1:P", "http://", "http://:P/",
    "http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:-1/", "http://[::1:P/",
]  # fmt: skip
STRICT = IngestSettings(deadline=5)
# The one address from which redirects are followed; every other is refused.
ONE = IngestSettings(deadline=5, allow_networks=["127.0.0.9/32"])


def test_there_are_many_forms() -> None:
    assert len(FORBIDDEN) == len(set(FORBIDDEN)) >= 100


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only names of this machine and numbers have an answer: these tests ask no name server."""
    ask = socket.getaddrinfo

    def only_here(host: str, *rest: Any) -> Any:
        if "example" in host:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return ask(host, *rest)

    monkeypatch.setattr(socket, "getaddrinfo", only_here)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("form", FORBIDDEN)
def test_no_form_of_a_forbidden_address_is_asked(form: str) -> None:
    async def main() -> None:
        async with Server(answer(body=b"secret")) as server, Fetcher(STRICT) as fetcher:
            found = await fetcher.fetch(form.replace(":P", f":{server.port}"))
            assert isinstance(found, FetchError)
            # A name that this machine does not have is a failed connection.
            assert found.kind in ("address", "url", "connection")
            assert found.kind != "connection" or re.search(r"ocal[hH]ost|%3|example", form), found
            assert (server.connections, server.requests) == (0, [])

    asyncio.run(main())


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("form", FORBIDDEN)
def test_no_redirect_leads_to_a_forbidden_address(form: str) -> None:
    async def main() -> None:
        async def redirect(peer: Peer) -> None:
            await peer.asked()
            to = form.replace(":P", f":{server.port}").replace("\n", "").replace("\x00", "")
            status = [301, 302, 303, 307, 308][len(form) % 5]
            await peer.say(answer(f"Location: {to}", status=f"{status} Elsewhere"))

        async with Server(redirect) as server, Fetcher(ONE) as fetcher:
            found = await fetcher.fetch(server.url(host="127.0.0.9"))
            assert isinstance(found, FetchError)
            # Some forms are relative to who redirects; then it, and nobody else, is asked.
            asked = {request.split(b"\r\n")[1] for request in server.requests}
            assert asked == {f"Host: 127.0.0.9:{server.port}".encode()}

    asyncio.run(main())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_kind_of_redirect_is_checked(status: int) -> None:
    async def main() -> None:
        async def redirect(peer: Peer) -> None:
            await peer.asked()
            await peer.say(answer(f"Location: {server.url()}", status=f"{status} Elsewhere"))

        async with Server(redirect) as server, Fetcher(ONE) as fetcher:
            found = await fetcher.fetch(server.url(host="127.0.0.9"))
            assert isinstance(found, FetchError)
            assert found.kind == "address"
            assert server.connections == 1

    asyncio.run(main())


def test_a_page_that_refreshes_elsewhere_is_not_followed() -> None:
    page = b'<meta http-equiv="refresh" content="0; url=http://127.0.0.1:1/">'

    async def main() -> None:
        script = answer("Refresh: 0; url=http://127.0.0.1:1/", body=page)
        async with Server(script) as server, Fetcher(ONE) as fetcher:
            found = await fetcher.fetch(server.url(host="127.0.0.9"))
        assert isinstance(found, Fetched)
        assert found.body == page
        assert len(server.requests) == 1

    asyncio.run(main())


def _answers(monkeypatch: pytest.MonkeyPatch, *turns: list[str]) -> list[str]:
    """Name servers that answer one thing now and another the next time. What was asked."""
    asked: list[str] = []

    def lookup(host: str, port: int, *rest: Any) -> list[Any]:
        turn = turns[min(len(asked), len(turns) - 1)]
        asked.append(host)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (a, port, 0, 0))
            if ":" in a
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port))
            for a in turn
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


def _fetch(
    settings: IngestSettings, host: str, times: int = 1
) -> tuple[list[Fetched | NotModified | FetchError], Server]:
    async def main() -> tuple[list[Fetched | NotModified | FetchError], Server]:
        async with Server(answer(body=b"secret")) as server:
            found = []
            for _ in range(times):
                async with Fetcher(settings) as fetcher:  # each time without a memory of names
                    found.append(await fetcher.fetch(server.url(host=host)))
            return found, server

    return asyncio.run(main())


# 203.0.113.1 is kept for documents: nothing answers there, so it stands for a public address that
# the rule lets through, and the test needs no network.
QUIET = IngestSettings(deadline=0.3, allow_networks=["203.0.113.0/24"])


def test_a_name_that_changes_between_two_questions_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = _answers(monkeypatch, ["203.0.113.1"], ["127.0.0.1"])
    found, server = _fetch(QUIET, "rebind.example", times=3)
    assert asked == ["rebind.example"] * 3  # once a connection: what was checked is connected to
    assert [f.kind for f in found[1:] if isinstance(f, FetchError)] == ["address"] * 2
    assert server.connections == 0


def test_a_cached_name_is_checked_again_at_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even an answer that got past the resolver does not become a connection."""
    _answers(monkeypatch, ["127.0.0.1"])

    async def main() -> None:
        async with Server(answer(body=b"secret")) as server, Fetcher(STRICT) as fetcher:
            connector = fetcher._session.connector
            connector._resolver._rule = None  # type: ignore[union-attr]
            found = await fetcher.fetch(server.url(host="rebind.example"))
            assert isinstance(found, FetchError)
            assert found.kind == "address"
            assert server.connections == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    "mixed",
    [
        ["203.0.113.1", "127.0.0.1"], ["127.0.0.1", "203.0.113.1"],
        ["203.0.113.1", "::1"], ["::1", "203.0.113.1", "::ffff:127.0.0.1", "127.0.0.1"],
    ],
)  # fmt: skip
def test_of_a_name_with_public_and_private_addresses_only_the_public_are_asked(
    monkeypatch: pytest.MonkeyPatch, mixed: list[str]
) -> None:
    _answers(monkeypatch, mixed)
    found, server = _fetch(QUIET, "mixed.example")
    assert isinstance(found[0], FetchError)
    assert server.connections == 0


def test_a_name_with_private_addresses_only_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _answers(monkeypatch, ["::1", "127.0.0.1", "127.0.0.2"])
    found, server = _fetch(STRICT, "inside.example")
    assert isinstance(found[0], FetchError)
    assert found[0].kind == "address"
    assert "inside.example" in found[0].sentence
    assert server.connections == 0


def test_an_operator_allows_a_network_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, ["127.0.0.1"])
    found, server = _fetch(IngestSettings(allow_networks=["127.0.0.0/8"]), "inside.example")
    assert isinstance(found[0], Fetched)
    assert len(server.requests) == 1


def test_ipv6_loopback_is_asked_only_when_it_is_allowed() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    found, _ = _fetch(IngestSettings(allow_networks=["::1/128"]), "[::1]")
    assert isinstance(found[0], Fetched)
    found, server = _fetch(IngestSettings(allow_networks=["127.0.0.0/8"]), "[::1]")
    assert isinstance(found[0], FetchError)
    assert server.connections == 0


def test_an_operator_refuses_a_network_that_looks_public() -> None:
    rule = Rule(
        [ip_network("10.0.0.0/8")], [ip_network("93.184.0.0/16"), ip_network("10.9.0.0/16")]
    )
    assert rule.permits("10.1.0.1")
    assert not rule.permits("10.9.0.1")
    assert not rule.permits("93.184.216.34")
    assert rule.permits("93.185.0.1")
    assert "refuse_networks" in str(rule.refusal("10.9.0.1", "inside.example"))
    assert "allow_networks" in str(rule.refusal("192.168.0.1"))


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.216.34", "172.32.0.1", "192.169.0.1", "100.128.0.1", "223.255.255.254",
     "2606:2800:220:1::1", "2a00:1450:4001::200e", "2001:470:1::1", "::ffff:93.184.216.34"],
)  # fmt: skip
def test_public_addresses_are_asked(address: str) -> None:
    assert allowed(address)
