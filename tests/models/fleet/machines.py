"""Rows for the fleet's tests: blocks from columns, streams with every kind of trouble, cuts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.profile import Profile, parse_profile
from models.rows import Block, Tick

S = 1_000_000_000
DAY = 86_400
START = 1_790_000_000 * S

PUMP = parse_profile(
    """
name = "pump"
version = 1
title = { en = "Pump" }
planning_d = 2.0

[signals.load]
role = "context"

[signals.vibration]
unit = "mm/s"
title = { en = "Vibration (RMS)", zh = "振动（有效值）" }
worse = "high"
limits = { alert_high = 4.5, alarm_high = 7.1, rate = 50.0 }
stuck_after_s = 7200.0

[signals.temperature]
unit = "Cel"
limits = { alarm_low = -50.0, alarm_high = 150.0 }

[signals.hours]
role = "counter"

[consumables.bearing]
title = { en = "Bearing" }
part = "B-1"
indicator = "vibration"
limit = 7.1

[consumables.seal]
title = { en = "Seal" }
part = "S-1"
counter = "hours"
rated = 8000.0

[failure_modes.bearing-wear]
component = "bearing"
title = { en = "Bearing wear" }
action = { en = "Replace the bearing." }
signals = ["vibration"]
life = true
"""
)
PROFILES: Mapping[str, Profile] = {"pump": PUMP}


def block(
    machine: str,
    times_ns: Sequence[int] | NDArray[np.int64],
    columns: Mapping[str, Sequence[float] | NDArray[Any]],
    *,
    n: int = 0,
    received_ns: int | None = None,
    quality: Mapping[str, NDArray[np.uint8]] | None = None,
) -> Block:
    times = np.asarray(times_ns, np.int64)
    return Block(
        n=n,
        machine=machine,
        device="acme.gw",
        boot="boot0001",
        stream="live",
        seq=0,
        times_ns=times,
        received_ns=int(times[-1]) if received_ns is None else received_ns,
        signals=tuple(columns),
        columns=tuple(np.asarray(c) for c in columns.values()),
        quality=dict(quality or {}),
    )


def cut(item: Block, at: int) -> Iterator[Block]:
    """Cut one block in two at a row."""
    for part in (slice(None, at), slice(at, None)):
        yield msgspec.structs.replace(
            item,
            times_ns=item.times_ns[part],
            columns=tuple(c[part] for c in item.columns),
            quality={k: v[part] for k, v in item.quality.items()},
            missing={k: v[part] for k, v in item.missing.items()},
        )


def stream(seed: int, blocks: int = 60) -> list[Block | Tick]:
    """Return blocks of four machines and ticks, with faults, gaps, repeats and late rows."""
    rng = np.random.default_rng(seed)
    clock = dict.fromkeys(("a.wall", "a.data", "a.unbound", "a.slow"), START)
    rows: list[Block | Tick] = []
    now = START
    for n in range(blocks):
        now += int(rng.integers(1, 40)) * 60 * S
        if rng.random() < 0.4:
            rows.append(Tick(n=n, at_ns=now))
            continue
        name = str(rng.choice(list(clock)))
        step = 3 * 3600 if name == "a.slow" else int(rng.choice([60, 600, 7200]))
        count = int(rng.integers(1, 30))
        times = clock[name] + np.cumsum(rng.choice([0, 1, 1, 1, 1], count)) * step * S
        if rng.random() < 0.15:
            times[rng.integers(count)] -= 10 * step * S
        clock[name] = int(times.max()) + step * S
        drift = n / blocks * 8.0 * (rng.random() < 0.5)
        columns: dict[str, NDArray[Any]] = {
            "load": rng.normal(50, 5, count).round(1),
            "vibration": (rng.normal(1.5 + drift, 0.2, count)).astype(np.float32),
            "temperature": np.where(rng.random(count) < 0.1, np.nan, rng.normal(60, 2, count)),
            "hours": np.arange(count) + (n * 40) % 700,
        }
        if rng.random() < 0.3:
            columns.pop(str(rng.choice(list(columns))))
        if rng.random() < 0.2:
            columns["new"] = rng.random(count) < 0.5
        if rng.random() < 0.2:
            columns["temperature"] = np.full(count, 61.0)
        if rng.random() < 0.2:
            columns["vibration"] = np.full(count, 1.5)
        quality = {next(iter(columns)): rng.choice([0, 0, 1, 2, 3], count).astype(np.uint8)}
        rows.append(block(name, times, columns, n=n, received_ns=now, quality=quality))
    return rows
