"""`forewarn VERB …`: finds the verb's module and hands over; nothing else is imported."""

import difflib
import importlib
import os
import sys
from typing import Final

from forewarn import examples

#: verb -> (module, what it does); the module has `main(arguments) -> exit status`
VERBS: Final = {
    "demo": ("forewarn.demo", "broker, service, this computer and a failing fleet, on one screen"),
    "serve": ("forewarn.serve", "run the service: ingest, models, tickets, API"),
    "agent": ("forewarn.agent", "run the device side (the same as forewarn-agent)"),
    "simulate": ("forewarn.simulate", "publish a simulated fleet to a broker"),
    "train": ("forewarn.train", "train a model on recordings, show one, activate one"),
    "setup": ("forewarn.setup", "make in InfluxDB what the service needs"),
    "device": ("forewarn.device", "the broker's files, and which devices may connect"),
    "user": ("forewarn.user", "people who may sign in"),
    "token": ("forewarn.token", "programs that act for somebody"),
    "check": ("forewarn.check", "check a settings file without starting anything"),
    "doctor": ("forewarn.doctor", "what is wrong with service or device, and how to mend it"),
    "backup": ("forewarn.backup", "copy everything while the service runs, or verify a copy"),
    "restore": ("forewarn.restore", "a new installation from a backup"),
    "erase": ("forewarn.erase", "remove one customer's data from every store, with a proof"),
    "machines": ("forewarn.machines", "list machines, or show one"),
    "tickets": ("forewarn.tickets", "list, acknowledge, resolve and close tickets"),
    "advisories": ("forewarn.advisories", "list advisories and decide about them"),
    "backtest": ("forewarn.backtest", "try the models on recordings (CSV) as if they were live"),
    "life": ("forewarn.life", "learn remaining life from whole runs, and forecast it"),
    "diagnose": ("forewarn.diagnose", "ask a machine's device something, far away"),
    "series": ("forewarn.series", "show a signal's readings"),
}


def usage() -> str:
    """Return the help text."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:{width}}  {what}" for verb, (_, what) in VERBS.items())
    return (
        "usage: forewarn VERB [--help] [arguments]\n\n"
        "Warns before a machine fails.\n\n"
        f"{verbs}\n\n"
        "`forewarn VERB --help` shows arguments and examples.\n"
        "exit status: 0 done, 1 it failed (the reason is on stderr), 2 wrong arguments"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if words else 2
    if words[0] == "--version":
        from importlib.metadata import version  # noqa: PLC0415  only here, and it is slow

        print(f"forewarn {version('forewarn')}")
        return 0
    if words[0] not in VERBS:
        close = difflib.get_close_matches(words[0], [*VERBS, "--version", "--help"], n=1)
        hint = f" Did you mean `forewarn {close[0]}`?" if close else f"\n\n{usage()}"
        print(f"forewarn: there is no verb '{words[0]}'.{hint}", file=sys.stderr)
        return 2
    if words[-1] == "-h":
        words = [*words[:-1], "--help"]  # typer knows the long one alone
    # Set before numpy loads: element-wise kernels need no BLAS threads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    module = importlib.import_module(VERBS[words[0]][0])
    try:
        status = module.main(words[1:])
    finally:
        found = examples.of(" ".join(words[:-1])) if words[-1] == "--help" else []
        if found:
            print("\nexamples:", *found, sep="\n  ")
    return int(status or 0)


if __name__ == "__main__":
    sys.exit(main())
