import asyncio
import json
import signal
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from edge_agent.__main__ import main
from edge_agent.outbox import Outbox
from tests.edge_agent.cloud import listening
from tests.edge_agent.conftest import Broker
from tests.edge_agent.made import batch

ROOT = Path(__file__).parents[2]


def written(folder: Path, text: str = "") -> Path:
    path = folder / "edge.toml"
    path.write_text(f'{text}\n[outbox]\npath = "{folder}/outbox.db"\nmax_mb = 4\n')
    return path


def test_check_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(ROOT / "deploy/edge.toml")]) == 0
    path = written(tmp_path, 'tenant = "ACME"')
    assert main(["check", str(path)]) == 1
    assert f"{path}:1: tenant" in capsys.readouterr().err
    assert main(["run", str(path)]) == 1
    assert f"{path}:1: tenant" in capsys.readouterr().err


def test_status_shows_what_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path)
    assert main(["status", str(path)]) == 1
    assert "no outbox" in capsys.readouterr().err
    (tmp_path / "outbox.db").mkdir()
    assert main(["status", str(path)]) == 1
    assert f"{tmp_path}/outbox.db cannot be read" in capsys.readouterr().err
    assert main(["run", str(path)]) == 1
    assert f"{tmp_path}/outbox.db: unable to open" in capsys.readouterr().err
    (tmp_path / "outbox.db").rmdir()
    outbox = Outbox(tmp_path / "outbox.db", "b", max_bytes=4 * 1024 * 1024)
    outbox.append([("live", batch([1.0, 2.0, 3.0])), ("alarm", batch([1.0]))])
    assert main(["status", str(path)]) == 0
    said = capsys.readouterr().out
    assert "4 samples in 2 batches" in said
    assert "live     3 samples" in said
    assert "from 2026-09-21T14:13:20Z" in said
    assert main(["status", "--json", str(path)]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert (numbers["samples"], numbers["gap_samples"], numbers["aside"]) == (4, 0, 0)
    assert numbers["streams"]["live"]["samples"] == 3
    outbox.close()


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"forewarn-agent {version('forewarn')}\n"


@pytest.mark.broker
async def test_run_ends_cleanly_at_sigterm(broker: Broker, tmp_path: Path) -> None:
    words = json.dumps([sys.executable, "-c", "print('{\"temp\": 41.9}', flush=True); input()"])
    path = tmp_path / "edge.toml"
    path.write_text(
        f"[broker]\nport = {broker.port}\n[outbox]\npath = '{tmp_path}/outbox.db'\nmax_mb = 4\n"
        f"[[sources]]\ndriver = 'program'\n[sources.options]\ncommand = {words}\n"
    )
    async with listening(broker.port, "acme.host") as cloud:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_agent", "run", str(path), cwd=ROOT
        )
        await cloud.until(lambda: bool(cloud.samples))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(120):
            assert await process.wait() == 0
        await cloud.until(lambda: not cloud.states[-1][0].online)
    assert {value for found in cloud.samples.values() for value in found.values()} == {41.9}
