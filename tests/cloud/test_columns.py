"""Batches' columns as arrays: what blocks hold, and what they say that they hold."""

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from cloud.decode import Decoder
from cloud.ingest import Ingest
from cloud.journal import SegmentJournal
from cloud.quota import Limits, Quota
from cloud.reader import Arrived
from cloud.sequence import Sequencer
from models.contract.messages import Column, MachineRef
from models.rows import Block, size_of
from tests.cloud.wires import batch, birth, floats, up

DICTIONARY = "01234567"
T_LATER = 1_790_100_000 * 10**9


class Way:
    """Messages on their way to blocks."""

    def __init__(self, folder: Path) -> None:
        self.journal = SegmentJournal(folder)
        self.ingest = Ingest(self.journal, Sequencer(), Quota(Limits(device_values_per_s=0)))
        self.decoder = Decoder()

    def blocks(self, group: Sequence[Arrived]) -> list[Block]:
        handled = self.ingest.handle(group, T_LATER)
        items = self.decoder.decode(handled.records, handled.messages)
        return [item for item in items if isinstance(item, Block)]


def singles(names: Sequence[str], seq: int) -> dict[str, Column]:
    return {name: Column(type="f", data=np.array([seq], np.float32).tobytes()) for name in names}


def doubles(names: Sequence[str], seq: int) -> dict[str, Column]:
    return {name: floats([float(seq)]) for name in names}


@pytest.mark.parametrize(
    ("columns", "machines", "signals"), [(doubles, 5, 40), (doubles, 5, 200), (singles, 1, 100)]
)
def test_blocks_take_about_what_they_say(
    tmp_path: Path,
    columns: Callable[[Sequence[str], int], dict[str, Column]],
    machines: int,
    signals: int,
) -> None:
    path = Way(tmp_path)
    keys = {f"m{m}": MachineRef() for m in range(machines)}
    path.blocks([up(birth(keys, dictionary=DICTIONARY), "birth")])
    names = [f"{key}/signal{i}" for key in keys for i in range(signals)]

    def group(first: int) -> list[Arrived]:
        made = (columns(names, seq) for seq in range(first, first + 20))
        return [
            up(batch(seq, [0.0], columns=one, dictionary=DICTIONARY))
            for seq, one in enumerate(made, first)
        ]

    path.blocks(group(0))
    groups = [group(20 * i) for i in range(1, 4)]
    gc.collect()
    tracemalloc.start()
    kept = [block for one in groups for block in path.blocks(one)]
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    path.journal.close()
    assert len(kept) == 60 * machines
    assert size_of(kept) / 2 < taken < 2 * size_of(kept)


def test_columns_that_alternate_between_machines_are_told_apart(tmp_path: Path) -> None:
    path = Way(tmp_path)
    path.blocks([up(birth({"a": MachineRef(), "b": MachineRef()}, dictionary=DICTIONARY), "birth")])
    names = ["a/x", "b/x", "a/y", "b/y", "b/z"]
    for seq in (0, 1):  # the second one by the template
        given = {name: floats([10.0 * seq + i]) for i, name in enumerate(names)}
        first, second = path.blocks([up(batch(seq, [0.0], columns=given, dictionary=DICTIONARY))])
        assert (first.signals, second.signals) == (("x", "y"), ("x", "y", "z"))
        assert np.array(first.columns).ravel().tolist() == [10.0 * seq, 10.0 * seq + 2]
        assert np.array(second.columns).ravel().tolist() == [10.0 * seq + i for i in (1, 3, 4)]
    path.journal.close()
