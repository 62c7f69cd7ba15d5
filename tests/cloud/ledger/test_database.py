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
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

import cloud.ledger
from cloud.errors import SettingsError, StoreBusy, StoreCorrupt, StoreError
from cloud.ledger import tables
from cloud.ledger.database import HEAD, Database


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.db'}"


def test_the_migrations_lead_to_the_tables_as_they_are(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
    assert database.revision() == HEAD
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    database.close()


def test_head_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option(
        "script_location", str(Path(cloud.ledger.__file__).parent / "migrations")
    )
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_down_removes_everything_and_up_brings_it_back(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
    database.migrate("base")
    with database.reading() as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    database.migrate()
    with database.reading() as connection:
        names = set(sa.inspect(connection).get_table_names())
    assert names == {*tables.metadata.tables, "alembic_version"}
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


@pytest.mark.parametrize("change", ["UPDATE event SET actor = 'me'", "DELETE FROM event"])
def test_the_event_log_cannot_be_changed(tmp_path: Path, change: str) -> None:
    database = Database(_url(tmp_path))
    with database.writing() as connection:
        connection.execute(
            sa.insert(tables.event).values(
                id="a", recorded_ns=1, subject="ticket", subject_id="t", type="x",
                at_ns=1, actor="ann", detail={},
            )
        )  # fmt: skip
    with (
        pytest.raises(StoreError, match="append-only"),
        database.writing() as connection,
    ):
        connection.exec_driver_sql(change)
    database.close()


def test_tables_of_a_newer_program_are_left_alone(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(StoreError, match="newer forewarn"):
        Database(_url(tmp_path))
    again = sqlite3.connect(tmp_path / "ledger.db")
    assert again.execute("SELECT count(*) FROM ticket").fetchone() == (0,)
    again.close()


def test_a_locked_database_says_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "cloud.ledger.database.PRAGMAS", ("PRAGMA journal_mode=WAL", "PRAGMA busy_timeout=1")
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


@pytest.mark.parametrize("url", ["nonsense", "mysqlx://host/name"])
def test_a_wrong_url_is_a_setting_to_mend(url: str) -> None:
    with pytest.raises(SettingsError, match="ledger_url"):
        Database(url)


def test_the_tables_can_be_made_on_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in tables.metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            text = str(CreateIndex(index).compile(dialect=dialect))
            assert ("WHERE" in text) == (index.name == "advisory_one_a_key")


def test_the_database_itself_refuses_a_second_standing_advisory(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
    with database.writing() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        connection.exec_driver_sql("INSERT INTO device VALUES ('a.b', 0, 0)")
        connection.exec_driver_sql(
            "INSERT INTO machine (id, recorded_ns, version, device, profile, profile_since_ns, "
            "clock, first_ns, state) VALUES ('a.b', 0, 1, 'a.b', 'x', 0, 'wall', 0, 'normal')"
        )
    insert = (
        "INSERT INTO advisory (id, recorded_ns, version, machine, component, mode, profile, "
        "policy, state, severity, priority, title, action, duration_h, opened_ns, last_ns, "
        "due_earliest_ns, due_latest_ns, coverage, confidence) VALUES "
        "(?, 0, 1, 'a.b', 'c', 'm', 'x', 'auto', ?, 2, 2, '{}', '{}', 1, 0, 0, 0, 0, 1, 'low')"
    )
    with database.writing() as connection:
        connection.exec_driver_sql(insert, ("1", "closed"))
        connection.exec_driver_sql(insert, ("2", "open"))
    with pytest.raises(StoreError, match="UNIQUE"), database.writing() as connection:
        connection.exec_driver_sql(insert, ("3", "accepted"))
    database.close()


def test_writers_on_many_threads_wait_for_each_other(tmp_path: Path) -> None:
    database = Database(_url(tmp_path))
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
