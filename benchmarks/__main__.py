"""`make bench`: every benchmark in one run; each quotes itself beside a named peer.

Absolute figures are noise on a shared machine; read the ratios. `python -m benchmarks NAME …` runs
some of: scoring, lives, detectors, store, pipeline, footprint, flood, latency, fleet,
influx_store, influx.
`fleet` runs for `--minutes` (30) and only when it is named. `--only PART` measures one part of what
is named: `latency` has tickets and the samples a batch (1, 10, 100, 1000), `influx_store` has
lines, store, queries and outage, `influx` the samples a message. `--page PATH` writes the figures
into a page, each benchmark into its own section.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path

from benchmarks import page
from benchmarks.report import Figure

NAMES = (
    "scoring",
    "lives",
    "detectors",
    "store",
    "pipeline",
    "footprint",
    "flood",
    "latency",
    "influx_store",
    "influx",
)


def main() -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument("--page", type=Path)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--only", metavar="PART")
    options = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name in options.names:
        module = importlib.import_module(f"benchmarks.{name}")
        about = (module.__doc__ or "").splitlines()[0]
        print(f"\n{name}: {about}")
        figures: list[Figure] = []
        more = {"only": options.only} if options.only else {}
        if name == "fleet":
            more = {"length": options.minutes}
        for figure in module.run(**more):
            print(f"  {figure}", flush=True)
            figures.append(figure)
        if options.page and figures:
            page.write(options.page, {name: page.section(about, figures)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
