"""`make evaluate`: what the detector is worth on labelled recordings, beside named peers.

Writes the section *anomalies* of docs/reference/evaluation.md. The recordings are looked for in
FOREWARN_DATA (default ../shared/data). About two minutes on one core.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from benchmarks.evaluation import ablation, healthy
from benchmarks.evaluation.detection import (
    DATA,
    PEERS,
    Floats,
    Output,
    Outputs,
    Set,
    bearings,
    interval,
    load,
    nab_files,
    nab_total,
    outputs,
    scorer,
    skab,
)
from benchmarks.evaluation.page import write_section

#: designs and settings that were looked at on these recordings before this one was fixed
TRIED: Final = (
    "About 887 designs and settings of the onset alarm (a third of them at about ten limits) and "
    "940 settings of the early state were looked at on these recordings before the defaults were "
    "fixed, the last 607 while mechanisms were deleted. Limit and growth were not "
    "set to the best value for NAB, but higher, for the sake of bearings and of healthy machines. "
    "What is worth no point here and stays carries another line: the pause after long gaps the "
    "bearing's lead (without it the failing bearing is missed), the growth of the early state the "
    "quiet run, the range that widens slowly machines with a few fixed levels (one absurd reading "
    "must neither make them new nor hide them)."
)
#: published NAB figures, threshold optimised on the labels of the same files
ANCHORS: Final = (
    ("ARTime", "74.9 / 65.1 / 80.4", "74.0"),
    ("Numenta HTM", "70.1 / 63.1 / 74.3", "70.3"),
    ("CAD OSE", "69.9 / 67.0 / 73.2", "72.7"),
    ("earthgecko Skyline", "58.2 / 46.2 / 63.9", "57.7"),
    ("KNN CAD", "58.0 / 43.4 / 64.8", "54.6"),
    ("Relative Entropy", "54.6 / 47.6 / 58.8", "60.5"),
    ("Random Cut Forest", "51.7 / 38.4 / 59.7", "46.1"),
    ("Windowed Gaussian", "39.6 / 20.9 / 47.4", "40.4"),
    ("Random", "17.7", "21.4"),
)
UNITS: Final = ((1.8, 32.0, 0), (-0.001, 7.0, 0), (1e6, -3e5, 0), (1.0, 0.0, 18_123))
MACHINES: Final = 40
DAYS: Final = 64
FAULT_DAYS: Final = 31


def nab_section(score: Any, series: Set, found: Outputs) -> Iterator[str]:
    """Yield the NAB table: own alarms, published anchors, peers of this run."""
    alarms = {key: out.alarm for key, out in found.items()}
    files = {p: nab_files(score, series, alarms, p) for p in ("standard", "lowFP", "lowFN")}
    missed = {"standard": 1.0, "lowFP": 1.0, "lowFN": 2.0}
    totals = " / ".join(f"{nab_total(files[p], missed[p]):.1f}" for p in files)
    own = files["standard"]
    low, high = interval([own], nab_total)
    outside = own[:, 2].sum() / max(own[:, 1].sum(), 1)
    yield "### Streams (Numenta Anomaly Benchmark, 31 files, 58 windows)"
    yield ""
    yield "| Detector | standard / lowFP / lowFN | 95 % interval | rows outside per hit | hits |"
    yield "|---|---|---|---|---|"
    yield (
        f"| **forewarn, own alarms, no threshold chosen** | **{totals}** | "
        f"{low:.0f} … {high:.0f} | {outside:.2f} | {own[:, 1].sum():.0f} |"
    )
    nab = score.Nab({key: one.label for key, one in series.items()})
    rows = []
    for name, peer in PEERS.items():
        scores = {key: peer(one) for key, one in series.items()}
        limit = nab.best_threshold(scores)
        theirs = nab_files(score, series, {k: s >= limit for k, s in scores.items()}, "standard")
        rows.append((name, theirs))
        low, high = interval([theirs], nab_total)
        yield (
            f"| {name}, threshold best on these files | {nab_total(theirs):.1f} | {low:.0f} … "
            f"{high:.0f} | {theirs[:, 2].sum() / max(theirs[:, 1].sum(), 1):.2f} | "
            f"{theirs[:, 1].sum():.0f} |"
        )
    yield ""
    yield "Paired differences (forewarn minus peer, same files drawn): " + "; ".join(
        f"{name.partition(',')[0]} {_difference(own, theirs)}" for name, theirs in rows
    )
    yield ""
    yield "Published, threshold optimised on the labels of the same files:"
    yield ""
    yield "| Detector | 58 files: standard / lowFP / lowFN | the 31 files here: standard |"
    yield "|---|---|---|"
    yield from (f"| {name} | {all_files} | {here} |" for name, all_files, here in ANCHORS)


def _difference(own: Floats, theirs: Floats) -> str:
    low, high = interval([own, theirs], lambda a, b: nab_total(a) - nab_total(b))
    return f"{nab_total(own) - nab_total(theirs):+.1f} ({low:+.0f} … {high:+.0f})"


def layers_section(score: Any, series: Set, runs: Set) -> Iterator[str]:
    """Yield the ablation: what each layer is worth and what it costs."""
    tables = ablation.tables(score, series)
    yield "### What each layer is worth and costs"
    yield ""
    yield (
        "NAB standard. *Validated*: the limit is chosen on other files than it is scored on "
        f"({ablation.FOLDS} folds by whole files, {ablation.REPEATS} times). SKAB: change points, "
        "lift over the same detections shifted, detections outside windows a run, events of the "
        "anomaly-free run, all at the default limit."
    )
    yield ""
    yield "| Variant | NAB at its best limit | validated | rows outside per hit | SKAB |"
    yield "|---|---|---|---|---|"
    for worth in ablation.worths(tables, score, runs):
        points, lift, extras = worth.rig
        yield (
            f"| {worth.name} | {worth.best:.1f} (limit {worth.limit:g}) | {worth.validated:.1f} | "
            f"{worth.outside:.2f} | {points:.1f} / {lift:.1f} / {extras:.2f} / {worth.free} |"
        )
    yield ""
    yield (
        f"**Nested** (variant and limit both chosen inside the folds): "
        f"**{ablation.nested(tables):.1f}**. All other figures on this page are not nested."
    )
    yield ""
    yield "CPU time of the parts alone, ns a reading: " + ", ".join(
        f"{name} {spent:.0f}" for name, spent in ablation.costs()
    ) + "."  # fmt: skip
    yield ""
    yield TRIED


def skab_section(score: Any, series: Set, found: Outputs) -> Iterator[str]:
    """Yield the change points, the state and the anomaly-free run."""
    all_runs = skab(score, series, found)
    faulty = [key for key, one in series.items() if one.label["fault"]]
    rng = np.random.default_rng(0)
    drawn = [
        skab(score, series, found, [faulty[i] for i in rng.integers(0, len(faulty), len(faulty))])
        for _ in range(200)
    ]

    def spread(name: str) -> str:
        low, high = np.percentile([getattr(one, name) for one in drawn], [2.5, 97.5])
        return f"{low:.0f} … {high:.0f}"

    yield "### A rig with valve faults (SKAB, 20 runs and one without a fault)"
    yield ""
    yield "| Line | Figure | 95 % interval over runs | Target |"
    yield "|---|---|---|---|"
    yield (
        f"| change points, alarms and ends of state | {all_runs.points:.1f} | {spread('points')} | "
        "42 |"
    )
    yield f"| … lift over the same detections shifted | {all_runs.lift:.1f} | | 20 |"
    yield f"| … detections outside windows a run | {all_runs.extras:.2f} | | at most 3 |"
    yield f"| change points, alarms alone | {all_runs.alarms_only:.1f} | | |"
    yield (
        f"| state: false alarm rate % | {all_runs.false_rate:.1f} | {spread('false_rate')} | "
        "at most 10 |"
    )
    yield (
        f"| state: missed rate % | {all_runs.missed_rate:.1f} | {spread('missed_rate')} | "
        "at most 30 |"
    )
    yield f"| anomaly-free run: alarms and ends of state | {all_runs.free_alarms} | | 3 |"
    yield f"| anomaly-free run: in state, % of rows | {all_runs.free_state:.1f} | | 2 |"
    yield ""
    yield (
        "Published, all 34 runs: change points MSCRED 32.4 (not causal), isolation forest 26.2, "
        "T2+Q 25.4; on the 20 runs here EWMA max-z 38.8, MSCRED 36.6. State (false / missed %): "
        "Conv-AE 13.6 / 28.0, T2+Q 26.6 / 24.9."
    )
    yield ""
    yield (
        "How the early state's distance grows, and from which share of the way to it an onset "
        "counts in full in the first days, were chosen with the anomaly-free run in sight, so its "
        "two lines are not validated: by the lift on the faulty runs alone, each left out once "
        "(with the five layers of before), any share from 0.2 to 0.5 would do; from 0.4 to 0.55 "
        "the run has these events. What is left are signals that do move: an accelerometer steps, "
        "and the flow dips for minutes, which is an onset, a state and its end."
    )


def bearing_section(series: Set, found: Outputs) -> Iterator[str]:
    """Yield the bearing test."""
    early, lead = bearings(series, found)
    yield "### A bearing test to failure (IMS, 8 channels)"
    yield ""
    yield (
        f"Alarms in the first half of life, all channels: {early} (target 0). First alarm of the "
        f"second half on a failed bearing: {lead:.0f} h before the end (target 24 h)."
    )


def invariance_section(
    score: Any, sets: dict[str, Set], found: dict[str, Outputs]
) -> Iterator[str]:
    """Yield how much other units and another clock change."""
    plain = _both(score, sets, found)
    worst = np.zeros(2)
    for scale, offset, shift_s in UNITS:
        changed = {
            name: {
                key: replace(
                    one,
                    times_ns=one.times_ns + shift_s * 10**9,
                    columns=tuple(c * scale + offset for c in one.columns),
                )
                for key, one in sets[name].items()
            }
            for name in ("nab", "skab")
        }
        again = _both(score, sets, {name: outputs(one) for name, one in changed.items()})
        worst = np.maximum(worst, np.abs(again - plain))
    yield (
        f"Other units ({', '.join(f'x·{a:g}+{b:g}' for a, b, _ in UNITS[:3])}) and a clock shifted "
        f"by five hours change NAB by at most {worst[0]:.2f} and SKAB by at most {worst[1]:.2f} "
        "points (target 0.5)."
    )


def _both(score: Any, sets: dict[str, Set], found: dict[str, dict[str, Output]]) -> Floats:
    alarms = {key: out.alarm for key, out in found["nab"].items()}
    nab = nab_total(nab_files(score, sets["nab"], alarms, "standard"))
    return np.array([nab, skab(score, sets["skab"], found["skab"]).points])


def healthy_section() -> Iterator[str]:
    """Yield healthy machines and small lasting faults on simulated machines."""
    yield "### Simulated machines: healthy, and shifted by two sigma on every condition signal"
    yield ""
    yield (
        f"After {healthy.COMMISSIONING_D} days of commissioning; sigma is the noise at fixed load "
        "and ambient temperature. Targets: at most 1 ticket (a lasting shift, or onsets that "
        "come back) and 10 notices per 1,000 machine-days, 1 % of the time in state; the fault in "
        "state within 24 h and for 30 days."
    )
    yield ""
    yield (
        "| Work | machine-days | tickets per 1,000 d | notices per 1,000 d | in state % | "
        "fault in state after h (worst) | share of 30 days held (least) |"
    )
    yield "|---|---|---|---|---|---|---|"
    everyone: list[healthy.Told] = []
    for work in healthy.WORKS:
        told = [healthy.watch(work, DAYS, seed) for seed in range(MACHINES)]
        everyone += told
        days = sum(one.days for one in told)
        began = float(healthy.COMMISSIONING_D)
        faults = [
            healthy.watch(work, healthy.COMMISSIONING_D + FAULT_DAYS, 1000 + seed, 2.0, began)
            for seed in range(MACHINES // 2)
        ]
        first = max(one.first_state_d if one.first_state_d is not None else 99.0 for one in faults)
        held = min(
            one.state_share * one.days / (one.days - (one.first_state_d or 0.0)) for one in faults
        )
        yield (
            f"| {work} | {days:,.0f} | {1000 * sum(t.tickets for t in told) / days:.2f} | "
            f"{1000 * sum(t.notices for t in told) / days:.1f} | "
            f"{100 * np.mean([t.state_share for t in told]):.2f} | {24 * first:.0f} | {held:.3f} |"
        )
    days = sum(one.days for one in everyone)
    yield (
        f"| all | {days:,.0f} | {1000 * sum(t.tickets for t in everyone) / days:.2f} | "
        f"{1000 * sum(t.notices for t in everyone) / days:.1f} | "
        f"{100 * np.mean([t.state_share for t in everyone]):.2f} | | |"
    )


def main() -> int:
    """Evaluate and write the section; status 1 when there are no recordings."""
    try:
        score = scorer()
    except FileNotFoundError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    sets = {name: load(name) for name in ("nab", "skab", "ims_bearing")}
    found = {name: outputs(one) for name, one in sets.items()}
    lines = [
        "## Anomalies",
        "",
        "One fixed default configuration, one causal pass, no labels, through the code of "
        "`forewarn backtest anomalies`. The recordings are not part of the project "
        "(`FOREWARN_DATA`); they were also used to choose the defaults, so expect less on others.",
        "",
        *nab_section(score, sets["nab"], found["nab"]),
        "",
        *layers_section(score, sets["nab"], sets["skab"]),
        "",
        *skab_section(score, sets["skab"], found["skab"]),
        "",
        *bearing_section(sets["ims_bearing"], found["ims_bearing"]),
        "",
        *invariance_section(score, sets, found),
        "",
        *healthy_section(),
    ]
    write_section("anomalies", "\n".join(lines))
    print("\n".join(lines))
    print(f"\nwritten to docs/reference/evaluation.md from {DATA}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
