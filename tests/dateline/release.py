"""`python -m tests.dateline.release older|newer LOG DATABASE STATE STAGE`: a real stage, writing
what a release before or after this one would: without the optional fields that came after the
first release, or with a field in each record that this one does not know. Ends at SIGTERM."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import msgspec
from msgspec import Struct

from processors.match.settings import MatchSettings
from processors.match.stage import MatchStage
from sinks.alerts.policy import AlertPolicy
from sinks.database.stage import DatabaseSink
from store.engine import open_database
from stream import records
from stream.log.sqlite import SqliteLog
from stream.records import Decision, Matched, Placed
from stream.stage import Loop, Stage
from stream.telemetry import configure_logs
from tests.processors.cluster_world import settings
from tests.sinks.world import OUTLETS

LATER = b',"of_the_next_release":{"why":["because"],"n":1}}'
_encode = records.encode


def newer(record: Struct) -> bytes:
    return _encode(record)[:-1] + LATER


def older(record: Struct) -> bytes:
    replace = msgspec.structs.replace
    if isinstance(record, Placed):
        changes = [replace(change, continues=None) for change in record.changes]
        record = replace(record, considered=[], changes=changes)
    elif isinstance(record, Matched):
        record = replace(record, decisions=[_without(one) for one in record.decisions])
    return _encode(record)


def _without(decision: Decision) -> Decision:
    signals = [msgspec.structs.replace(signal, room=0.0) for signal in decision.signals]
    return msgspec.structs.replace(decision, gap=0.0, signals=signals)


def main(release: str, log: str, database: str, state: str, name: str) -> None:
    configure_logs("warning", json_lines=True)
    records.encode = newer if release == "newer" else older
    made: Stage
    if name == "cluster":
        from processors.cluster.stage import ClusterStage

        made = ClusterStage(settings(snapshot_every=10), Path(state))
    elif name == "match":
        made = MatchStage(MatchSettings(uncalibrated=True))
    else:
        made = DatabaseSink(open_database(database), AlertPolicy(["console"]), OUTLETS)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    loop = Loop(made, SqliteLog(log))
    loop.BATCH = 8
    loop.run(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
