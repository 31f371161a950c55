"""The same loop on the other transport."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from dateline.broker import PackagedBroker
from stream import batch
from stream.log.contract import LogRecord, Partition
from stream.log.kafka import KafkaLog
from stream.records import AlertAck, Dead, decode, encode
from stream.stage import Loop, Output, drain
from tests.stream.stages import DEAD, IN, OUT, TOPICS, Echo, Next, WithTable, ack
from tests.stream.transports import SESSION_S


def test_a_chain_of_stages_drains_and_goes_on_where_it_was() -> None:
    with PackagedBroker() as broker:
        log = KafkaLog(broker.bootstrap, session_s=SESSION_S)
        log.create_topics(TOPICS)
        producer = log.producer()
        for i in range(20):
            producer.send(IN, encode(ack(f"n{i}")), partition=i % 2)
        producer.send(IN, b"poison", partition=0)
        producer.flush()
        first, last = WithTable(), Next()
        loops = [Loop(first, log), Loop(last, log)]
        assert drain(loops) == 81, "21 records, 20 answers, 20 changes, an answer to each of those"
        assert sorted(first.known) == sorted(f"n{i}" for i in range(20))
        assert [loop.lag() for loop in loops] == [0, 0]
        for loop in loops:
            loop.close()
        (letter,) = [decode(record.value, Dead) for record in log.read(Partition(DEAD, 0))]
        assert (letter.topic, letter.partition, letter.offset) == (IN, 0, 10)
        producer.send(IN, encode(ack("late")), partition=1)
        producer.close()
        again = WithTable()
        loop = Loop(again, log)
        drain([loop])
        loop.close()
        assert [decode(b[0], AlertAck).alert_id for b in again.batches] == ["late"]
        assert sorted(again.looked_back[0]) == sorted(f"n{i}" for i in range(20)), "without poison"
        out = [decode(r.value, AlertAck).alert_id for r in log.read(Partition(OUT, 1))]
        assert out == [f"n{i}" for i in range(1, 20, 2)] + ["late"]
        log.close()


class Slow(Echo):
    """A fifth of a second for each record."""

    chunk = 1

    def process(self, records: Sequence[LogRecord]) -> list[Output]:
        threading.Event().wait(0.2)
        return super().process(records)


# The interval is longer than the session, as Kafka wants it.
INTERVAL_S = SESSION_S + 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("cut_s", "kept"), [(INTERVAL_S / 3, True), (60.0, False)])
def test_a_batch_beyond_the_poll_interval_is_cut_and_its_partitions_are_kept(
    monkeypatch: pytest.MonkeyPatch, cut_s: float, kept: bool
) -> None:
    monkeypatch.setattr(batch, "CUT_S", cut_s)
    names = [f"n{i}" for i in range(int(INTERVAL_S / 0.2) + 10)]
    with PackagedBroker() as broker:
        log = KafkaLog(broker.bootstrap, session_s=SESSION_S, poll_interval_s=INTERVAL_S)
        log.create_topics(TOPICS)
        producer = log.producer()
        for name in names:
            producer.send(IN, encode(ack(name)), partition=0)
        producer.close()
        stage = Slow()
        loop = Loop(stage, log)
        for _ in range(12):
            loop.step()
            done = log.committed(loop.group, Partition(IN, 0)) == len(names)
            if done or ("lost", Partition(IN, 0)) in stage.events:
                break
        starts = [what for what in stage.events if what[0] == "start"]
        lost = [what for what in stage.events if what[0] == "lost"]
        answers = [decode(r.value, AlertAck).alert_id for r in log.read(Partition(OUT, 0))]
        if kept:
            assert (len(starts), len(lost)) == (2, 0)
            assert answers == names, "each once"
        else:  # without the cut the group takes them for hung, and the batch is done again
            assert len(lost) > 0
        loop.close()
        log.close()
