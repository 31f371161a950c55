"""Near the end of the disk ingest stops, says so, and goes on when there is room again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from structlog.testing import capture_logs

from ingest import feeds
from ingest.archive import replay
from ingest.clock import WallClock
from ingest.polling.floor import Floor
from ingest.polling.poller import Poller
from stream.errors import Unavailable
from tests.ingest.world import World, item, rss, running
from tests.store.remembered import archive

MB = 1_000_000


class Disk:
    """The free bytes of the only disk, as the test says."""

    free = 10_000 * MB

    class Usage(NamedTuple):
        total: int
        used: int
        free: int

    def usage(self, _: object) -> Usage:
        return self.Usage(10_000 * MB, 0, self.free)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk()
    monkeypatch.setattr(shutil, "disk_usage", made.usage)
    monkeypatch.setattr("ingest.polling.floor._LOOK_S", 0.01)
    return made


def test_a_poller_stops_at_the_floor_says_so_and_goes_on(world: World, disk: Disk) -> None:
    """Faults of delivery: the disk runs full."""
    floor = Floor([Path("log.db")], 1000)
    poller = Poller(world.engine, world.log, world.settings, WallClock(), floor)

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def scenario() -> None:
        disk.free = 999 * MB
        world.site.pages |= {"/a": rss(item(1)), "/b": rss(item(2))}
        now = WallClock().now()
        feeds.add(world.engine, world.site.url("/a"), now=now)
        stop = asyncio.Event()
        task = asyncio.create_task(poller.run(stop))
        await until(lambda: poller.problem() is not None)
        feeds.add(world.engine, world.site.url("/b"), now=now)  # noticed, and not asked
        await until(lambda: len(poller._agenda) == 2)
        assert world.site.requests == []
        assert "999 MB free, under log.disk_floor_mb (1,000)" in str(poller.problem())
        disk.free = 1_050 * MB  # at the edge it does not go on yet
        await asyncio.sleep(0.05)
        assert poller.problem() is not None
        disk.free = 1_101 * MB
        await until(lambda: len(world.articles()) == 2)
        assert poller.problem() is None
        stop.set()
        await task

    with capture_logs() as logs:
        running(scenario, world)
    said = [line["event"] for line in logs if line["event"].startswith("ingest.disk")]
    assert said == ["ingest.disk_floor", "ingest.disk_room"]


def test_a_replay_ends_at_the_floor_and_goes_on_where_it_stopped(
    world: World, disk: Disk, tmp_path: Path
) -> None:
    floor, path = Floor([tmp_path / "log.db"], 1000), archive(tmp_path)
    disk.free = 10 * MB
    with pytest.raises(Unavailable, match=r"10 MB free, .* free some or lower the floor"):
        replay(path, world.log, world.engine, floor=floor)
    assert world.articles() == []
    disk.free = 2_000 * MB
    assert replay(path, world.log, world.engine, floor=floor).stored == 3
    assert len(world.articles()) == 4
