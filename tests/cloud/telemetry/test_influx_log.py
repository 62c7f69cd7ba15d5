"""The shipment in hand on disk: what is written is read again, and nothing else."""

import errno
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cloud.errors import StoreFull
from cloud.telemetry.influx.lines import BLOCK, Room
from cloud.telemetry.influx.log import ShipmentLog
from cloud.telemetry.influx.shipment import Shipment


def test_a_torn_shipment_leaves_the_one_before(tmp_path: Path) -> None:
    log = ShipmentLog(tmp_path)
    assert log.last is None
    log.note(Shipment(3, [("raw", b"a 1\n"), ("ever", b"b 2\n")]))
    log.note(Shipment(4, [("raw", b"c 3\n" * 1000)]))
    again = ShipmentLog(tmp_path)
    assert again.last == Shipment(4, [("raw", b"c 3\n" * 1000)])
    again.note(Shipment(5, [("raw", b"d 4\n")]))
    newest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    data = bytearray(newest.read_bytes())
    for at in range(1, 30):
        newest.write_bytes(bytes(data[:at]))
        assert ShipmentLog(tmp_path).last == Shipment(4, [("raw", b"c 3\n" * 1000)])
    data[40] ^= 1
    newest.write_bytes(bytes(data))
    assert ShipmentLog(tmp_path).last == Shipment(4, [("raw", b"c 3\n" * 1000)])


def in_blocks(body: bytes) -> memoryview:
    """Return a body at a place where a block of a file may begin, as lines are made."""
    room = Room()
    room.free(len(body))[: len(body)] = np.frombuffer(body, np.uint8)
    return room.use(len(body))


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, 2 * BLOCK, 3 * BLOCK + 1])
def test_a_shipment_whose_blocks_lie_in_memory_is_read_as_it_was(tmp_path: Path, size: int) -> None:
    one, two = b"1" * size, b"2" * (size + 5)
    log = ShipmentLog(tmp_path)
    log.note(Shipment(8, [("raw", b"before")]))
    log.note(Shipment(9, [("raw", in_blocks(one)), ("ever", b"small"), ("raw", in_blocks(two))]))
    wanted = Shipment(9, [("raw", one), ("ever", b"small"), ("raw", two)])
    assert ShipmentLog(tmp_path).last == wanted
    newest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_size)
    data = newest.read_bytes()
    for at in (data.find(b"111"), data.rfind(b"222")):
        newest.write_bytes(data[:at] + b"3" + data[at + 1 :])
        assert ShipmentLog(tmp_path).last == Shipment(8, [("raw", b"before")])
    log.note(Shipment(10, [("ever", in_blocks(one))]))
    log.note(Shipment(11, []))
    assert ShipmentLog(tmp_path).last == Shipment(11, [])


def test_a_shipment_of_more_bodies_than_one_call_writes(tmp_path: Path) -> None:
    bodies = [(name, in_blocks(name.encode() * BLOCK)) for name in "ab" * 600]
    ShipmentLog(tmp_path).note(Shipment(3, bodies))
    wanted = [(name, bytes(body)) for name, body in bodies]
    assert ShipmentLog(tmp_path).last == Shipment(3, wanted)


def test_a_disk_that_fetches_nothing_from_memory_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refusing(path: Path, flags: int, mode: int) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", refusing)
    ShipmentLog(tmp_path).note(Shipment(3, [("raw", in_blocks(b"1" * 2 * BLOCK))]))
    assert ShipmentLog(tmp_path).last == Shipment(3, [("raw", b"1" * 2 * BLOCK)])


@pytest.mark.parametrize("taken", [lambda size: size // 2, lambda size: size // 2 // BLOCK * BLOCK])
def test_what_the_disk_takes_in_parts_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: Callable[[int], int]
) -> None:
    def short(fd: int, parts: list[memoryview], at: int) -> int:
        whole = in_blocks(b"".join(parts))
        return os.pwrite(fd, whole[: taken(len(whole)) or len(whole)], at)

    monkeypatch.setattr(os, "pwritev", short)
    bodies = [("raw", b"1" * (9 * BLOCK + 7)), ("ever", b"2" * 5 * BLOCK)]
    ShipmentLog(tmp_path).note(Shipment(3, [(bucket, in_blocks(body)) for bucket, body in bodies]))
    assert ShipmentLog(tmp_path).last == Shipment(3, [*bodies])


def test_a_disk_that_takes_nothing_more_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwritev", lambda *_: 0)
    with pytest.raises(StoreFull, match="No space left"):
        ShipmentLog(tmp_path).note(Shipment(3, [("raw", b"a 1\n")]))


@pytest.mark.parametrize(("magic", "length"), [(0xF0E1_0001, 7), (0xF0E1_0002, 15)])
def test_a_damaged_length_is_no_shipment(tmp_path: Path, magic: int, length: int) -> None:
    for size in (0, 3, length):
        body = bytes(size)
        head = struct.pack("<IIQq", magic, zlib.crc32(body), size, 5)
        (tmp_path / "shipment-a").write_bytes(head + body)
        assert ShipmentLog(tmp_path).last is None


def test_the_position_is_the_one_that_was_summed(tmp_path: Path) -> None:
    ShipmentLog(tmp_path).note(Shipment(7, [("raw", b"a 1\n")]))
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[17] ^= 1
    path.write_bytes(data)
    assert ShipmentLog(tmp_path).last == Shipment(7, [("raw", b"a 1\n")])


def test_a_shipment_of_an_earlier_version_is_sent(tmp_path: Path) -> None:
    rest = struct.pack("<q", 5)
    for bucket, body in ((b"raw", b"a 1\n"), (b"ever", b"b 2\n")):
        rest += struct.pack("<HI", len(bucket), len(body)) + bucket + body
    head = struct.pack("<IIQq", 0xF0E1_0001, zlib.crc32(rest), len(rest), 5)
    (tmp_path / "shipment-a").write_bytes(head + rest + b"what was there before")
    assert ShipmentLog(tmp_path).last == Shipment(5, [("raw", b"a 1\n"), ("ever", b"b 2\n")])
