"""Appending to Kafka: acknowledged by all replicas, without duplicates from retries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaProducer

from stream.errors import DatelineError
from stream.log.kafka_client import ANSWER_S, MAX_BATCH_BYTES, Address
from stream.log.keys import Chooser, check_size

# Records of one partition that travel together. Batches of many records are what makes the client
# fast (27 k records/s against 0.8 k); a quarter of a record's limit always fits a request.
BATCH_BYTES = 256 * 1024
# How long a lone record waits for company when nobody flushes.
LINGER_MS = 5
# A broker's fail-over takes about ten seconds; what is not stored by then is Unavailable.
DELIVERY_S = 30.0


class KafkaSender:
    """Implements `stream.log.contract.Producer`. After any error the next send connects anew:
    an idempotent producer that has failed cannot know what became of its sequence."""

    def __init__(self, address: Address, partitions: Callable[[str], int]) -> None:
        self._address, self._partitions_of = address, partitions
        self._counts: dict[str, int] = {}
        self._chooser = Chooser()
        self._client: Any = None
        self._waiting: list[Any] = []
        self._closed = False
        self._connect()

    def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        check_size(topic, value)
        if topic not in self._counts:
            self._counts[topic] = self._partitions_of(topic)
        number = self._chooser.choose(topic, self._counts[topic], key, partition)
        with self._fresh_after_error(topic):
            self._connect()
            self._waiting.append(
                self._client.send(
                    topic, value, key=key, partition=number, headers=list((headers or {}).items())
                )
            )

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        with self._fresh_after_error():
            self._client.flush(timeout=DELIVERY_S + ANSWER_S)
            for future in waiting:
                future.get(timeout=0)  # raises what happened to this record

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
        finally:
            self._drop()

    def _connect(self) -> None:
        if self._client is not None:
            return
        with self._address.errors():
            self._client = KafkaProducer(
                **self._address.options,
                metrics_enabled=False,
                acks="all",
                enable_idempotence=True,
                compression_type="gzip",  # news text shrinks to a third; needs no other package
                allow_auto_create_topics=False,
                max_request_size=MAX_BATCH_BYTES,
                batch_size=BATCH_BYTES,
                linger_ms=LINGER_MS,
                delivery_timeout_ms=int(DELIVERY_S * 1000),
                max_block_ms=int(ANSWER_S * 1000),
            )

    @contextmanager
    def _fresh_after_error(self, topic: str | None = None) -> Iterator[None]:
        try:
            with self._address.errors(topic):
                yield
        except DatelineError:
            self._waiting = []
            self._drop()
            raise

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=0)
