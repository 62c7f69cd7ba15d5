import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import exc

import cloud.ledger
from cloud.errors import SettingsError, StoreBusy, StoreCorrupt, StoreError
from cloud.ledger import tables
from cloud.ledger.database import HEAD, Database


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.db'}"


def test_the_migrations_lead_to_the_tables_as_they_are(empty: str) -> None:
    database = Database(empty)
    assert database.revision() == HEAD
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    database.close()


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option(
        "script_location", str(Path(cloud.ledger.__file__).parent / "migrations")
    )
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def _revisions() -> list[str]:
    """From the first to the newest."""
    return [script.revision for script in _scripts().walk_revisions()][::-1]


def test_head_is_the_newest_script() -> None:
    assert _scripts().get_heads() == [HEAD]
    assert _revisions() == sorted(_revisions())  # `migrate` compares them as texts


def _names(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(sa.inspect(connection).get_table_names())


def test_down_removes_everything_and_up_brings_it_back_step_by_step(empty: str) -> None:
    database = Database(empty)
    revisions = _revisions()
    counts = []
    for target in (*reversed(revisions[:-1]), "base"):
        database.migrate(target)
        assert database.revision() == (None if target == "base" else target)
        counts.append(len(_names(database)))
    assert counts == sorted(counts, reverse=True)
    assert _names(database) == {"alembic_version"}
    for target in revisions:
        database.migrate(target)
        assert database.revision() == target
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    assert _names(database) == {*tables.metadata.tables, "alembic_version"}
    database.close()


def _remark(connection: sa.Connection) -> None:
    connection.execute(
        sa.insert(tables.event).values(
            id="a", recorded_ns=1, subject="ticket", subject_id="t", type="x",
            at_ns=1, actor="ann", detail={"note": "call Ann"},
        )
    )  # fmt: skip


def test_going_back_one_step_keeps_what_both_know(empty: str) -> None:
    database = Database(empty)
    with database.writing() as connection:
        _remark(connection)
    for target in (*reversed(_revisions()[:-1]), HEAD):
        database.migrate(target)
        with database.reading() as connection:
            found = connection.execute(sa.select(tables.event)).one()
        assert (found.actor, found.detail) == ("ann", {"note": "call Ann"})
        with pytest.raises(StoreError, match="append-only"), database.writing() as connection:
            connection.exec_driver_sql("UPDATE event SET actor = 'me'")
    database.close()


def test_a_commit_is_on_the_disk_and_references_are_checked(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
    with database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with pytest.raises(StoreError, match="FOREIGN KEY"), database.writing() as connection:
        connection.execute(
            sa.insert(tables.binding).values(
                machine="nobody", since_ns=0, profile="x", recorded_ns=0
            )
        )
    database.close()


@pytest.mark.parametrize(
    "change",
    ["UPDATE event SET actor = 'me'", "DELETE FROM event", "UPDATE event SET type = 'y'"],
)
def test_the_event_log_cannot_be_changed(url: str, change: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        _remark(connection)
    with (
        pytest.raises(StoreError, match="append-only"),
        database.writing() as connection,
    ):
        connection.exec_driver_sql(change)
    database.close()


def _begin_erasure(connection: sa.Connection) -> None:
    connection.execute(
        sa.insert(tables.erasure).values(
            id="e", recorded_ns=1, pseudonym="p", actor="ann", removed={}
        )
    )


def test_an_erasure_under_way_may_empty_an_event_and_nothing_else(url: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        _remark(connection)
        _begin_erasure(connection)
        connection.exec_driver_sql("UPDATE event SET actor = 'p', detail = '{}', machine = NULL")
    for change in (
        "DELETE FROM event",
        "UPDATE event SET type = 'y'",
        "UPDATE event SET at_ns = 2",
        "UPDATE event SET seq = 99",
    ):
        with pytest.raises(StoreError, match="append-only"), database.writing() as connection:
            connection.exec_driver_sql(change)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE erasure SET finished_ns = 2")
    with pytest.raises(StoreError, match="append-only"), database.writing() as connection:
        connection.exec_driver_sql("UPDATE event SET actor = 'me'")
    database.close()


def test_tables_of_a_newer_program_are_left_alone(url: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer forewarn"):
        Database(url)
    assert database.revision() == "9999"
    assert _names(database) == {*tables.metadata.tables, "alembic_version"}
    database.close()


def test_a_locked_database_says_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "cloud.ledger.engines.PRAGMAS", ("PRAGMA journal_mode=WAL", "PRAGMA busy_timeout=1")
    )
    database = Database(_url(tmp_path))
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="locked"), database.writing():
        pass
    other.execute("ROLLBACK")
    other.close()
    with database.writing():
        pass
    database.close()


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is not a database at all, it is a text" * 100)
    with pytest.raises(StoreCorrupt, match=r"ledger\.db.*restore"):
        Database(_url(tmp_path))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does the folder exist"):
        Database(f"sqlite:///{tmp_path / 'no' / 'ledger.db'}")


@pytest.mark.parametrize(
    "wrong", ["nonsense", "mysqlx://host/name", "postgresql://me@host:many/name"]
)
def test_a_wrong_url_is_a_setting_to_mend(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"ledger\.url"):
        Database(wrong)


def test_the_database_itself_refuses_a_second_standing_advisory(url: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO device VALUES ('a.b', 0, 0)")
        connection.exec_driver_sql(
            "INSERT INTO machine (id, recorded_ns, version, device, profile, profile_since_ns, "
            "clock, first_ns, state) VALUES ('a.b', 0, 1, 'a.b', 'x', 0, 'wall', 0, 'normal')"
        )
    insert = (
        "INSERT INTO advisory (id, recorded_ns, version, machine, component, mode, profile, "
        "policy, state, severity, priority, title, action, duration_h, opened_ns, last_ns, "
        "due_earliest_ns, due_latest_ns, coverage, confidence) VALUES "
        "(:id, 0, 1, 'a.b', 'c', 'm', 'x', 'auto', :state, 2, 2, '{}', '{}', 1, 0, 0, 0, 0, 1, "
        "'low')"
    )
    with database.writing() as connection:
        connection.execute(sa.text(insert), {"id": "1", "state": "closed"})
        connection.execute(sa.text(insert), {"id": "2", "state": "open"})
    with pytest.raises(StoreError, match=r"(?i)unique"), database.writing() as connection:
        connection.execute(sa.text(insert), {"id": "3", "state": "accepted"})
    database.close()


def test_a_transaction_within_one_is_part_of_it(url: str) -> None:
    database = Database(url)
    said: list[str] = []

    def change(name: str) -> None:
        with database.writing() as connection:
            connection.execute(sa.insert(tables.position).values(name=name, n=1))
            database.committed(lambda: said.append(name))

    def change_twice() -> None:
        with database.writing():
            change("lost")
            change("lost")

    with pytest.raises(StoreError, match=r"(?i)unique"):
        change_twice()
    with database.writing():
        change("kept")
        assert said == []
    assert said == ["kept"]
    database.committed(lambda: said.append("now"))
    assert said == ["kept", "now"]
    with database.reading() as connection:
        assert connection.scalars(sa.select(tables.position.c.name)).all() == ["kept"]
    database.close()


def test_a_reader_sees_one_moment(url: str) -> None:
    database = Database(url)
    count = sa.select(sa.func.count()).select_from(tables.position)
    with database.reading() as reader:
        assert reader.scalar(count) == 0
        with database.writing() as connection:
            connection.execute(sa.insert(tables.position).values(name="x", n=1))
        assert reader.scalar(count) == 0
    with database.reading() as reader:
        assert reader.scalar(count) == 1
    database.close()


def test_writers_of_two_processes_wait_for_each_other(url: str) -> None:
    """Two engines know nothing of each other, as two processes do."""
    first, second = Database(url), Database(url)
    _count(first, 0)
    threads = [threading.Thread(target=_count_on, args=(one, 25)) for one in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with first.reading() as connection:
        assert connection.scalar(sa.select(tables.position.c.n)) == 50
    first.close()
    second.close()


def _count_on(database: Database, times: int) -> None:
    for _ in range(times):
        _count(database, 1)


def _count(database: Database, more: int) -> None:
    here = tables.position.c.name == "x"
    with database.writing() as connection:
        old = connection.scalar(sa.select(tables.position.c.n).where(here))
        if old is None:
            connection.execute(sa.insert(tables.position).values(name="x", n=more))
        else:
            connection.execute(sa.update(tables.position).where(here).values(n=old + more))


def test_writers_on_many_threads_wait_for_each_other(url: str) -> None:
    database = Database(url)
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for _ in range(20):
                with database.writing() as connection:
                    row = tables.position.c
                    old = connection.scalar(sa.select(row.n).where(row.name == "x"))
                    if old is None:
                        connection.execute(sa.insert(tables.position).values(name="x", n=1))
                    else:
                        connection.execute(
                            sa.update(tables.position).where(row.name == "x").values(n=old + 1)
                        )
        except (exc.SQLAlchemyError, StoreError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.reading() as connection:
        assert connection.scalar(sa.select(tables.position.c.n)) == 80
    database.close()
