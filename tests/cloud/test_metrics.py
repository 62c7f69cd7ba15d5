import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloud.errors import StoreBusy
from cloud.ingest import Counters
from cloud.ledger import Tally
from cloud.metrics import Metrics, Sources

UNITS = re.compile(r"_(total|bytes|seconds|records|info|sum|count|bucket|created|fds|objects)$")
#: counts of things whose name is the thing
THINGS = {
    "forewarn_up", "forewarn_batches_waiting", "forewarn_machines", "forewarn_tickets",
    "forewarn_advisories", "forewarn_alerts_waiting",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    connected: bool = True
    position: int = 41
    waiting: int = 2
    parked: int = 1
    remembered: int = 900
    store_error: str | None = None
    disk_error: str | None = None


@dataclass(slots=True, kw_only=True)
class _Service:
    folder: Path
    status: _Status = field(default_factory=_Status)
    away: bool = False

    def tally(self) -> Tally:
        if self.away:
            raise StoreBusy("away")
        return Tally(
            machines={"normal": 3, "alert": 1}, tickets={"new": 1}, advisories={},
            alerts_waiting=1, oldest_alert_ns=10**9, quarantined={"unreadable": 5},
        )  # fmt: skip

    def position(self) -> int:
        if self.away:
            raise StoreBusy("away")
        return 40

    def read(self) -> dict[tuple[str, ...], float]:
        intake = Counters(
            messages=10, accepted=5, repeats=1, aside=1, refused=1, samples=50, held=2
        )
        sources = Sources(
            status=lambda: self.status, intake=lambda: intake, tally=self.tally,
            positions={"ledger": self.position}, damaged=lambda: 3,
            folder=self.folder, now=lambda: 31 * 10**9,
        )  # fmt: skip
        text = Metrics(sources).exposition().decode()
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
def service(tmp_path: Path) -> _Service:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "1.journal").write_bytes(bytes(300))
    (tmp_path / "telemetry.db").write_bytes(bytes(20))
    (tmp_path / "telemetry.db-wal").write_bytes(bytes(4))
    return _Service(folder=tmp_path)


def test_every_message_has_an_outcome_or_waits(service: _Service) -> None:
    found = service.read()
    handled = {k[1]: v for k, v in found.items() if k[0] == "forewarn_messages_handled_total"}
    assert handled == {"accepted": 5, "repeat": 1, "aside": 1, "refused": 1}
    waiting = {k[1]: v for k, v in found.items() if k[0] == "forewarn_batches_waiting"}
    assert waiting == {"order": 2, "birth": 1}
    ends = sum(handled.values()) + waiting["order"]
    assert found[("forewarn_messages_total",)] == ends


def test_values_are_the_services_own(service: _Service) -> None:
    found = service.read()
    assert found["forewarn_machines", "alert"] == 1
    assert found["forewarn_quarantined_total", "unreadable"] == 5
    assert found[("forewarn_alerts_oldest_seconds",)] == 30
    assert found["forewarn_position_records", "models"] == 41
    assert found["forewarn_position_records", "ledger"] == 40
    assert found["forewarn_files_bytes", "journal"] == 300
    assert found[("forewarn_templates_bytes",)] == 900
    assert found[("forewarn_stream_lines_damaged_total",)] == 3
    assert found["forewarn_files_bytes", "telemetry"] == 24
    assert 0 < found["forewarn_disk_bytes", "free"] < found["forewarn_disk_bytes", "total"]
    assert {k[1] for k, v in found.items() if k[0] == "forewarn_up" and v} == {
        "broker", "telemetry", "disk", "ledger"
    }  # fmt: skip
    assert found[("process_resident_memory_bytes",)] > 1e6


def test_a_ledger_that_is_away_is_said_and_the_rest_is_there(service: _Service) -> None:
    service.away = True
    service.status = _Status(connected=False, store_error="away", disk_error="full")
    found = service.read()
    up = {k[1]: v for k, v in found.items() if k[0] == "forewarn_up"}
    assert up == {"broker": 0, "telemetry": 0, "disk": 0, "ledger": 0}
    assert found[("forewarn_samples_total",)] == 50
    assert not any(name[0] == "forewarn_machines" for name in found)


def test_names_carry_their_unit(service: _Service) -> None:
    names = {key[0] for key in service.read()}
    own = {name for name in names if name.startswith("forewarn_")}
    assert len(own) > 12
    assert {name for name in own if not UNITS.search(name)} <= THINGS
