import contextlib
import json
import re
import socket
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloud.app import App
from cloud.decode import Aside
from cloud.keep.backup import back_up, name_for
from cloud.ledger import Registration
from cloud.ledger.database import Database
from cloud.places import places
from cloud.sequence import Key
from cloud.settings import BrokerSettings, load
from cloud.shelf import SqliteShelf
from forewarn import doctor_cloud, findings
from forewarn.__main__ import main
from forewarn.doctor_cloud import RECENT_NS
from models.contract.errors import Reason
from tests.cloud.keep.conftest import Plant, settings_for

ROOT = Path(__file__).parents[2]
Examine = Callable[..., dict[str, str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An installation that ran for a while and was stopped."""
    plant = Plant(settings_for(tmp_path / "data"))
    for _ in range(30):
        plant.go_on()
    for alert in plant.ledger.alerts_due(2**62):
        plant.ledger.alert_done(alert.batch_id or "", sent=True)
    plant.close()
    App(settings_for(tmp_path / "data")).close()
    (tmp_path / "data").chmod(0o700)
    return tmp_path


@pytest.fixture
def examine(home: Path, port: int, capsys: pytest.CaptureFixture[str]) -> Examine:
    """Examines the installation and returns what was found by code."""

    def run(extra: str = "", *words: str, broker: str = "", top: str = "") -> dict[str, str]:
        path = home / "cloud.toml"
        path.write_text(
            f'data = "{home / "data"}"\n{top}\n[api]\nport = 1\n'
            f"[broker]\nport = {port}\n{broker}\n[limits]\nfree_disk_percent = 0.0\n{extra}\n"
        )
        status = main(["doctor", str(path), "--json", *words])
        found = json.loads(capsys.readouterr().out)
        assert status == any(one["level"] == "problem" for one in found)
        return {one["code"]: one["what"] for one in found}

    return run


USUAL = {"FW125", "FW128"}  #: it does not run, and nobody is told


def test_a_sound_installation_has_no_problem(examine: Examine) -> None:
    assert set(examine()) == USUAL


def test_wrong_settings_are_named_by_line(examine: Examine) -> None:
    (said,) = examine("[brokker]\nport = 1").values()
    assert re.search(r"cloud\.toml:\d+.*brokker", said)


def test_secrets_that_everybody_may_read(examine: Examine, home: Path) -> None:
    secret = home / "secret"
    secret.write_text("swordfish")
    secret.chmod(0o644)
    (home / "data").chmod(0o755)
    found = examine(broker=f'password_file = "{secret}"')
    assert set(found) == {*USUAL, "FW103"}
    assert "swordfish" not in str(found)
    assert "FW103" in examine(broker=f'password_file = "{home / "none"}"')


def test_a_damaged_journal(examine: Examine, home: Path) -> None:
    first, *_ = sorted((home / "data" / "journal").glob("*.journal"))
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    assert first.name in examine()["FW105"]


def test_a_torn_tail_is_no_damage_and_stays(examine: Examine, home: Path) -> None:
    *_, last = sorted((home / "data" / "journal").glob("*.journal"))
    last.write_bytes(last.read_bytes()[:-3])
    before = last.read_bytes()
    assert "FW105" not in examine()
    assert last.read_bytes() == before


def test_a_journal_that_ends_before_the_stores(examine: Examine, home: Path) -> None:
    for path in (home / "data" / "journal").glob("*.journal"):
        path.unlink()
    assert "a part is missing" in examine()["FW106"]


def test_damaged_numbers_of_silent_streams(examine: Examine, home: Path) -> None:
    path = home / "data" / "numbers.db"
    with contextlib.closing(SqliteShelf(path)) as shelf:
        shelf.put([(Key("acme.one", "boot", "live"), 10), (Key("acme.two", "boot", "live"), 9)])
    assert "FW134" not in examine()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE stream SET expected = 11 WHERE identity = 'acme.one'")
    assert "1 line contradicts" in examine()["FW134"]
    path.write_bytes(bytes(5_000))
    assert "not a database" in examine()["FW134"]


def test_snapshots_that_cannot_be_read(examine: Examine, home: Path) -> None:
    for path in (home / "data" / "snapshots").glob("*.npz"):
        path.write_bytes(b"PK nothing")
    assert "FW107" in examine()


def test_a_damaged_store(examine: Examine, home: Path) -> None:
    path = home / "data" / "telemetry.db"
    content = bytearray(path.read_bytes())
    content[4096:8192] = bytes(4096)
    path.write_bytes(content)
    assert "FW110" in examine()


def test_influxdb_that_is_away(examine: Examine) -> None:
    said = examine('[telemetry]\nstore = "influx"\nurl = "http://127.0.0.1:1"')["FW109"]
    assert "127.0.0.1:1" in said


def test_a_ledger_that_is_away_or_of_another_version(examine: Examine, home: Path) -> None:
    assert "FW121" in examine('[ledger]\nurl = "postgresql://me@127.0.0.1:1/none"')
    database = Database(f"sqlite:///{home / 'data' / 'ledger.db'}")
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert "newer" in examine()["FW122"]
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    assert "next start" in examine()["FW122"]
    database.close()


def test_alerts_that_wait_and_poison(examine: Examine, home: Path) -> None:
    app = App(settings_for(home / "data"))
    aside = Aside(0, 0, "pm/1/acme.a/up/t/live", Reason.UNREADABLE, "x", b"x")
    now = time.time_ns()
    others = [
        Aside(n, now, f"pm/1/acme.{n}/up/t/live", Reason.QUOTA, "beyond", b"") for n in range(1, 8)
    ]
    app.ledger.quarantine_add([aside, *others])
    app.close()
    database = Database(f"sqlite:///{home / 'data' / 'ledger.db'}")
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alert SET state = 'pending'")
    database.close()
    found = examine()
    assert "1 alert waits" in found["FW123"]  # filed when the plant's clock said 2026-09
    assert "unreadable" in found["FW124"]
    assert "acme.1, acme.2" in found["FW132"]
    assert "and 2 more" in found["FW132"]


def test_names_beyond_the_limit_are_past_once_the_device_is_mended(
    examine: Examine, home: Path
) -> None:
    app = App(settings_for(home / "data"))
    long_ago = time.time_ns() - 2 * RECENT_NS
    old = Aside(1, long_ago, "pm/1/acme.9/up/t/live", Reason.QUOTA, "beyond", b"")
    app.ledger.quarantine_add([old])
    app.close()
    assert "FW132" not in examine()


@pytest.mark.parametrize(("unit", "wrong"), [("[degF]", True), ("degC", False)])
def test_units_that_are_not_the_profiles(
    examine: Examine, home: Path, unit: str, wrong: bool
) -> None:
    app = App(settings_for(home / "data"))
    known = app.ledger.machine("acme.pump1")
    told = (("bearing_temperature", unit),)
    birth = Registration(
        known.id, known.device, known.profile, known.name, time.time_ns(), known.clock, told
    )
    app.ledger.register([birth])
    app.close()
    assert ("acme.pump1" in examine().get("FW133", "")) == wrong


def test_a_broker_that_is_away_or_speaks_in_the_clear() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    found = list(findings.broker(_broker("127.0.0.1", closed), "FW11"))
    assert [one.code for one in found] == ["FW111"]
    found = list(findings.broker(_broker("broker.invalid", 1883), "FW11"))
    assert [one.code for one in found] == ["FW111", "FW112"]


def _broker(host: str, port: int) -> BrokerSettings:
    return BrokerSettings(host=host, port=port)


def _certificate(path: Path, begins: timedelta, ends: timedelta) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme.pump1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("begins", "ends", "level"),
    [(-9, -1, "problem"), (1, 90, "problem"), (-9, 20, "advice"), (-9, 90, None)],
)
def test_certificates_that_end(tmp_path: Path, begins: int, ends: int, level: str | None) -> None:
    path = _certificate(tmp_path / "c.pem", timedelta(days=begins), timedelta(days=ends))
    found = list(findings.certificate(path, "broker.cert_file", "FW113"))
    assert [one.level for one in found] == ([level] if level else [])
    (tmp_path / "c.pem").write_text("nothing")
    assert next(findings.certificate(path, "x", "FW113")).level == "problem"


def test_a_channel_that_is_none(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_TEST_URL", "nonsense://swordfish")
    found = examine('[[notify.channels]]\nname = "mail"\nurl_env = "FOREWARN_TEST_URL"')
    assert "mail" in found["FW129"]
    assert "swordfish" not in str(found)


def test_backups_that_are_missing_or_old(examine: Examine, home: Path) -> None:
    folder = home / "backups"
    folder.mkdir()
    assert "there is none" in examine("", "--backups", str(folder))["FW130"]
    where = places(load(home / "cloud.toml"))
    back_up(where, folder / name_for(0), lambda: 0)
    assert "over a day" in examine("", "--backups", str(folder))["FW130"]


def test_what_does_not_answer_does_not_run(home: Path) -> None:
    settings = settings_for(home / "data")
    doctor = doctor_cloud._Doctor(settings, places(settings), None)
    assert [one.code for one in doctor.service()] == ["FW125"]


def test_a_check_that_fails_is_a_finding(
    home: Path, monkeypatch: pytest.MonkeyPatch, examine: Examine
) -> None:
    monkeypatch.setattr(sqlite3, "connect", None)
    assert "the check of" in examine()["FW100"]


def test_every_code_is_explained_once() -> None:
    sources = "".join(
        (ROOT / "forewarn" / name).read_text()
        for name in ("doctor.py", "doctor_cloud.py", "doctor_edge.py")
    )
    codes = set(re.findall(r'"(FW\d{3})"', sources))
    for row in re.findall(r'"(FW\d\d)"', sources):  # the broker's three
        codes |= {f"{row}{n}" for n in (1, 2, 3)}
    explained = re.findall(r"^### (FW\d{3})$", (ROOT / findings.PAGE).read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(codes)
