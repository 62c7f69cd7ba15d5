"""The service's own disk, on a file system that is really full."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.disk import Room
from tests.mounts import small_disk

MB = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 MB."""
    with small_disk(tmp_path, "200m") as disk:
        yield disk


def fill(folder: Path, size: int) -> Path:
    path = folder / "filler"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    return path


def test_intake_stops_below_the_share_gives_the_reserve_back_and_resumes(small: Path) -> None:
    room = Room(small, 5.0)
    assert room.enough()
    assert (small / "reserve").stat().st_size == 2 * MB
    filler = fill(small, 192 * MB)
    assert not room.enough()
    assert not (small / "reserve").exists()
    assert f"{small}: " in str(room.shortage)
    assert "bytes are free" in str(room.shortage)
    os.truncate(filler, 188 * MB)
    assert not room.enough(), "it does not flutter at the edge"
    os.truncate(filler, 100 * MB)
    assert room.enough()
    assert str(room.shortage) == "None"
    assert (small / "reserve").exists()


def test_a_disk_that_is_low_from_the_start_makes_no_reserve(small: Path) -> None:
    fill(small, 195 * MB)
    assert not Room(small, 5.0).enough()
    assert not (small / "reserve").exists()
