"""Kernels are compiled before the service says that it is ready, and that may be stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from forewarn import warming

STOPPED_S = 60  #: far more than it takes; compiling to the end would take longer still


def test_what_was_rehearsed_is_loaded_and_compiled_by_nobody() -> None:
    warming.rehearse()
    told: list[str] = []
    warming.ready(tell=told.append)
    assert told == []


def test_without_room_to_rehearse_the_service_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    warming.ready()
    assert "with the first readings" in caplog.text


def test_a_first_start_says_that_it_compiles_and_stops_when_told(tmp_path: Path) -> None:
    settings = tmp_path / "cloud.toml"
    settings.write_text(f'data = "{tmp_path / "data"}"\n')
    service = subprocess.Popen(
        [sys.executable, "-m", "forewarn", "serve", str(settings)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
    )
    assert service.stderr is not None
    try:
        assert any("compiling the models" in line for line in service.stderr)
        process = psutil.Process(service.pid)
        while not (children := process.children()):
            assert service.poll() is None
        service.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(children, STOPPED_S)
        assert service.wait(STOPPED_S) == 0
        assert not alive
        assert not (tmp_path / "data").exists()  # nothing was opened yet
    finally:
        service.kill()
        service.communicate()
