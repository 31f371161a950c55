"""What the configuration names: the log, the database, and each stage with what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dateline.config import Settings
from stream.errors import UsageError
from stream.log.contract import Log, topics
from stream.stage import Stage

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ingest.polling.floor import Floor

# In the order of the flow. `dateline run` groups them into processes: ingest is all waiting,
# embed is the only one that loads the model, the others are cheap and share one.
STAGES = ("ingest", "embed", "cluster", "match", "database", "deliver", "desk")
PROCESSES = (("ingest",), ("embed",), ("cluster", "match", "database", "deliver"), ("desk",))


def open_log(settings: Settings, *, make: bool = False) -> Log:
    """The log that the configuration names. Only `make` makes the file of an embedded one."""
    url = settings.log.url
    if url.startswith("kafka://"):
        from stream.log.kafka import KafkaLog

        secret = settings.log.sasl_password
        return KafkaLog(
            url.removeprefix("kafka://"),
            security_protocol=settings.log.security_protocol,
            sasl_mechanism=settings.log.sasl_mechanism,
            sasl_username=settings.log.sasl_username,
            sasl_password=secret.get_secret_value() if secret else None,
            ssl_cafile=_text(settings.log.ssl_cafile),
            ssl_certfile=_text(settings.log.ssl_certfile),
            ssl_keyfile=_text(settings.log.ssl_keyfile),
            assignor=settings.log.assignor,
        )
    if "://" in url and not url.startswith("sqlite://"):
        raise UsageError(f"log.url: expected a path or kafka://host:port, got {url!r}; set log.url")
    from stream.log.sqlite import SqliteLog

    path = Path(url.removeprefix("sqlite:///"))
    if not make and not path.exists():
        raise UsageError(
            f"there is no log file {path}; `dateline run` makes one, or name another with --log"
        )
    return SqliteLog(path)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def open_engine(settings: Settings, *, upgrade: bool = False) -> Engine:
    from store.engine import open_database

    return open_database(settings.database_url(), upgrade=upgrade)


def disk_floor(settings: Settings) -> Floor:
    """Over the files that the log and the database are, where they are files."""
    from ingest.polling.floor import Floor

    files = [settings.log.url.removeprefix("sqlite:///")] if settings.embedded else []
    if "://" not in settings.database.url or settings.database.url.startswith("sqlite:"):
        files.append(settings.database.url.removeprefix("sqlite:///"))
    return Floor([Path(file) for file in files], settings.log.disk_floor_mb)


def prepare(settings: Settings) -> None:
    """What the one-host default does for itself; elsewhere an operator runs the two commands."""
    if settings.embedded:
        open_engine(settings, upgrade=True).dispose()
        log = open_log(settings, make=True)
        log.create_topics(topics(settings.log.article_partitions))
        log.close()


def make_stage(name: str, settings: Settings, *, deliver: bool = True) -> Stage:
    """The stage of that name, ready for a Loop. `deliver=False`: alerts are decided, not told."""
    if name == "embed":
        from processors.embed.encoder import Encoder
        from processors.embed.stage import EmbedStage

        return EmbedStage(Encoder(settings.embed))
    if name == "cluster":
        from processors.cluster.stage import ClusterStage

        # Snapshots are never optional here: without one a restart reads the log from its start.
        folder = settings.cluster.state_dir or Path("dateline.state")
        return ClusterStage(settings.cluster, folder, open_log(settings))
    if name == "match":
        from processors.match.stage import MatchStage

        return MatchStage(settings.match)
    if name == "database":
        engine, log = open_engine(settings), open_log(settings)
        return database_sink(engine, settings, log, deliver=deliver, group="dateline.database")
    raise UsageError(f"unknown stage {name!r}; the stages are {', '.join(STAGES)}")


def database_sink(
    engine: Engine, settings: Settings, log: Log, *, deliver: bool, group: str | None = None
) -> Stage:
    """The writer, with the alert policy it asks. It disposes of the engine when it closes. With
    `group` it refuses a database that is behind what the group has done."""
    from sinks.alerts.policy import AlertPolicy
    from sinks.database.stage import DatabaseSink
    from sinks.outlets import Outlets

    policy = AlertPolicy(
        settings.alerts.channels if deliver else (), tells_backfill=settings.alerts.tell_backfill
    )
    return DatabaseSink(engine, policy, Outlets.load(settings.outlets), log, group)
