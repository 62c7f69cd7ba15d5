"""Hostile messages: only `ContractError` comes out, and a second reader agrees on each."""

import os
import struct
from collections import Counter
from typing import Any

import pytest

from models.contract import codec, topics
from models.contract.errors import ContractError
from models.contract.messages import Batch, Column
from tests.models.contract.fuzz import mutants
from tests.models.contract.reader import Seen, judge


def values(column: Column) -> list[Any]:
    """Return a column's values as Python has them, None = missing."""
    items = list(struct.unpack(f"<{len(column)}{column.type}", column.data))
    if column.missing is not None:
        return [None if gone else v for v, gone in zip(items, column.missing, strict=True)]
    return [None if v != v else v for v in items]


def verdict(topic: str, payload: bytes) -> Seen:
    """Put the codec's answer in the other reader's terms. Other errors than ours fly through."""
    try:
        parsed = topics.parse(topic)
        message = codec.decode(parsed, payload)
    except ContractError as error:
        return Seen("invalid", why=str(error.reason))
    boot = getattr(message, "boot", None)
    if not isinstance(message, Batch):
        return Seen("valid", boot=boot)
    steps = message.offsets_ns
    offsets = [steps * i for i in range(message.count)] if isinstance(steps, int) else list(steps)
    return Seen(
        "partly" if message.broken else "valid",
        boot=boot,
        seq=message.seq,
        count=message.count,
        columns={name: values(column) for name, column in message.columns.items()},
        broken=sorted(part.name for part in message.broken),
        offsets_ns=offsets,
        t0_ns=message.t0_ns,
    )


def compare(seed: int, count: int) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for topic, payload in mutants(seed, count):
        ours, theirs = verdict(topic, payload), judge(topic, payload)
        outcomes[ours.verdict] += 1
        outcomes[f"reason {ours.why}"] += ours.verdict == "invalid"
        theirs.broken = sorted(name[:120] for name in theirs.broken)
        ours.why, ours.kind = theirs.why, theirs.kind
        assert ours == theirs, (topic, payload)
    return outcomes


def test_two_readers_agree_on_mutants() -> None:
    outcomes = compare(seed=1, count=10_000)
    assert outcomes["valid"] + outcomes["partly"] + outcomes["invalid"] == 10_000
    assert min(outcomes["valid"], outcomes["partly"], outcomes["invalid"]) > 500


@pytest.mark.long
def test_two_readers_agree_on_very_many_mutants() -> None:
    count = int(os.environ.get("FOREWARN_MUTANTS", "1000000"))
    outcomes = compare(seed=2, count=count)
    assert outcomes["valid"] + outcomes["partly"] + outcomes["invalid"] == count


def test_the_same_seed_gives_the_same_mutants() -> None:
    assert list(mutants(3, 200)) == list(mutants(3, 200))
    assert list(mutants(3, 200)) != list(mutants(4, 200))
