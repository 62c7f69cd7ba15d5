"""Machine code on disk is renewed when anything it was compiled from changes."""

import inspect
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from numba.core.caching import NullCache
from numba.core.dispatcher import Dispatcher

from models.life.compiled import Cache, build_of

ROOT = Path(__file__).parents[2]
LINES = """
import numpy as np
from numba.core import event
from cloud.telemetry.influx.lines import Fields, Room, Rows, Texts, write

with event.install_recorder("numba:compile") as compiled:
    no = np.zeros(0, np.int64)
    rows = Rows(heads=Texts.of([b"m "]), head=np.zeros(1, np.int32), times=np.array([7]), own=no,
        ids=no, cells=np.array([[1.5]]).view(np.int64), states=np.zeros((0, 0), np.uint8))
    print(bytes(write(rows, Fields.of(["a"], [""], "d", "", ""), Room())).decode().strip())
print("compiled" if compiled.buffer else "loaded")
"""


def kernels() -> dict[str, Any]:
    """Return every compiled function that Python calls, by module and name."""
    found: dict[str, Any] = {}
    for package in ("models", "cloud", "simulators", "forewarn", "benchmarks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "numba" in (text := path.read_text()) or "life.compiled" in text:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                found |= {
                    f"{name}.{key}": kernel
                    for key, kernel in vars(import_module(name)).items()
                    if isinstance(kernel, Dispatcher) and kernel.__module__ == name
                }
    return {
        name: kernel for name, kernel in found.items() if not isinstance(kernel._cache, NullCache)
    }


def files_of(kernel: Any) -> dict[str, Any]:
    """Return the files that a kernel is compiled from, and a function of each."""
    found, seen, todo = {}, set(), [kernel.py_func]
    while todo:
        function = todo.pop()
        if function in seen:
            continue
        seen.add(function)
        found[str(Path(function.__code__.co_filename).relative_to(ROOT))] = function
        variables = inspect.getclosurevars(function)
        named = [*variables.globals.values(), *variables.nonlocals.values()]
        for module in [value for value in named if isinstance(value, ModuleType)]:
            named += [getattr(module, name, None) for name in function.__code__.co_names]
        todo += [value.py_func for value in named if isinstance(value, Dispatcher)]
    return found


def test_every_kernel_is_renewed_with_every_file_it_is_compiled_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {}
    for name, kernel in kernels().items():
        assert isinstance(kernel._cache, Cache), f"{name}: numba looks at its own file alone"
        before, files[name] = build_of(kernel.py_func), files_of(kernel)
        for file, function in files[name].items():
            with monkeypatch.context() as patch:
                code = function.__code__
                patch.setattr(
                    function, "__code__", code.replace(co_consts=(*code.co_consts, "new"))
                )
                assert build_of(kernel.py_func) != before, f"{name} does not see {file}"
        assert build_of(kernel.py_func) == before
    assert "cloud/telemetry/influx/digits.py" in files["cloud.telemetry.influx.lines._write"]
    assert {"models/life/gamma.py", "models/fleet/quiet.py"} <= {*files["models.fleet.kernel.run"]}


def test_an_upgrade_of_what_a_kernel_calls_takes_effect(tmp_path: Path) -> None:
    for package in ("cloud", "models"):
        ignored = shutil.ignore_patterns("__pycache__", "ui")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    cloud = tmp_path / "cloud"

    def said() -> list[str]:
        out = subprocess.run(
            [sys.executable, "-c", LINES],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "c")},
            capture_output=True,
            text=True,
            check=True,
        )
        return out.stdout.splitlines()

    def change(file: str, old: str, new: str) -> None:
        text = (cloud / file).read_text()
        assert old in text
        (cloud / file).write_text(text.replace(old, new))

    assert said() == ["m a=1.5 7", "compiled"]
    assert said() == ["m a=1.5 7", "loaded"]
    change("telemetry/influx/digits.py", "EXPONENT = 46,", "EXPONENT = 44,")  # comma for point
    assert said() == ["m a=1,5 7", "compiled"]
    change("intrinsics.py", "_BYTE, _WORD = ", "_BYTE, _WORD  = ")  # builds instructions
    assert said() == ["m a=1,5 7", "compiled"]
