"""What analysts say back: records on the log, which the database stage writes down."""

from __future__ import annotations

from dateline import app
from dateline.config import Settings
from stream import records
from stream.records import AlertAck, Verdict


def give(settings: Settings, answer: Verdict | AlertAck) -> None:
    """Append it; of several about the same thing the last counts."""
    about = answer.alert_id if isinstance(answer, AlertAck) else answer.event_id
    log = app.open_log(settings)
    try:
        producer = log.producer()
        producer.send(records.VERDICTS, records.encode(answer), key=about.encode(), partition=0)
        producer.close()
    finally:
        log.close()
