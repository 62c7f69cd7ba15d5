"""The demo's story: a fleet in which the seed draws which machine fails, when and how fast."""

from typing import Final

import numpy as np

from simulators.scenario import DAY_S, Expectation, MachineEntry, Scenario, WearEntry

#: profile -> (key, component and failure mode of the demo, most wear at the beginning by component)
CAST: Final = {
    "centrifugal-pump": ("pump", "bearing", "bearing-wear", {"bearing": 0.3}),
    "air-purifier": ("purifier", "filter", "filter-clogged", {"filter": 0.25}),
    "office-printer": (
        "printer",
        "drum",
        "drum-worn",
        {"drum": 0.3, "fuser": 0.5, "toner": 0.1},
    ),
    "battery-pack": ("battery", "cells", "capacity-fade", {"cells": 0.4}),
}
ONSET_D: Final = (16.0, 28.0)
LIFE_D: Final = (10.0, 24.0)
DAYS: Final = 60.0


def draw(seed: int, machines: int = 24) -> Scenario:
    """Return the story of a seed: `machines` of four types, one of which fails.

    The onset is uniform in `ONSET_D`, the life from then on in `LIFE_D` (days at mean use), and
    every machine begins with some wear.
    """
    if machines < 1:
        raise ValueError(f"a fleet has at least 1 machine, not {machines}")
    chance = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    profiles = list(CAST)
    fails = int(chance.integers(machines))
    entries = []
    expected: tuple[Expectation, ...] = ()
    for i in range(machines):
        profile = profiles[i % len(profiles)]
        name, component, mode, worn = CAST[profile]
        key = f"{name}-{i // len(profiles) + 1:02d}"
        used = {part: round(float(chance.uniform(0, most)), 4) for part, most in worn.items()}
        faults: tuple[WearEntry, ...] = ()
        if i == fails:
            onset, life = chance.uniform(*ONSET_D), chance.uniform(*LIFE_D)
            faults = (
                WearEntry(component=component, onset_d=round(onset, 2), life_d=round(life, 2)),
            )
            expected = (Expectation(machine=key, mode=mode),)
        entries.append(MachineEntry(key=key, profile=profile, used=used, faults=faults))
    return Scenario(
        name=f"demo-{seed}",
        title="One machine of a fleet fails",
        seed=seed,
        days=DAYS,
        interval_s=DAY_S / 24,
        machines=tuple(entries),
        expect=expected,
    )


def healthy(seed: int, machines: int, days: float) -> Scenario:
    """Return a fleet of the same kind in which nothing fails."""
    story = draw(seed, machines)
    entries = tuple(MachineEntry(key=m.key, profile=m.profile, used=m.used) for m in story.machines)
    return Scenario(name=f"healthy-{seed}", seed=seed, days=days, machines=entries)
