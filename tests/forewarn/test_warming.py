"""Kernels are compiled before the service says that it is ready, and that may be stopped."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import numpy as np
import psutil
import pytest
from numba.core.dispatcher import Dispatcher

from cloud import telemetry
from cloud.telemetry.checks import EVER, SECOND_NS, T0, block
from cloud.telemetry.sqlite import SqliteTelemetry
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


def test_what_is_damaged_in_the_cache_is_compiled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from numba import njit\n\n@njit(cache=True)\ndef twice(x):\n    return 2 * x\n"
    (tmp_path / "a_kernel.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)

    def fresh() -> Any:
        sys.modules.pop("a_kernel", None)
        return import_module("a_kernel").twice

    assert fresh()(2) == 4
    cache = Path(fresh()._cache.cache_path)
    assert warming.mend([fresh()]) == []
    for damaged in (*cache.glob("a_kernel.twice*.nbi"), *cache.glob("a_kernel.twice*.nbc")):
        damaged.write_bytes(damaged.read_bytes()[:20])
        with pytest.raises(Exception, match=r"truncated|Ran out|EOF|exhausted"):
            fresh()(2)
        assert warming.mend([fresh()]) == ["twice"]
        assert fresh()(2) == 4


def signatures() -> dict[str, set[Any]]:
    """Return what each compiled kernel of the embedded store is loaded for."""
    found = {}
    for module in iter_modules(telemetry.__path__, f"{telemetry.__name__}."):
        for name, kernel in vars(import_module(module.name)).items():
            if isinstance(kernel, Dispatcher):
                found[f"{module.name}.{name}"] = set(kernel.signatures)
    return found


def not_rehearsed(path: Path) -> list[str]:
    """Return the kernels that rows of all kinds need in the store and the rehearsal did not."""
    warming.rehearse()
    loaded, chance = signatures(), np.random.default_rng(7)
    for case, (rows, compacted) in enumerate(product((3_000, 300, 20), (False, True))):
        double, whole = np.arange(rows) / 8, np.arange(rows)
        kinds: list[dict[str, Any]] = [
            {"temp": double},
            {"temp": double, "x": chance.normal(size=rows)},
            {"temp": np.where(whole % 3, double, np.nan), "x": double},
            {"temp": whole, "y": whole % 2 == 0, "z": double.astype("f4"), "d": double},
        ]
        for kind, columns in enumerate(kinds):
            used(path / f"{case}-{kind}.db", columns, rows, compacted=compacted)
    assert len(loaded) > 20
    return [name for name, needed in signatures().items() if needed - loaded[name]]


def used(path: Path, columns: dict[str, Any], rows: int, *, compacted: bool) -> None:
    """Write some rows, the last ones late, and ask for them in every way."""
    store = SqliteTelemetry(path, background=False)
    for n, at in enumerate((0, 1, 2, 1)):
        times = T0 + SECOND_NS * np.arange(at * rows, at * rows + rows)
        store.write([block(times, columns, n=n, seq=n * rows)], n)
        store.durable_position()
        if compacted:
            store.compact()
    for begin, width in ((T0, 60), (T0 + 1, 61), (T0, 3_600)):
        store.buckets("acme.pump1", "temp", begin, T0 + 86_400 * SECOND_NS, width * SECOND_NS)
    store.series("acme.pump1", "temp", *EVER, 10)
    store.latest("acme.pump1")
    store.close()


def test_the_store_needs_no_kernel_that_was_not_rehearsed(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as new:  # where nothing is loaded yet
        assert new.submit(not_rehearsed, tmp_path).result() == []


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


def test_a_stop_while_the_child_is_started_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    class Begun(subprocess.Popen[str]):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            started.append(self)
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", Begun)
    with pytest.raises(KeyboardInterrupt):
        warming._compile("sqlite", print)
    [child] = started
    assert child.returncode == -signal.SIGKILL
