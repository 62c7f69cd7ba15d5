"""Lives of simulated consumables beside the truth: bands, new parts, counters that are set back.

`python -m benchmarks.evaluation.consumables [--units 1000] [--keep FOLDER] [--dry]` runs every
plant through the fleet as the service does, and writes the section `consumables` of
`docs/reference/evaluation.md`. It needs no recordings. Each unit is judged once, at a random time,
so the units are independent.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation import consumables_tickets
from benchmarks.evaluation.consumables_units import (
    DAY_S,
    GROUP,
    LONGEST_D,
    PARTS,
    PROFILES,
    SEED,
    UNITS,
    Unit,
    interval,
    line_d,
    mean_d,
    specimens,
)
from benchmarks.evaluation.page import write_section
from models.life.replacement import FELL_CERTAIN
from simulators.plants import PLANTS, Array, Plant, Specimen, printer


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One unit at one time: true life left, band and peers in days, wear, life since onset."""

    true_d: float
    p10_d: float
    p50_d: float
    p90_d: float
    wear: float
    share: float  #: of the life after the onset of a fault; of the watched time without one
    line_d: float  #: least-squares line through the last 30 days of the indicator
    mean_d: float  #: what is left of the usual life at the usual use


def judge(
    profile: str, component: str, units: int, *, hours: float, fault: bool, seed: int
) -> Iterator[Judged]:
    """Yield each unit judged once, at a random time of its life."""
    chance = np.random.default_rng(seed)
    for first in range(0, units, GROUP):
        made = specimens(component, chance, first, fault)
        plant = PLANTS[profile](made, seed)
        fails = plant.fails_at(component)
        if fault:
            begin = np.array([one.faults[0].onset_s for one in made])
            end = fails
        else:
            begin = np.zeros(GROUP)
            end = np.minimum(fails, chance.uniform(20.0, LONGEST_D, GROUP) * DAY_S)
        share = chance.uniform(0.1, 0.97, GROUP)
        rows = np.maximum((begin + share * (end - begin)) / (hours * 3600.0), 80.0).astype(int)
        times: Array = np.arange(float(rows.max() + 1)) * hours * 3600.0
        values = plant.sample(times)
        for i in range(GROUP):
            k = int(rows[i])
            unit = Unit(profile, plant, times[: k + 1], values[: k + 1, i])
            unit.feed(0, k + 1)
            life, part = unit.life(component), PROFILES[profile].consumables[component]
            if (
                life.p10_s is None
                or life.p50_s is None
                or life.p90_s is None
                or fails[i] <= times[k]
            ):
                continue
            yield Judged(
                true_d=(fails[i] - times[k]) / DAY_S,
                p10_d=life.p10_s / DAY_S,
                p50_d=life.p50_s / DAY_S,
                p90_d=life.p90_s / DAY_S,
                wear=float(plant.wear(component, times[k : k + 1])[0, i]),
                share=float(share[i]),
                line_d=line_d(times[: k + 1], values[: k + 1, i], plant, part),
                mean_d=mean_d(life, times[: k + 1], values[: k + 1, i], plant, part),
            )


def row(name: str, found: Sequence[Judged]) -> str:
    """Return one line of the table of bands."""
    true = np.array([one.true_d for one in found])
    p10, p50, p90 = (
        np.array([getattr(one, f"{edge}_d") for one in found]) for edge in ("p10", "p50", "p90")
    )
    hit = (p10 <= true) & (true <= p90)
    second = np.array([one.wear for one in found]) > 0.5
    width = np.median((p90 - p10) / true)
    errors = [np.abs(p50 - true) / true]
    errors += [
        np.abs(np.array([getattr(one, peer) for one in found]) - true) / true
        for peer in ("line_d", "mean_d")
    ]
    points = " | ".join(f"{np.nanmedian(error):.2f}" for error in errors)
    return (
        f"| {name} | {len(found)} | {interval(hit)} | {interval(hit[second])} | {width:.2f} | "
        f"{points} |"
    )


