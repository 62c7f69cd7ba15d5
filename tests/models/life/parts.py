"""Parts whose truth is known, for the tests of wear: profiles, states, readings."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from models.life import online
from models.life.online import foresee, taken
from models.life.wiener import WEAR, begin
from models.profile import Consumable

DAY = 86_400.0
FILTER = Consumable(
    title={},
    part="f",
    indicator="drop",
    limit=200.0,
    curve=(100.0, 120.0, 150.0, 200.0),
    new_spread=2.0,
    life_d=400.0,
    spread=0.2,
    varies=0.3,
)
FALLING = Consumable(
    title={},
    part="b",
    indicator="health",
    limit=80.0,
    worse="low",
    curve=(100.0, 95.0, 80.0),
    life_d=400.0,
    spread=0.2,
    varies=0.3,
)
NOISE = 0.5


def state(noise: float = NOISE) -> Any:
    """Return the state (1,) of a part that was never read."""
    wears = np.zeros(1, WEAR)
    wears["noise"] = noise**2
    return wears


def indicator(part: Consumable, wear: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """Return noisy readings of a part's indicator at some wear (n,)."""
    curve = online.usual(part)[0]["curve"]
    clean: np.ndarray = np.interp(wear, np.linspace(0.0, 1.0, len(curve)), curve)
    read: np.ndarray = clean + noise * np.random.default_rng(seed).standard_normal(len(wear))
    return read


def follow(
    part: Consumable,
    *,
    rate: float = 1.0,
    first: float = 0.1,
    last: float = 0.5,
    count: int = 120,
    noise: float = NOISE,
    seed: int = 0,
) -> tuple[Any, Any]:
    """Return (state, settings) of a part read `count` times from one wear to another."""
    wears, usual = state(noise), online.usual(part)
    uses = np.linspace(0.0, (last - first) / rate, count)
    values = indicator(part, first + rate * uses, noise, seed)
    begin(wears[0], usual[0], 0.0, False)
    assert take(wears, usual, uses, values) == count
    return wears, usual


def take(wears: Any, usual: Any, uses: Iterable[float], values: Iterable[float]) -> int:
    """Take readings after so many usual lives each; return how many come before a new part's."""
    for n, (used, value) in enumerate(zip(uses, values, strict=True)):
        if not taken(wears[0], usual[0], float(used), float(value)):
            return n
    return n + 1


def band(wears: Any, usual: Any, life_d: float = 400.0) -> np.ndarray:
    """Return (p10, p50, p90, fraction, slope) at the newest reading, in days."""
    out, now = np.zeros(5), wears.copy()
    use = np.array([1.0 / (life_d * DAY), 0.0, 0.0, 0.0])
    foresee(now[0], usual[0], float(now[0]["use"]), use, out)
    out[:3] /= DAY
    return out
