"""The conformance suite on the embedded store: as it is, and compacting after every write."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from cloud.telemetry import checks, process_checks
from cloud.telemetry.sqlite import SqliteTelemetry
from models.rows import Block


class Eager(SqliteTelemetry):
    """Compacts whatever is there after each write, so that every answer comes from frames."""

    def write(self, blocks: Sequence[Block], position: int) -> None:
        super().write(blocks, position)
        self.compact()


class Sparse(SqliteTelemetry):
    """Compacts after every third write, so that answers come from frames and fresh rows."""

    def write(self, blocks: Sequence[Block], position: int) -> None:
        super().write(blocks, position)
        if position % 3 == 0:
            self.compact()


def sparse(path: Path) -> SqliteTelemetry:
    return Sparse(path, background=False, hold_s=0.0)


def eager(path: Path) -> SqliteTelemetry:
    return Eager(path, background=False, hold_s=0.0)


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("open_store", [SqliteTelemetry, eager, sparse])
def test_conforms(
    check: Callable[..., None], open_store: Callable[[Path], SqliteTelemetry], tmp_path: Path
) -> None:
    check(open_store, tmp_path)


@pytest.mark.parametrize("check", process_checks.PROCESS_CHECKS, ids=lambda check: check.__name__)
def test_conforms_across_processes(check: Callable[..., None], tmp_path: Path) -> None:
    check(SqliteTelemetry, tmp_path)


@pytest.mark.long
def test_survives_many_kills(tmp_path: Path) -> None:
    partial(process_checks.survives_being_killed, kills=100)(SqliteTelemetry, tmp_path)
