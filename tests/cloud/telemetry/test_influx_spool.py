"""What waits for InfluxDB, in memory and on disk."""

import errno
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloud.errors import StoreBusy, StoreFull
from cloud.telemetry.checks import T0, block
from cloud.telemetry.influx.spool import Spool


def test_what_waits_keeps_its_order_across_memory_and_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path, memory_bytes=3000, disk_bytes=1 << 20)
    taken = []
    for n in range(40):
        quality = {"temp": np.array([n % 4], np.uint8)}
        missing = {"mode": np.array([n % 2 == 0])}
        columns = {"temp": np.array([n / 7]), "mode": np.array([n])}
        one = block([T0 + n], columns, n=n, seq=n, quality=quality, missing=missing)
        spool.put([one], n)
        if n % 3 == 2:
            first = spool.take()
            assert first is not None
            taken.append(first)
    assert spool.waiting_bytes[1] > 0
    while (more := spool.take()) is not None:
        taken.append(more)
    assert [position for _, position in taken] == list(range(40))
    for blocks, n in taken:
        assert blocks[0].times_ns.tolist() == [T0 + n]
        assert [column.tolist() for column in blocks[0].columns] == [[n / 7], [n]]
        assert blocks[0].quality["temp"].tolist() == [n % 4]
        assert blocks[0].missing["mode"].tolist() == [n % 2 == 0]
    assert spool.waiting_bytes == (0, 0)
    assert not list(tmp_path.glob("waiting-*"))


def test_what_the_disk_takes_in_parts_waits_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nearly(io.FileIO):
        """A file on a disk that takes some bytes at a time, and from the second group on none."""

        taken = 0

        def write(self, data: Any) -> int:
            if self.taken > 2_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            done = super().write(memoryview(data)[:700])
            self.taken += done
            return done

    monkeypatch.setattr(Path, "open", lambda path, mode, **_: Nearly(path, mode))
    spool = Spool(tmp_path, memory_bytes=1, disk_bytes=1 << 20)
    for n in range(2):  # the first waits in memory
        spool.put([block(np.arange(100), {"temp": np.arange(100.0)})], n)
    with pytest.raises(StoreFull, match="No space left"):
        spool.put([block(np.arange(100), {"temp": np.arange(100.0)})], 2)
    taken = [spool.take(), spool.take(), spool.take()]
    assert [one and one[1] for one in taken] == [0, 1, None]
    assert taken[1] is not None
    assert taken[1][0][0].columns[0].tolist() == list(range(100))


def test_more_than_may_wait_is_refused_with_the_settings_name(tmp_path: Path) -> None:
    spool = Spool(tmp_path, memory_bytes=1, disk_bytes=2000)
    big = block(np.arange(1000), {"temp": np.arange(1000.0)})
    spool.put([big], 0)
    with pytest.raises(StoreBusy, match=r"telemetry\.spool_mb"):
        spool.put([big], 1)

    assert [one and one[1] for one in (spool.take(), spool.take())] == [0, None]
