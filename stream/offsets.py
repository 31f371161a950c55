"""Where a time stands in the log."""

from __future__ import annotations

from datetime import datetime

from stream.log.contract import Log, Partition


def at_time(log: Log, partition: Partition, time: datetime) -> int:
    """The offset of the first record that the log took at `time` or later, else its end.

    Found by halving with single reads: brokers differ in how they answer the direct question.
    """
    low, high = log.bounds(partition)
    while low < high:
        middle = (low + high) // 2
        record = next(log.read(partition, middle, middle + 1), None)
        if record is not None and record.time >= time:
            high = middle
        else:
            low = middle + 1
    return low
