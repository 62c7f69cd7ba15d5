"""The position that the built-in store has reached: right, or said to be damaged."""

import contextlib
import sqlite3
from pathlib import Path

from cloud.errors import CloudError
from cloud.telemetry import reached
from cloud.telemetry.database import open_writer, translated
from cloud.telemetry.sqlite import SqliteTelemetry

ROW = 20  #: bytes at the end of the table's page


def test_a_new_store_and_one_of_before_the_checksum_have_it_from_the_first_open_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / "telemetry.db"
    SqliteTelemetry(path, background=False).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert reached.read(db, path) == -1
        db.executescript(
            "UPDATE position SET n = 41; ALTER TABLE position DROP COLUMN crc; "
            "PRAGMA user_version = 2"
        )
    with contextlib.closing(open_writer(path, None)) as db:
        assert reached.read(db, path) == 41


def test_a_flipped_bit_in_its_row_is_never_another_position(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE position (id INTEGER PRIMARY KEY, n INTEGER, crc INTEGER)")
        db.execute("INSERT INTO position VALUES (0, 0, 0)")
        reached.write(db, 123_456)
    content = path.read_bytes()
    for place in range(8 * (len(content) - ROW), 8 * len(content)):
        spoiled = bytearray(content)
        spoiled[place // 8] ^= 1 << place % 8
        path.write_bytes(spoiled)
        with (
            contextlib.closing(sqlite3.connect(path)) as db,
            contextlib.suppress(CloudError),
            translated(path),
        ):
            assert reached.read(db, path) == 123_456
