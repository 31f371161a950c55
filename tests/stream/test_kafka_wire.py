"""What Kafka clients put on the wire: encrypted when told to, small, and by whom they are told."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from dateline import app
from dateline.broker import PackagedBroker
from dateline.config import load
from stream.errors import DatelineError
from stream.log import kafka_client
from stream.log.contract import Log, Partition, Topic
from stream.log.kafka import KafkaLog
from tests.stream.tls import TlsFront
from tests.stream.transports import SESSION_S, append, take

Front = Callable[..., TlsFront]


@pytest.fixture
def front() -> Iterator[Front]:
    """Starts a broker behind a front, which it tells its clients to use."""
    with ExitStack() as stack:

        def start(
            context: ssl.SSLContext | None, users: Mapping[str, str] | None = None
        ) -> TlsFront:
            made = TlsFront(context, users)
            stack.callback(made.close)
            broker = stack.enter_context(PackagedBroker(advertised=made.address))
            made.target = int(broker.bootstrap.rsplit(":", 1)[1])
            return made

        yield start


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, *, asks: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    if asks:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_everything_goes_through_tls_with_a_certificate_of_our_own(
    front: Front, authority: trustme.CA, tmp_path: Path
) -> None:
    ca, mine = tmp_path / "ca.pem", authority.issue_cert("dateline.example")
    authority.cert_pem.write_to_path(ca)
    mine.private_key_pem.write_to_path(tmp_path / "key.pem")
    mine.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    behind = front(server_side(authority, asks=True))
    settings = load(
        None,
        {
            "log.url": f"kafka://{behind.address}",
            "log.security_protocol": "SSL",
            "log.ssl_cafile": str(ca),
            "log.ssl_certfile": str(tmp_path / "cert.pem"),
            "log.ssl_keyfile": str(tmp_path / "key.pem"),
        },
        {},
    )
    log = app.open_log(settings)
    log.create_topics([Topic("t", 1, None)])
    append(log, "t", [b"a", b"b"])
    member = log.consumer("g", ["t"])
    assert [record.value for record in take(member, 2)] == [b"a", b"b"]
    member.commit({Partition("t", 0): 2})
    member.close()
    assert log.committed("g", Partition("t", 0)) == 2
    assert [record.value for record in log.follow(["t"]).poll()] == [b"a", b"b"]
    log.close()


@pytest.mark.parametrize("trusts", ["another authority", "nobody's certificate"])
def test_a_broker_or_a_client_that_cannot_be_trusted_is_refused(
    front: Front,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trusts: str,
) -> None:
    monkeypatch.setattr(kafka_client, "CONNECT_S", 0.5)
    ca = tmp_path / "ca.pem"
    known = trustme.CA() if trusts == "another authority" else authority
    known.cert_pem.write_to_path(ca)
    behind = front(server_side(authority, asks=trusts == "nobody's certificate"))
    log = KafkaLog(behind.address, security_protocol="SSL", ssl_cafile=str(ca))
    with pytest.raises(DatelineError, match=behind.address):
        log.create_topics([Topic("t", 1, None)])
    log.close()


def signed_in(address: str, ca: Path, password: str) -> Log:
    flags = {
        "log.url": f"kafka://{address}",
        "log.security_protocol": "SASL_SSL",
        "log.sasl_mechanism": "PLAIN",
        "log.sasl_username": "ada",
        "log.sasl_password": password,
        "log.ssl_cafile": str(ca),
    }
    return app.open_log(load(None, flags, {}))


def test_a_user_signs_in_with_the_password_and_with_no_other(
    front: Front, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    behind = front(server_side(authority), {"ada": "swordfish"})
    log = signed_in(behind.address, ca, "swordfish")
    log.create_topics([Topic("t", 1, None)])
    append(log, "t", [b"a"])
    member = log.consumer("g", ["t"])
    assert [record.value for record in take(member, 1)] == [b"a"]
    member.close()
    log.close()
    monkeypatch.setattr(kafka_client, "CONNECT_S", 1.0)
    log = signed_in(behind.address, ca, "guessed")
    with pytest.raises(DatelineError, match=r"our certificates, user and password") as told:
        log.create_topics([Topic("u", 1, None)])
    assert "guessed" not in str(told.value)
    log.close()


def test_texts_are_compressed(front: Front) -> None:
    behind = front(None)
    log = KafkaLog(behind.address, session_s=SESSION_S)
    log.create_topics([Topic("t", 1, None)])
    before = behind.sent
    text = b"Rescue boats brought all passengers to the harbour by midnight. " * 500
    append(log, "t", [text + b"%d" % n for n in range(40)])
    assert behind.sent - before < len(text) * 40 / 10
    assert len(list(log.read(Partition("t", 0)))) == 40
    log.close()


def test_the_settings_that_the_promises_rest_on() -> None:
    """Ours, whatever the client's defaults become."""
    with PackagedBroker() as broker:
        log = KafkaLog(broker.bootstrap, session_s=SESSION_S)
        log.create_topics([Topic("t", 1, None)])
        sender, member = log.producer(), log.consumer("g", ["t"])
        sending, reading = sender._client.config, member._client.config
        assert (sending["acks"], sending["enable_idempotence"]) == (-1, True)
        assert sending["allow_auto_create_topics"] is reading["allow_auto_create_topics"] is False
        assert (reading["auto_offset_reset"], reading["enable_auto_commit"]) == ("none", False)
        member.close()
        sender.close()
        log.close()
