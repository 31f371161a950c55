"""What every Kafka connection shares: address, security, time limits, and what errors mean."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from kafka import TopicPartition
from kafka import errors as kafka_errors

from stream.errors import (
    BadRecord,
    DatelineError,
    LogChanged,
    PartitionsLost,
    Unavailable,
    UsageError,
)
from stream.log.contract import LogRecord, Partition
from stream.log.keys import missing_topic
from stream.records import MAX_RECORD_BYTES

# A broker refuses by the size of the batch on the wire: the record plus key, headers and frame.
MAX_BATCH_BYTES = MAX_RECORD_BYTES + 64 * 1024
# A broker that takes longer to say hello, or to answer, is away: the stage loop waits and retries.
CONNECT_S = 8.0
ANSWER_S = 10.0
# What one fetch may bring: a few of the largest records, thousands of usual ones.
FETCH_BYTES = 16 * 1024 * 1024
PARTITION_BYTES = 4 * 1024 * 1024

# The client writes a line at every attempt while a broker is away. What matters is raised, and the
# stage loop says it once.
logging.getLogger("kafka").setLevel(logging.CRITICAL)

_LOST = (
    kafka_errors.CommitFailedError,
    kafka_errors.RebalanceInProgressError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
    kafka_errors.FencedInstanceIdError,
)
_TOO_LARGE = (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError)
_SHORTENED = (kafka_errors.OffsetOutOfRangeError, kafka_errors.LogTruncationError)
_REFUSED = (
    kafka_errors.AuthorizationError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.IllegalSaslStateError,
)
_WRONG = (kafka_errors.KafkaConfigurationError, kafka_errors.UnsupportedVersionError)


class Address:
    """One cluster: the options of every client, and its errors in Dateline's words."""

    def __init__(self, bootstrap: str, security: Mapping[str, Any]) -> None:
        self.bootstrap = bootstrap
        self.options: dict[str, Any] = {
            "bootstrap_servers": bootstrap.split(","),
            "bootstrap_timeout_ms": int(CONNECT_S * 1000),
            "request_timeout_ms": int(ANSWER_S * 1000),
            # The default waits up to half a minute between attempts; a restarted broker is back
            # within seconds, and an attempt costs nothing.
            "reconnect_backoff_max_ms": 2000,
            **{name: value for name, value in security.items() if value is not None},
        }

    @contextmanager
    def errors(self, topic: str | None = None) -> Iterator[None]:
        try:
            yield
        except kafka_errors.KafkaError as error:
            raise self._meaning(error, topic) from error
        except OSError as error:  # unknown host, unreadable certificate
            raise Unavailable(
                f"no connection to the broker at {self.bootstrap} ({error})"
            ) from error

    def _meaning(self, error: kafka_errors.KafkaError, topic: str | None) -> DatelineError:
        what = str(error)  # begins with the name of the error
        if isinstance(error, _LOST):
            return PartitionsLost(f"the group has moved on ({what}); the batch is done again")
        if isinstance(error, _SHORTENED):
            return LogChanged(
                f"the position is no longer in the log ({what}): it was shortened or made again; "
                "restore it, or rebuild from it with an empty database"
            )
        if isinstance(error, kafka_errors.UnknownTopicOrPartitionError):
            return missing_topic(topic or "?", self.where)
        if isinstance(error, _TOO_LARGE):
            return BadRecord(
                f"the broker at {self.bootstrap} refuses a record for its size ({what}); "
                f"raise max.message.bytes of the topic to {MAX_BATCH_BYTES}"
            )
        if isinstance(error, _REFUSED):
            return UsageError(f"the broker at {self.bootstrap} refuses us ({what}); check security")
        if isinstance(error, _WRONG):
            return UsageError(f"the broker at {self.bootstrap} cannot be used so ({what})")
        return Unavailable(
            f"the broker at {self.bootstrap} does not answer ({what}); "
            f"check that it runs and that its address is right{self._secured}"
        )

    @property
    def _secured(self) -> str:
        """A client that is not let in cannot tell from one that is not heard."""
        if self.options.get("security_protocol", "PLAINTEXT") == "PLAINTEXT":
            return ""
        return ", and that it takes our certificates, user and password"

    @property
    def where(self) -> str:
        return f"the broker at {self.bootstrap}"


def kafka_partition(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.number)


def made_again(topic: str, group: str | None = None) -> LogChanged:
    stage = group.removeprefix("dateline.") if group else "STAGE"
    return LogChanged(
        f"topic {topic} was deleted and made again while it was read; bring the old one back, or "
        f"run `dateline offsets reset {stage} --to start` to go on with the new one (the database: "
        "`dateline db rebuild` into an empty one)"
    )


def log_record(record: Any) -> LogRecord:
    headers: Mapping[str, bytes] = {name: value or b"" for name, value in record.headers}
    return LogRecord(
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value or b"",
        headers,
        datetime.fromtimestamp(max(0, record.timestamp) / 1000, UTC),
    )
