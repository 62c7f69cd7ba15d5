import json
from pathlib import Path

import pytest

from forewarn.__main__ import main
from tests.cloud.keep.conftest import Plant, settings_for


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    plant = Plant(settings_for(tmp_path / "data"))
    for _ in range(30):
        plant.go_on()
    plant.close()
    path = tmp_path / "cloud.toml"
    path.write_text(f'data = "{tmp_path / "data"}"\n[broker]\nport = 1\n[api]\nport = 0\n')
    return path


def test_it_is_told_first_then_done_and_proved(
    settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["erase", str(settings), "--tenant", "acme"]
    assert main(words) == 0
    assert "would erase 2 machines (acme.pump1, acme.pump2)" in capsys.readouterr().out
    proof = tmp_path / "proof.json"
    assert main([*words, "--yes", "--proof", str(proof)]) == 0
    said = capsys.readouterr().out
    assert "none found" in said
    assert "evidence and may not be shortened" in said
    found = json.loads(proof.read_text())
    assert found["hits"] == []
    assert found["removed"]["telemetry samples"] == 60
    assert main([*words, "--yes"]) == 1
    assert "nothing of it is kept" in capsys.readouterr().err


def test_one_scope_is_needed(settings: Path) -> None:
    with pytest.raises(SystemExit):
        main(["erase", str(settings)])


def test_without_a_place_for_the_proof_nothing_is_erased(
    settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["erase", str(settings), "--tenant", "acme", "--yes", "--proof"]
    assert main([*words, str(tmp_path / "nowhere" / "proof.json")]) == 1
    assert f"{tmp_path}/nowhere/proof.json" in capsys.readouterr().err
    broken = tmp_path / "backups" / "forewarn-1" / "manifest.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    proof = tmp_path / "proof.json"
    proof.write_text("an earlier one")
    assert main([*words, str(proof), "--backups", str(tmp_path / "backups")]) == 1
    assert f"{broken}: " in capsys.readouterr().err
    assert proof.read_text() == "an earlier one"
    broken.unlink()
    assert main([*words, str(proof), "--backups", str(tmp_path / "backups")]) == 0
    assert json.loads(proof.read_text())["machines"] == ["acme.pump1", "acme.pump2"]
