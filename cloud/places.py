"""Where an installation keeps what, by its settings."""

from dataclasses import dataclass
from pathlib import Path

from cloud.ledger import Place
from cloud.settings import CloudSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders and files in `data`, and the ledger's database."""

    data: Path
    journal: Path
    snapshots: Path
    telemetry: Path  #: of the embedded store
    ledger_file: Path | None  #: None: the ledger is on a server
    ledger: Place


def places(settings: CloudSettings) -> Places:
    """Return where things are; reads the ledger's password. `SettingsError`."""
    data = Path(settings.data)
    url = settings.ledger.url or f"sqlite:///{data / 'ledger.db'}"
    file = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
    return Places(
        data=data,
        journal=data / "journal",
        snapshots=data / "snapshots",
        telemetry=data / "telemetry.db",
        ledger_file=file,
        ledger=Place(url=url, password=settings.ledger.password(), ca_file=settings.ledger.ca_file),
    )
