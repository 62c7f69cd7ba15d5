"""Real parts as fixtures: a broker, and a service on it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from forewarn.broker import find_mosquitto, free_port
from tests.e2e.parts import Part, Service, eventually, mosquitto, service


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Part]:
    """A Mosquitto on a free port (`part.port`)."""
    if find_mosquitto() is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is not installed")
        pytest.skip("mosquitto is not installed (Debian: apt install mosquitto)")
    with mosquitto(tmp_path, free_port()) as part:
        yield part


@pytest.fixture
def running(broker: Part, tmp_path: Path) -> Iterator[Service]:
    """A service on that broker."""
    started = service(tmp_path, broker.port)
    with started.part:
        eventually(lambda: started.get("/health")["broker"]["ok"] or None)
        yield started


@pytest.fixture
def recordings() -> Path:
    """The folder of real recordings; skips where it is absent."""
    folder = Path(os.environ.get("FOREWARN_DATA", "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}: set FOREWARN_DATA")
    return folder