def replaced(
    profile: str,
    component: str,
    units: int,
    hours: float,
    seed: int,
    worn: tuple[float, float] = (0.7, 0.98),
) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Return (wear of the old parts, (seen at the first reading, by the second, the sixth, false)).

    Units are simulated by the `GROUP`, so `units` is rounded up to whole groups. A part that is
    worn so far is replaced after ten days. Beside it all counters of an equal unit, or the part's
    own one alone, are set back to 0 at the same time, which must not be taken for a new part.
    """
    chance = np.random.default_rng(seed)
    own = PROFILES[profile].consumables[component].counter
    false, looks, wear = 0, np.zeros(4, int), []
    for start in range(0, units, GROUP):
        at = int(240 / hours) + chance.integers(0, 24, GROUP)
        made = [
            Specimen(
                key=f"r{start + i}",
                used={component: float(chance.uniform(*worn))},
                replaced_s={component: (float(at[i]) * hours * 3600.0 - 1.0,)},
            )
            for i in range(GROUP)
        ]
        times: Array = np.arange(float(at.max() + 40)) * hours * 3600.0
        plant = PLANTS[profile](made, seed)
        values = plant.sample(times)
        kept = PLANTS[profile]([Specimen(key=m.key, used=m.used) for m in made], seed)
        resets = kept.sample(times)
        wear.append(kept.wear(component, times)[at, np.arange(GROUP)])
        for i in range(GROUP):
            k = int(at[i])
            looks += np.array(fractions(profile, plant, times, values[:, i], component, k)) > NEW
            names = plant.counters if own is None or i % 2 == 0 else {own}
            columns = [plant.signals.index(name) for name in names]
            resets[k:, i, columns] -= resets[k, i, columns]
            false += max(fractions(profile, plant, times, resets[:, i], component, k)) > NEW
    first, second, sixth, _ = looks.tolist()
    return np.concatenate(wear), (first, second, sixth, false)


def early(worn: tuple[float, float], units: int) -> str:
    """Return a line on drums replaced at some wear, beside the most that any rule could tell.

    No rule can tell more of a new drum and of a drum whose own counter was set to 0 by hand than
    one that knows to the digit where both stand: the noise of the readings is all that hides it,
    and it takes such a share of those counters for new drums (Neyman and Pearson, Phil. Trans. R.
    Soc. A 231, 1933): `FALSE`, and as few as ours.
    """
    wear, (*seen, false) = replaced(
        "office-printer", "drum", units, PARTS["office-printer", "drum"], SEED, worn
    )
    noise = next(one.noise for one in printer.SENSORS if one.signal == "print_density")
    new = np.array(printer.NEW_DENSITY)
    apart = (float(new) - printer.density_od(wear, new)) / noise
    law = NormalDist()

    def most(rows: int) -> str:
        ways = (law.inv_cdf(FALSE), -FELL_CERTAIN)
        return " | ".join(
            f"{np.mean([law.cdf(np.sqrt(rows) * d + way) for d in apart]):.3f}" for way in ways
        )

    both = zip(seen, (1, 2, 6), strict=True)
    shares = " | ".join(f"{k / len(wear):.3f} | {most(rows)}" for k, rows in both)
    return f"| {worn[0]:.0%} to {worn[1]:.0%} | {len(wear)} | {shares} | {false} |"


FALSE: Final = 0.001  #: drums with a counter set to 0 that the ideal rule may take for new ones
EARLY: Final = ((0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.7))  #: wear of drums replaced early
NEW: Final = 0.9  #: share of life left from which a part counts as recognised to be new


def fractions(
    profile: str, plant: Plant, times: Array, values: Array, component: str, k: int
) -> list[float]:
    """Return the share of life left after the first, second, sixth and 32nd row from row k on."""
    unit = Unit(profile, plant, times, values)
    found = []
    for first, last in pairwise((0, k, k + 1, k + 2, k + 6, k + 32)):
        unit.feed(first, last)
        found.append(unit.life(component).fraction or 0.0)
    return found[1:]


def main() -> None:
    """Run everything that is not kept yet, print it, and write the section."""
    options = argparse.ArgumentParser(description="Evaluate lives of simulated consumables.")
    options.add_argument("--units", type=int, default=UNITS, help="units of each plant")
    options.add_argument("--keep", type=Path, help="folder of results, to go on with")
    options.add_argument("--dry", action="store_true", help="print only")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="forewarn-consumables-") as new:
        keep = chosen.keep or Path(new)
        keep.mkdir(parents=True, exist_ok=True)
        tables = [
            [_kept(keep, f"{table}.{'.'.join(part)}", part, chosen.units) for part in PARTS]
            for table in ("worn", "quick", "new", "tickets", "quick-tickets")
        ]
        tables.append([_kept(keep, f"early.{worn[0]:g}", worn, chosen.units) for worn in EARLY])
    if not chosen.dry:
        write_section("consumables", text(chosen.units, *tables))


def _kept(keep: Path, name: str, part: Any, units: int) -> str:
    """Return a line of a table, from the folder or measured now."""
    path = keep / f"{name}.{units}"
    if not path.exists():
        table = name.partition(".")[0]
        found = (
            early(part, max(GROUP, units // 4)) if table == "early" else _line(table, part, units)
        )
        path.write_text(found)
        print(path.read_text(), flush=True)
    return path.read_text()


def _line(table: str, part: tuple[str, str], units: int) -> str:
    name, hours = ": ".join(part), PARTS[part]
    if table == "new":
        wear, (first, second, _, false) = replaced(*part, max(GROUP, units // 4), hours, SEED)
        count = len(wear)
        return f"| {name} | {count} | {first / count:.3f} | {second / count:.3f} | {false} |"
    quick = table.startswith("quick")
    if table.endswith("tickets"):
        return consumables_tickets.lines(part, max(GROUP, units // 10), fault=quick, seed=SEED)
    found = list(judge(*part, units, hours=hours, fault=quick, seed=SEED))
    return row(name, [one for one in found if one.share >= 0.3] if quick else found)


HEAD: Final = (
    "| Part | Units | 80 % bands that hold the truth | Of these past half of their life | "
    "Width by true life | Error, ours | Line | Usual life |\n|---|---|---|---|---|---|---|---|"
)


def text(units: int, *tables: list[str]) -> str:
    """Return the section in Markdown: bands, with quickening, new parts, tickets, drums."""
    worn, quick, new, *tickets, drums = tables
    return "\n".join(
        [
            "## Consumables of simulated plants",
            "",
            f"`python -m benchmarks.evaluation.consumables --units {units}`: {units} units of each",
            "part, each in a fleet of its own, judged once at a random time of its life (at most",
            f"{LONGEST_D:.0f} days after its first reading; it began with 0 to 90 % of wear). In",
            "brackets: 95 % intervals. Errors are medians of abs(estimate - true) / true. *Line*:",
            "least squares of the last 30 days. *Usual life*: the profile's life at the same wear,",
            "or the rated use at the mean rate. The profiles' curves, usual lives and spreads are",
            "those of the simulated types, as a maker's data sheet would give them; the profiles'",
            "`varies`, `limit_spread` and `new_spread` were set on other seeds of the same plants.",
            "",
            HEAD,
            *worn,
            "",
            "### Wear that quickens",
            "",
            "A fault leaves 10 to 24 days at mean use. Judged where 30 % or more of the life after",
            "the onset are over.",
            "",
            HEAD,
            *quick,
            "",
            "### New parts",
            "",
            "A part of 70 to 98 % wear is replaced; of an equal unit all counters, or the part's",
            "own one alone, are set to 0 instead.",
            "",
            "| Part | Units | At the first reading | By the second | A counter taken for a part |",
            "|---|---|---|---|---|",
            *new,
            "",
            *consumables_tickets.text(*tickets),
            "",
            "### Drums replaced early",
            "",
            "A drum loses 0.35 of density by the wear to the power 1.5, and a reading has a noise",
            "of 0.015. *At most*: a new drum and a drum whose own counter was set to 0 by hand",
            "differ in their density alone; so many new ones could be told by a rule that knows to",
            "the digit where both stand and takes one such counter in a thousand for a new drum.",
            "No rule can do better. Ours takes one in 30,000, because its first verdict is shown",
            "at once: no rule that is as strict could tell more than *as strictly* says. The rest",
            "is that ours has to learn where the old drum stands and how noisy the readings are.",
            "These shares are of these very drums, at their wear when they are replaced, ten days",
            "after the wear in the first column.",
            "",
            "| Wear at first | Units | At the first reading | At most | As strictly | "
            "By the second | At most | As strictly | By the sixth | At most | As strictly | "
            "A counter taken for a part |",
            "|---" * 12 + "|",
            *drums,
        ]
    )


if __name__ == "__main__":
    main()
