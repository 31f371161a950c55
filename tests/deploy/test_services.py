"""Every service of compose.yaml as a process, on a real broker and a real PostgreSQL."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from dateline.broker import PackagedBroker
from tests.deploy import composed

# Two about one registered event, from two outlets' wordings, and one about something else.
FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Harbour Post</title><link>http://harbour.example/</link>
<item><guid>a1</guid><link>http://harbour.example/a1</link>
<title>Trump and Kim Jong Un sign joint statement at Singapore summit</title>
<description>Donald Trump and Kim Jong Un met at the Capella hotel on Sentosa in Singapore on
Tuesday and signed a statement on the denuclearisation of the Korean peninsula. It was the first
meeting of a sitting United States president and a leader of North Korea.</description>
<pubDate>Tue, 12 Jun 2018 09:00:00 GMT</pubDate></item>
<item><guid>a2</guid><link>http://harbour.example/a2</link>
<title>Singapore counts the cost of hosting the Trump–Kim summit</title>
<description>Security around Sentosa and the Capella hotel was tight as Singapore received Donald
Trump and Kim Jong Un for their summit on denuclearisation.</description>
<pubDate>Wed, 13 Jun 2018 07:30:00 GMT</pubDate></item>
<item><guid>a3</guid><link>http://harbour.example/a3</link>
<title>Late frost halves the cherry harvest in the valley</title>
<description>Growers say that two nights of frost in spring destroyed half of the blossom, and
that prices at the markets will rise.</description>
<pubDate>Wed, 13 Jun 2018 10:00:00 GMT</pubDate></item>
</channel></rss>"""


class _Publisher(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = FEED.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/rss+xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def feed() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Publisher)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/feed.xml"
    server.shutdown()
    server.server_close()


@pytest.fixture
def host(tmp_path: Path, postgres_url: str) -> Iterator[composed.Host]:
    with PackagedBroker() as broker:  # of its own: the services use the topics' real names
        made = composed.Host(
            tmp_path,
            broker.bootstrap,
            postgres_url,
            # The feed of this test is on loopback, which is never polled otherwise.
            {"DATELINE_INGEST__ALLOW_NETWORKS": '["127.0.0.0/8"]'},
        )
        try:
            yield made
        finally:
            made.kill()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_service_of_compose_runs_as_a_process(host: composed.Host, feed: str) -> None:
    ours = [n for n in composed.in_order(host.services) if n not in composed.SERVERS]
    tasks = [n for n in ours if composed.is_task(host.services[n])]
    stages = [n for n in ours if n not in tasks]
    for name in tasks:
        host.run(name)
    host.run("ingest", ["feeds", "add", feed])

    for name in stages:
        host.start(name)
    for name in stages:
        host.wait_ready(name)

    engine = sa.create_engine(host.postgres, poolclass=sa.NullPool)

    def rows(query: str) -> list[tuple[object, ...]]:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    placed = "SELECT article_id FROM v_story_articles"
    matched = "SELECT article_id FROM v_matches WHERE matched AND event_id LIKE '%singapore%'"
    sent = "SELECT DISTINCT channel FROM v_deliveries WHERE state = 'sent' ORDER BY channel"
    _until(lambda: len(rows(placed)) == 3, host, "three articles in v_story_articles")
    _until(lambda: len(rows(matched)) == 2, host, "two matches of the Singapore summit")
    _until(lambda: rows(sent) == [("atom",), ("console",)], host, "an alert on both channels")
    assert list((host.folder / "volumes" / "alerts").glob("*singapore*"))
    with urllib.request.urlopen(f"http://127.0.0.1:{host.desk_port}/", timeout=30) as page:
        assert "Singapore" in page.read().decode()

    codes = host.stop()
    assert codes == dict.fromkeys(stages, 0), _outputs(host)
    for name in ours:
        assert not host.unmounted(name).exists(), f"{name} wrote where it has no volume"


def _until(true: Callable[[], bool], host: composed.Host, what: str) -> None:
    deadline = time.monotonic() + composed.READY_S
    while not true():
        for name, process in host.processes.items():
            code = process.poll()
            assert code is None, f"{name} ended with {code}:\n{host.said(name).read_text()}"
        assert time.monotonic() < deadline, f"waited in vain for {what}\n{_outputs(host)}"
        time.sleep(0.2)


def _outputs(host: composed.Host) -> str:
    return "\n".join(f"--- {n}\n{host.said(n).read_text()[-1500:]}" for n in host.processes)
