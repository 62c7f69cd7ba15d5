import json
from pathlib import Path

import pytest

from cloud.app import App
from forewarn.__main__ import main
from tests.cloud.keep.conftest import Plant, settings_for


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Settings of an installation that has readings and a ticket."""
    plant = Plant(settings_for(tmp_path / "data"))
    for _ in range(40):
        plant.go_on()
    plant.close()
    path = tmp_path / "cloud.toml"
    path.write_text(f'data = "{tmp_path / "data"}"\n[broker]\nport = 1\n[api]\nport = 0\n')
    return path


def test_there_and_back(settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "backups"
    assert main(["backup", str(settings), str(folder), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["machines"] == {"acme": 2, "zeta": 1}
    (one,) = folder.iterdir()
    assert one.stat().st_mode & 0o077 == 0
    assert main(["backup", str(settings), str(one), "--verify"]) == 0
    assert "machines of acme (2), zeta (1)" in capsys.readouterr().out
    other = tmp_path / "other.toml"
    other.write_text(settings.read_text().replace("/data", "/elsewhere"))
    assert main(["restore", str(other), str(one)]) == 0
    assert "start the service" in capsys.readouterr().out
    app = App(settings_for(tmp_path / "elsewhere"))
    assert len(app.ledger.tickets()[0]) == 1
    app.close()


def test_errors_say_what_to_do(
    settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "backups"
    assert main(["backup", str(settings), str(folder)]) == 0
    (one,) = folder.iterdir()
    assert main(["restore", str(settings), str(one)]) == 1
    assert "move the folder away first" in capsys.readouterr().err
    (one / "ledger.dump").write_bytes(b"")
    assert main(["backup", str(settings), str(one), "--verify"]) == 1
    assert "use another backup" in capsys.readouterr().err
    assert main(["restore", str(settings), str(tmp_path)]) == 1
    assert "no finished backup" in capsys.readouterr().err
    assert main(["backup", str(tmp_path / "none.toml"), str(folder)]) == 1
    assert "cannot be read" in capsys.readouterr().err
    for place in (tmp_path / "none.toml", tmp_path / "none.toml" / "below"):
        (tmp_path / "none.toml").touch()
        assert main(["backup", str(settings), str(place)]) == 1
        assert f"forewarn backup: {tmp_path}/none.toml" in capsys.readouterr().err
