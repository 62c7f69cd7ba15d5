"""A story: a fleet in which the seed draws which machines fail, when and how fast."""

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


def draw(seed: int, machines: int = 24, failing: int = 1, days: float = DAYS) -> Scenario:
    """Return the story of a seed: `machines` of four types, `failing` of which fail.

    The onset is uniform in `ONSET_D`, the life from then on in `LIFE_D` (days at mean use), and
    every machine begins with some wear.
    """
    if not 0 <= failing <= machines or machines < 1:
        raise ValueError(f"of at least 1 machine 0 to all may fail, not {failing} of {machines}")
    chance = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    profiles = list(CAST)
    fails = set(chance.choice(machines, failing, replace=False).tolist())
    entries = []
    expected: list[Expectation] = []
    for i in range(machines):
        profile = profiles[i % len(profiles)]
        name, component, mode, worn = CAST[profile]
        key = f"{name}-{i // len(profiles) + 1:02d}"
        used = {part: round(float(chance.uniform(0, most)), 4) for part, most in worn.items()}
        faults: tuple[WearEntry, ...] = ()
        if i in fails:
            onset, life = chance.uniform(*ONSET_D), chance.uniform(*LIFE_D)
            faults = (
                WearEntry(component=component, onset_d=round(onset, 2), life_d=round(life, 2)),
            )
            expected.append(Expectation(machine=key, mode=mode))
        entries.append(MachineEntry(key=key, profile=profile, used=used, faults=faults))
    return Scenario(
        name=f"story-{seed}",
        title=f"{failing} of {machines} machines fail",
        seed=seed,
        days=days,
        interval_s=DAY_S / 24,
        machines=tuple(entries),
        expect=tuple(expected),
    )
