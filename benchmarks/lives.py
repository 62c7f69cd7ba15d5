"""Estimates of remaining life a CPU-second, beside a naive peer that fits a line to each part.

An estimate is one reading of one part taken, its state moved forward, and the band of its life
made. One core, everything warm, the same readings. The peer keeps the last 64 readings of each part
and fits a least-squares line with numpy's `polyfit`, which gives no band.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure, cpu
from models.fleet import Fleet
from models.fleet.estimate import estimate
from models.fleet.lives import Lives
from models.fleet.renewal import Lines
from models.life import online
from models.life.compiled import entry
from models.life.gamma import passage
from models.life.replacement import NEW, verdict
from models.life.wiener import PART, WEAR, begin, read
from models.profile import load_profiles
from models.rows import Block
from simulators.plants import PLANTS, Specimen

PARTS: Final = 10_000
READINGS: Final = 60
PEER_PARTS: Final = 200
REPEATS: Final = 3
WINDOW: Final = 64
ESTIMATES: Final = 20_000  #: of each part of the live path
LIVE: Final = {
    "office-printer": "three parts of a printer",
    "air-purifier": "a filter, by flow and season",
    "centrifugal-pump": "a bearing",
}
START_NS: Final = 1_790_000_000 * 10**9
KINDS: Final = (
    ("centrifugal-pump", "bearing"),
    ("air-purifier", "filter"),
    ("office-printer", "drum"),
    ("battery-pack", "cells"),
)


def readings(parts: int) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
    """Return settings (parts,), uses (readings, parts) and indicators (readings, parts).

    Parts of four kinds, from 0 to 80 % of wear on, that wear by a quarter of their life.
    """
    chance = np.random.default_rng(7)
    profiles = load_profiles()
    usual = np.zeros(parts, PART)
    kinds = [online.usual(profiles[p].consumables[c])[0] for p, c in KINDS]
    for i in range(parts):
        usual[i] = kinds[i % len(kinds)]
    begin = chance.uniform(0.0, 0.8, parts)
    uses = np.linspace(0.0, 0.25, READINGS)[:, None] + begin
    wear = begin + (uses - begin) * np.exp(0.2 * chance.standard_normal(parts))
    values = np.empty((READINGS, parts))
    points = np.linspace(0.0, 1.0, usual["curve"].shape[1])
    for i in range(parts):
        curve = usual["curve"][i]
        clean = np.interp(wear[:, i], points, curve)
        noise = 0.005 * abs(curve[-1] - curve[0])
        values[:, i] = clean + noise * chance.standard_normal(READINGS)
    return usual, uses, values


@entry
def step(
    wears: NDArray[Any],
    parts: NDArray[Any],
    uses: NDArray[np.float64],
    values: NDArray[np.float64],
    use: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Take one reading of every part (n,) and write every band, as the live path does."""
    now = np.empty(1, WEAR)
    for i in range(len(wears)):
        s, c = wears[i], parts[i]
        if s.begun == 0:
            begin(s, c, uses[i], False)
        if verdict(s, c, uses[i], values[i], s.noise) < NEW:
            read(s, c, uses[i], values[i])
        now[0] = s
        out[i, 0], out[i, 1], out[i, 2] = passage(now[0], c, use)
        out[i, 3] = min(max(1.0 - s.w, 0.0), 1.0)
        out[i, 4] = s.r


def ours(parts: int) -> float:
    """Return estimates a CPU-second, median of three runs."""
    usual, uses, values = readings(parts)
    rates = []
    out = np.empty((parts, 5))
    use = np.array([1.0 / (400.0 * 86_400.0), 0.0, 0.0, 0.0])
    for _ in range(REPEATS + 1):  # the first run compiles
        wears = np.zeros(parts, WEAR)
        wears["noise"] = 1e-4
        started = cpu()
        for k in range(READINGS):
            step(wears, usual, uses[k], values[k], use, out)
        rates.append(parts * READINGS / (cpu() - started))
    return float(np.median(rates[1:]))


@entry
def all_due(
    lines: Lines, lanes: NDArray[Any], histories: NDArray[Any], times: int, share: float
) -> None:
    """Let every life of a machine take its newest point and be estimated, so many times."""
    for _ in range(times):
        for i in range(len(histories)):
            histories[i].due = 1
        i = lines.first[0]
        while i >= 0:
            if lines.followed[i].indicator >= 0:
                past = histories[lanes[lines.followed[i].indicator].history]
                lines.wears[i].last_s = past.time[past.points - 2]
            i = lines.followed[i].next
        estimate(lines.first[0], lines, lanes, histories, share)


def in_the_fleet(name: str, times: int) -> float:
    """Return estimates a CPU-second as the live path makes them, with histories and bookkeeping.

    A machine of a type after 80 days, in the compiled function that the scoring core calls at the
    rows that ask for it; each estimate takes one new point of the indicator.
    """
    profile = load_profiles()[name]
    parts = PLANTS[name]([Specimen(key="bench")], 7).components
    plant = PLANTS[name]([Specimen(key="bench", used=dict.fromkeys(parts, 0.3))], 7)
    times_s = np.arange(80.0 * 24.0) * 3600.0
    values = plant.sample(times_s)[:, 0]
    fleet = Fleet({name: profile})
    fleet.bind("bench", name, "data")
    times_ns = START_NS + (times_s * 1e9).astype(np.int64)
    block = Block(
        n=0,
        machine="bench",
        device="bench",
        boot="bench",
        stream="live",
        seq=0,
        times_ns=times_ns,
        received_ns=int(times_ns[-1]),
        signals=plant.signals,
        columns=tuple(np.ascontiguousarray(values.T)),
    )
    fleet.observe([block])
    state, lives = fleet.snapshot(), Lives(0.1)
    lives.load(state)
    lives.follow(0, profile, {str(signal): i for i, signal in enumerate(state["signals"])})
    lines = lives.lines()
    rates = []
    for _ in range(REPEATS + 1):
        begin = cpu()
        all_due(lines, state["lanes"], state["histories"], times, 0.1)
        rates.append(times * len(profile.consumables) / (cpu() - begin))
    return float(np.median(rates[1:]))


def naive(parts: int) -> float:
    """Return estimates a CPU-second of the least-squares line, the best of three runs."""
    usual, uses, values = readings(parts)
    limits = usual["curve"][:, -1]
    rates = []
    for _ in range(REPEATS):
        begin = cpu()
        for k in range(8, READINGS):
            first = max(0, k - WINDOW)
            for i in range(parts):
                slope, level = np.polyfit(uses[first:k, i] - uses[k, i], values[first:k, i], 1)
                _ = (limits[i] - level) / slope if slope != 0.0 else np.inf
        rates.append(parts * (READINGS - 8) / (cpu() - begin))
    return max(rates)


def run() -> Iterator[Figure]:
    """Yield the figures."""
    fast, slow = ours(PARTS), naive(PEER_PARTS)
    yield Figure("a reading taken and a band made", fast, "estimates/CPU-s")
    for name, parts in LIVE.items():
        live = in_the_fleet(name, ESTIMATES)
        yield Figure(f"live path, {parts} (goal 200,000)", live, "estimates/CPU-s")
    yield Figure("numpy polyfit over 64 readings, no band", slow, "estimates/CPU-s")
    yield Figure("ratio", fast / slow, "x")
