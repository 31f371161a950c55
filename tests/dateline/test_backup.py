"""A copy of the database is taken, things go on, the database is lost, the copy is put back: then
the rows are those of a database that was never lost, and no alert goes out twice unmarked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from dateline import app, backup, offsets
from dateline.config import Settings, load
from sinks.alerts.channels.contract import Channel, Message
from sinks.alerts.deliver import Deliverer
from sinks.alerts.settings import AlertSettings
from store import tables
from store.compare import differences
from store.connection import reading
from store.engine import open_database
from stream import records
from stream.errors import UsageError
from stream.log.sqlite import SqliteLog
from stream.stage import Loop, drain
from tests.dateline.program import dateline
from tests.postgres import MortalPostgres
from tests.sinks.world import created, matched

HARMLESS, ONCE = "atom", "console"


class Receiver(Channel):
    """A channel that remembers the alerts it was sent."""

    wants_page = False

    def __init__(self, name: str) -> None:
        self.name, self.idempotent = name, name == HARMLESS
        self.got: list[str] = []

    def send(self, message: Message) -> None:
        self.got.append(message.key.partition("@")[0])


class Desk:
    """The stages that matter here, run when the test says so."""

    def __init__(self, url: str, folder: Path) -> None:
        flags = {
            "database.url": url,
            "log.url": str(folder / "news.log.db"),
            "alerts.channels": f"['{ONCE}', '{HARMLESS}']",
        }
        self.settings: Settings = load(None, flags, {})
        app.prepare(self.settings)
        self.log = SqliteLog(self.settings.log.url)
        self.channels = [Receiver(ONCE), Receiver(HARMLESS)]

    def come(self, *ids: str) -> None:
        """So many articles, each with an event and an alert of its own."""
        producer = self.log.producer()
        for id_ in ids:
            record = matched(id_, f"s-{id_}", changes=[created(f"s-{id_}")])
            producer.send(records.MATCHED, records.encode(record), partition=0)
        producer.close()

    def store(self) -> None:
        loop = Loop(app.make_stage("database", self.settings), self.log)
        try:
            drain([loop])
        finally:
            loop.close()

    def tell(self) -> None:
        engine = app.open_engine(self.settings)
        deliverer = Deliverer(engine, AlertSettings(settle=0), channels=self.channels)
        while deliverer.step():
            pass
        engine.dispose()

    def states(self) -> dict[str, str]:
        """Alert -> what became of it on the channel that cannot take repetition."""
        engine = app.open_engine(self.settings)
        o = tables.outbox.c
        with reading(engine) as connection:
            query = sa.select(o.alert_id, o.state).where(o.channel == ONCE)
            found = {
                row.alert_id.rpartition("-")[2]: row.state for row in connection.execute(query)
            }
        engine.dispose()
        return found

    def differences(self, url: str) -> list[str]:
        """To a database that was never lost."""
        engine, other = app.open_engine(self.settings), open_database(url, upgrade=True)
        sink = app.database_sink(other, self.settings, self.log, deliver=True)
        loop = Loop(sink, self.log, group="undisturbed")
        drain([loop])
        found = differences(engine, other, outbox=True)
        loop.close()
        engine.dispose()
        return found


def lose(desk: Desk) -> None:
    """Everything in the database is gone."""
    url = desk.settings.database.url
    if "://" not in url:
        for path in Path(url).parent.glob(f"{Path(url).name}*"):
            path.unlink()
        return
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()


def before(desk: Desk) -> None:
    """`a` is told; `b` waits in the outbox when the copy is taken."""
    desk.come("a")
    desk.store()
    desk.tell()
    desk.come("b")
    desk.store()


def after(desk: Desk) -> None:
    """`b` and `c` are told, `d` waits, `e` was not read when the database is lost."""
    desk.come("c")
    desk.store()
    desk.tell()
    desk.come("d")
    desk.store()
    desk.come("e")


def lost_after_a_copy(desk: Desk, copies: Path) -> dict[str, int]:
    """Sizes of the files that are in the copy, which is older than what was lost."""
    before(desk)
    sizes = backup.take(desk.settings, copies)
    after(desk)
    lose(desk)
    return sizes


def brought_back(desk: Desk, another: str) -> None:
    """What must be true once the copy is there and the stages have run again."""
    desk.store()
    desk.tell()
    assert desk.differences(another) == []
    # Once, or marked: `d` was never sent, and nobody can know that any more.
    assert desk.states() == {"a": "sent", "b": "unknown", "c": "unknown", "d": "unknown",
                             "e": "sent"}  # fmt: skip
    once, harmless = desk.channels
    assert sorted(one.rpartition("-")[2] for one in once.got) == ["a#1", "b#1", "c#1", "e#1"]
    # The others got the doubtful ones again under the same key: none is missing.
    assert {one.rpartition("-")[2] for one in harmless.got} == {f"{x}#1" for x in "abcde"}
    # It is over: what comes next goes out as ever.
    desk.come("f")
    desk.store()
    desk.tell()
    assert desk.states()["f"] == "sent"
    assert once.got[-1].endswith("f#1")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(str(tmp_path / "news.db"), tmp_path)
    yield made
    made.log.close()


def test_after_a_loss_and_a_restore_the_rows_are_the_same_and_no_alert_is_told_twice(
    desk: Desk, tmp_path: Path
) -> None:
    sizes = lost_after_a_copy(desk, tmp_path / "copies")
    assert sorted(path.name for path in (tmp_path / "copies").iterdir()) == sorted(sizes)
    done = backup.put_back(desk.settings, tmp_path / "copies")
    assert (done.log, done.again) == (False, 3)
    brought_back(desk, str(tmp_path / "undisturbed.db"))


def test_the_same_on_postgresql_with_its_own_tools(
    mortal_postgres: MortalPostgres, another_postgres: Callable[[], str], tmp_path: Path
) -> None:
    desk = Desk(mortal_postgres.url, tmp_path)
    plain = mortal_postgres.url.replace("+psycopg", "")
    before(desk)
    with pytest.raises(UsageError, match=r"pg_dump -Fc .*pg_restore .*offsets reset database"):
        backup.take(desk.settings, tmp_path / "copies")
    mortal_postgres.run("pg_dump", "-Fc", "-d", plain, "-f", str(tmp_path / "dump"))
    after(desk)
    lose(desk)
    mortal_postgres.run("pg_restore", "--clean", "--if-exists", "-d", plain, str(tmp_path / "dump"))
    offsets.reset(desk.settings, "database", "saved")
    brought_back(desk, another_postgres())
    desk.log.close()


def test_a_start_right_after_a_power_cut_marks_what_may_have_been_told(
    desk: Desk, tmp_path: Path
) -> None:
    """SQLite may lose the last seconds: here all that followed the copy, and nobody says so."""
    lost_after_a_copy(desk, tmp_path / "copies")
    (tmp_path / "copies" / backup.DATABASE).rename(desk.settings.database.url)
    brought_back(desk, str(tmp_path / "undisturbed.db"))


def test_a_kill_while_it_catches_up_does_not_forget_what_was_told(
    desk: Desk, tmp_path: Path
) -> None:
    lost_after_a_copy(desk, tmp_path / "copies")
    backup.put_back(desk.settings, tmp_path / "copies")
    loop = Loop(app.make_stage("database", desk.settings), desk.log)
    loop.BATCH = 1
    while loop.behind() == 3:
        loop.step()
    loop.close()  # as after a kill: the group's commit says no more how far it had been
    assert loop.behind() == 2
    brought_back(desk, str(tmp_path / "undisturbed.db"))


def test_when_the_disk_is_lost_database_and_log_come_back_together(
    desk: Desk, tmp_path: Path
) -> None:
    before(desk)
    backup.take(desk.settings, tmp_path / "copies")
    desk.log.close()
    lose(desk)
    for path in tmp_path.glob("news.log.db*"):
        if path.is_file():
            path.unlink()
    assert backup.put_back(desk.settings, tmp_path / "copies") == (True, 0)
    desk.log = SqliteLog(desk.settings.log.url)
    desk.come("z")
    desk.store()
    desk.tell()
    assert desk.differences(str(tmp_path / "undisturbed.db")) == []
    assert desk.states() == {"a": "sent", "b": "unknown", "z": "sent"}


def test_the_commands(desk: Desk, tmp_path: Path) -> None:
    before(desk)
    where = ("--db", desk.settings.database.url, "--log", desk.settings.log.url)
    made = dateline(tmp_path, "db", "backup", "copies", *where)
    assert made.returncode == 0, made.stderr
    assert "dateline.log.db" in made.stdout
    desk.come("c")
    loop = Loop(app.make_stage("database", desk.settings), desk.log)
    drain([loop])
    refused = dateline(tmp_path, "db", "restore", "copies", *where)
    assert refused.returncode == 2
    assert "is running" in refused.stderr
    loop.close()
    done = dateline(tmp_path, "db", "restore", "copies", *where)
    assert done.returncode == 0, done.stderr
    assert "1 records of the log" in done.stdout
    missing = dateline(tmp_path, "db", "restore", "nowhere", *where)
    assert missing.returncode == 2
    assert "there is no copy" in missing.stderr
