"""Playing the sample world: real feeds over HTTP, real processes, a clock that runs fast."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import shutil
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO

from dateline import app, config, registry
from dateline.config import Settings
from dateline.demo import EXAMPLES
from dateline.demo.screen import Screen
from dateline.demo.server import SampleServer
from dateline.demo.world import World, read_world
from dateline.supervisor import Child, stop_all
from stream.errors import DatelineError, Unavailable, UsageError
from stream.log.contract import topics
from stream.telemetry import configure_logs

# Articles come at most a few a day, feeds list their last 25: asked weekly, nothing is missed,
# and two cores keep up with fifteen months in half a minute.
POLL_DAYS = 5
# After the last item the clock runs on, so that every feed is polled once more.
AFTERWARDS = timedelta(days=2 * POLL_DAYS)
# Loading the model takes 5 s, on a machine that does other work some times as long.
START_DEADLINE_S = 120.0
DRAIN_DEADLINE_S = 120.0
MARKER = ".dateline-demo"


def play(directory: Path, *, log: str, once: bool, seconds: float, port: int) -> int:
    """Run the demo in `directory` (made anew); the exit code."""
    if log not in ("sqlite", "kafka"):
        raise UsageError(f"--log: expected sqlite or kafka, got {log!r}")
    world = read_world(EXAMPLES / "world")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with contextlib.ExitStack() as cleanup:
        cleanup.enter_context(_fresh(directory))
        broker_url = None
        if log == "kafka":
            from dateline.broker import PackagedBroker

            broker_url = f"kafka://{cleanup.enter_context(PackagedBroker()).bootstrap}"
        settings = _configure(directory, broker_url, once, port)
        configure_logs(out=cleanup.enter_context((directory / "ingest.log").open("w")))
        screen = cleanup.enter_context(Screen(settings, world, directory, once=once))
        demo = _Demo(directory, settings, world, screen, stop, once, seconds, log == "kafka")
        return demo.run()


class _Demo:
    def __init__(
        self,
        directory: Path,
        settings: Settings,
        world: World,
        screen: Screen,
        stop: threading.Event,
        once: bool,
        seconds: float,
        kafka: bool,
    ) -> None:
        self.directory, self.settings, self.world = directory, settings, world
        self.screen, self.stop, self.once, self.seconds = screen, stop, once, seconds
        self.kafka = kafka
        self.children: list[Child] = []

    def run(self) -> int:
        app.open_engine(self.settings, upgrade=True).dispose()
        log = app.open_log(self.settings, make=True)
        log.create_topics(topics(self.settings.log.article_partitions))
        applied = registry.apply_path(log, self.directory / "events")
        log.close()
        self.screen.opening(applied.added)
        try:
            self._start_children()
            watcher = threading.Thread(target=self._watch_events, daemon=True)
            watcher.start()
            began = time.monotonic()
            asyncio.run(self._poll())
            if self.stop.is_set():
                return 0
            self._drain()
            self.screen.closing(time.monotonic() - began)
            if not self.once:
                self.screen.stays_open(self.settings.desk.port)
                while not self.stop.wait(0.2):
                    self._alive()
            return 0
        finally:
            self.stop.set()
            stop_all(self.children)

    # -- the pipeline's processes ---------------------------------------------------------------

    def _start_children(self) -> None:
        together: Sequence[Sequence[str]] = app.PROCESSES[1:3]  # ingest runs here, with its clock
        if self.kafka:
            together = [(stage,) for stages in together for stage in stages]
        groups = [*together, *([] if self.once else [("desk",)])]
        ports = _free_ports(len(groups))
        for stages, port in zip(groups, ports, strict=True):
            says_alerts = "deliver" in stages
            child = Child(
                stages,
                cwd=self.directory,
                environ={"DATELINE_TELEMETRY__PORT": str(port)},
                stdout=-1 if says_alerts else None,  # -1 = subprocess.PIPE
                stderr=(self.directory / f"{'+'.join(stages)}.log").open("wb"),
            )
            child.start()
            self.children.append(child)
            if says_alerts:
                assert child.process is not None
                assert child.process.stdout is not None
                threading.Thread(
                    target=self._read_alerts, args=(child.process.stdout,), daemon=True
                ).start()
        deadline = time.monotonic() + START_DEADLINE_S
        for child, port in zip(self.children, ports, strict=True):
            while not _ready(port):
                self._alive()
                if time.monotonic() > deadline:
                    raise Unavailable(
                        f"{'+'.join(child.stages)} was not ready within {START_DEADLINE_S:.0f} s; "
                        f"its log is in {self.directory}"
                    )
                if self.stop.wait(0.1):
                    return

    def _alive(self) -> None:
        for child in self.children:
            if child.process and child.process.poll() is not None and not self.stop.is_set():
                name = "+".join(child.stages)
                last = (self.directory / f"{name}.log").read_text(errors="replace").splitlines()
                raise DatelineError(
                    f"the {name} process ended ({child.process.returncode}): "
                    f"{last[-1] if last else 'it said nothing'}"
                )

    def _read_alerts(self, lines: IO[bytes]) -> None:
        """The console channel of the deliver stage writes one JSON line an alert."""
        for line in lines:
            with contextlib.suppress(ValueError):
                self.screen.alert(json.loads(line))

    # -- polling ----------------------------------------------------------------------------------

    async def _poll(self) -> None:
        from ingest import feeds
        from ingest.clock import ScaledClock, VirtualClock
        from ingest.polling.poller import Poller

        starts = self.world.starts - timedelta(days=1)
        ends = self.world.ends + AFTERWARDS
        clock: ScaledClock | VirtualClock = VirtualClock(starts, ends)
        if not self.once:
            clock = ScaledClock(starts, (ends - starts).total_seconds() / self.seconds, ends)
        server = SampleServer(self.world, clock.now)
        await server.start()
        ended = asyncio.Event()
        try:
            engine, log = app.open_engine(self.settings), app.open_log(self.settings)
            for feed in self.world.feeds:
                feeds.add(engine, server.address + feed.path, outlet=feed.outlet, now=starts)
            self.screen.polling(clock)
            poller = Poller(engine, log, self.settings.ingest, clock)
            polling = asyncio.create_task(poller.run(ended))
            while not polling.done():
                await asyncio.wait([polling], timeout=0.2)
                self._alive()
                if self.stop.is_set():
                    ended.set()
            await polling
            self.screen.polled()
            log.close()
            engine.dispose()
        finally:
            await server.stop()

    def _drain(self) -> None:
        """Wait until every article has its fate and every alert is told."""
        from dateline.demo import results

        deadline = time.monotonic() + DRAIN_DEADLINE_S
        while not self.stop.is_set() and results.waiting(self.settings):
            self._alive()
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"articles were still on their way after {DRAIN_DEADLINE_S:.0f} s; "
                    f"the logs are in {self.directory}"
                )
            self.stop.wait(0.1)

    # -- saving an event file matches again -----------------------------------------------------

    def _watch_events(self) -> None:
        folder = self.directory / "events"
        known = _stamps(folder)
        while not self.stop.wait(0.5):
            found = _stamps(folder)
            if found == known:
                continue
            known = found
            try:
                log = app.open_log(self.settings)
                try:
                    done = registry.apply_path(log, folder, prune=True)
                finally:
                    log.close()
                if done:
                    self.screen.registered(done)
            except DatelineError as error:
                self.screen.say(f"[red]{error}[/red]")


@contextlib.contextmanager
def _fresh(directory: Path) -> Iterator[None]:
    """An empty directory, held until the end; only that of an earlier demo, which is over, is
    emptied."""
    marker = directory / MARKER
    try:
        if directory.exists():
            if any(directory.iterdir()) and not marker.exists():
                raise UsageError(f"{directory} is not an earlier demo's; name another --directory")
            if marker.exists():
                with marker.open("a") as held:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory)
        directory.mkdir(parents=True)
        held = marker.open("w")
        fcntl.flock(held, fcntl.LOCK_EX)
    except BlockingIOError:
        raise UsageError(
            f"a demo is running in {directory}; let it end, or name another --directory"
        ) from None
    except OSError as error:
        raise UsageError(
            f"cannot make {directory} anew ({error.strerror}); name another --directory"
        ) from None
    with held:
        yield


def _configure(directory: Path, broker_url: str | None, once: bool, port: int) -> Settings:
    """Write the demo's `dateline.toml` and sample files, and read them back as a user would."""
    shutil.copytree(EXAMPLES / "events", directory / "events")
    shutil.copy(EXAMPLES / "outlets.toml", directory / "outlets.toml")
    (directory / "dateline.toml").write_text(
        f"""# The demo's configuration: run any `dateline` command from this folder.
outlets = "outlets.toml"

[database]
url = "dateline.db"

[log]
url = "{broker_url or "dateline.log.db"}"
article_partitions = 1          # one order, so that two demos place alike

[ingest]
contact = "demo"
allow_networks = ["127.0.0.0/8"]  # the sample feeds are served on loopback
concurrency = {1 if once else 4}
host_gap = 0
min_interval = {POLL_DAYS * 86400}          # of simulated time
max_interval = {POLL_DAYS * 86400}
max_backoff = {2 * POLL_DAYS * 86400}

[alerts]
channels = ["console", "atom"]
operator_channels = []          # the sample outlets have no rhythm to fall silent against
console_json = true
atom_dir = "alerts"

[desk]
port = {port}
""",
        encoding="utf-8",
    )
    with contextlib.chdir(directory):
        settings = config.load()
    # Our own process stays where it was started; its paths must not.
    flags = {
        "outlets": str((directory / "outlets.toml").resolve()),
        "database.url": str((directory / "dateline.db").resolve()),
        "cluster.state_dir": str((directory / "dateline.state").resolve()),
    }
    if settings.embedded:
        flags["log.url"] = str((directory / "dateline.log.db").resolve())
    return config.load(directory / "dateline.toml", flags)


def _stamps(folder: Path) -> dict[str, int]:
    def read() -> Iterator[tuple[str, int]]:
        for path in folder.glob("*.toml"):
            with contextlib.suppress(OSError):  # an editor renames while we look
                yield path.name, path.stat().st_mtime_ns

    return dict(read())


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
