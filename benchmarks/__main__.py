"""`make bench`: every benchmark in one run; each quotes itself beside a named peer.

Absolute figures are noise on a shared machine; read the ratios. `python -m benchmarks NAME …` runs
some of: scoring, lives, detectors, store, pipeline, footprint, flood.
"""

import importlib
import os
import sys

NAMES = ("scoring", "lives", "detectors", "store", "pipeline", "footprint", "flood")


def main() -> int:
    """Run the named benchmarks, or all."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name in sys.argv[1:] or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n{name}: {(module.__doc__ or '').splitlines()[0]}")
        for figure in module.run():
            print(f"  {figure}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
