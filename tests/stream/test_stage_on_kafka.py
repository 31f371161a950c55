"""The same loop on the other transport."""

from __future__ import annotations

from dateline.broker import PackagedBroker
from stream.log.contract import Partition
from stream.log.kafka import KafkaLog
from stream.records import AlertAck, Dead, decode, encode
from stream.stage import Loop, drain
from tests.stream.stages import DEAD, IN, OUT, TOPICS, WithTable, ack
from tests.stream.test_stage import Next
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
        assert len(again.looked_back[0]) == 21
        out = [decode(r.value, AlertAck).alert_id for r in log.read(Partition(OUT, 1))]
        assert out == [f"n{i}" for i in range(1, 20, 2)] + ["late"]
        log.close()
