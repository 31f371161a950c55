"""Brokers for tests: real ones, on loopback, ended by the test."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from dateline.broker import PackagedBroker

# host:port of an Apache Kafka to test against instead of the packaged broker.
NAMED = os.environ.get("DATELINE_TEST_KAFKA")
# The assignor that the suite of the log is to be run with.
ASSIGNOR = os.environ.get("DATELINE_TEST_ASSIGNOR", "range")
_BUCKET = "dateline"


class DurableBroker(PackagedBroker):
    """A packaged broker that survives kill -9: it keeps everything in a loopback S3 server, which
    goes on while the broker is down. `advertised`: see there."""

    def __init__(self, advertised: str | None = None) -> None:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for every request
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        url = f"http://{host}:{port}"
        self._make_bucket(url)
        super().__init__(
            advertised=advertised,
            storage=f"s3://{_BUCKET}/",
            environment={
                "AWS_ENDPOINT": url,
                "AWS_ENDPOINT_URL": url,
                "AWS_ALLOW_HTTP": "true",
                "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            },
        )

    def close(self) -> None:
        self.stop()
        self._server.stop()

    @staticmethod
    def _make_bucket(url: str) -> None:
        import boto3

        boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        ).create_bucket(Bucket=_BUCKET)


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """`host:port` of a broker that everything in this session shares: use topics of your own."""
    if NAMED:
        yield NAMED
        return
    with PackagedBroker() as started:
        yield started.bootstrap


@pytest.fixture
def durable_broker() -> Iterator[DurableBroker]:
    """A broker that a test may kill and start again."""
    durable = DurableBroker()
    try:
        durable.start()
        yield durable
    finally:
        durable.close()
