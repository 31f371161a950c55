"""An archive into a pipeline that runs: as fast as it is worked off, and no faster.

The lanes part behind the embedders only; before them live news and backfill share a topic, so what
of an archive waits there is kept short. Behind them backfill gives way (`stream.stage`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from stream.log.contract import Log, Partition
from stream.records import ARTICLES

# A batch of the embedder, 5 s of work on two cores: an article of today that comes in between
# waits so much longer. While more wait, live or not, nothing is added.
MOST_WAITING = 256
_LOOK_S = 0.5


def pace(log: Log, group: str = "dateline.embed") -> Callable[[], None]:
    """To be called before each portion: returns once the embedders have nearly nothing to do."""
    partitions = [Partition(ARTICLES, number) for number in range(log.partitions(ARTICLES))]

    def waiting() -> int:
        total = 0
        for partition in partitions:
            first, after = log.bounds(partition)
            total += after - max(first, log.committed(group, partition) or 0)
        return total

    def wait() -> None:
        while waiting() > MOST_WAITING:
            time.sleep(_LOOK_S)

    return wait
