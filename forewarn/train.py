"""`forewarn train`: train a model on recordings of healthy machines, show one, activate one."""

import argparse
import sys
from pathlib import Path
from typing import Final

import msgspec

from forewarn import recordings
from forewarn.arguments import count, whole
from forewarn.csv_rows import CsvError
from forewarn.trainer import Options, Trained, train
from models.anomaly.card import Card, ModelError, written
from models.anomaly.files import card_of, load_card
from models.anomaly.learned import load
from models.profile import load_profiles

ENDING: Final = ".onnx"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = argparse.ArgumentParser(
        prog="forewarn train",
        description=__doc__,
        epilog="exit status: 0 done, 1 it failed (the reason is on stderr), 2 wrong arguments",
    )
    verbs = found.add_subparsers(dest="verb", required=True)
    anomaly = verbs.add_parser("anomaly", help="train an autoencoder or a forecaster")
    anomaly.add_argument("--data", type=Path, nargs="+", required=True, metavar="FILE",
                         help="CSV of a healthy machine: timestamp, then signals")  # fmt: skip
    anomaly.add_argument("--out", type=Path, required=True, metavar="NAME.onnx",
                         help="where the model goes; its card stands beside it")  # fmt: skip
    anomaly.add_argument("--kind", choices=("autoencoder", "forecaster"), default="autoencoder",
                         help="what is trained (default: %(default)s)")  # fmt: skip
    anomaly.add_argument("--lags", type=count, default=8, help="rows that a forecaster reads "
                         "(default: %(default)s)")  # fmt: skip
    anomaly.add_argument("--signals", help="names, with commas (default: all that change)")
    anomaly.add_argument("--profile", default="generic", help="machine type whose limits the "
                         "default detector has (default: %(default)s)")  # fmt: skip
    anomaly.add_argument("--seed", type=whole, default=0,
                         help="of all chance (default: %(default)s)")  # fmt: skip
    anomaly.add_argument("--trials", type=count, default=24, help="faults put in to compare with "
                         "the default detector (default: %(default)s)")  # fmt: skip
    show = verbs.add_parser("show", help="check a model's two files and say what is on the card")
    activate = verbs.add_parser("activate", help="let a model out of the shadow, unless it is "
                                "worse than the default detector")  # fmt: skip
    for verb in (show, activate):
        verb.add_argument("model", type=Path, metavar="NAME.onnx", help="a trained model")
    for verb in verbs.choices.values():
        verb.add_argument("--json", action="store_true", help="print the card as JSON")
    return found


def summary(card: Card) -> str:
    """Return a card in words."""
    m = card.metrics
    verdict = "worse than the default: it stays in the shadow" if m.worse else "may be activated"
    return (
        f"{card.name}: {card.kind} of {', '.join(card.signals)}; {card.state}\n"
        f"  trained on       {m.train_rows:,} rows of {len(card.sources)} recordings\n"
        f"  error            {m.train_error:.3f} in training, {m.validation_error:.3f} in "
        f"validation ({m.validation_rows:,} rows; 1 is no better than the mean)\n"
        f"  faults caught    {m.learned.caught} of {m.trials}; the default {m.default.caught}\n"
        f"  false onsets     {m.learned.false_onsets}; the default {m.default.false_onsets}\n"
        f"  verdict          {verdict}"
    )


def write(path: Path, trained: Trained) -> None:
    """Write both files; the card last, since it says that the model is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _put(path, trained.model)
    _put(card_of(path), written(trained.card))


def _put(path: Path, content: bytes) -> None:
    """Write a file in one step: a service may be reading it."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.replace(path)


def anomaly(options: argparse.Namespace) -> Card:
    """Train, write, and return the card."""
    if options.out.suffix != ENDING:
        raise ModelError(f"--out {options.out}: give a name that ends with {ENDING}")
    profiles = load_profiles()
    if options.profile not in profiles:
        raise ModelError(f"there is no profile '{options.profile}': use {', '.join(profiles)}")
    wanted = Options(
        name=options.out.stem,
        kind=options.kind,
        lags=options.lags,
        signals=tuple(filter(None, (options.signals or "").split(","))),
        profile=options.profile,
        seed=options.seed,
        trials=options.trials,
    )
    trained = train([recordings.read(path) for path in options.data], wanted, profiles)
    for notice in trained.notices:
        print(f"forewarn train: {notice}", file=sys.stderr)
    write(options.out, trained)
    return load(options.out)[0]


def activate(path: Path) -> Card:
    """Let a model out of the shadow; `ModelError` when it is worse than the default detector."""
    card = load_card(path)
    m = card.metrics
    if m.worse:
        raise ModelError(
            f"{path}: not activated, it is worse than the default detector on its validation part "
            f"({m.learned.caught} against {m.default.caught} faults caught, "
            f"{m.learned.false_onsets} against {m.default.false_onsets} false onsets)"
        )
    active = msgspec.structs.replace(card, state="active")
    _put(card_of(path), written(active))
    return load_card(path)


def main(arguments: list[str]) -> int:
    """Run one verb; status 1 with the reason on stderr when it fails."""
    options = parser().parse_args(arguments)
    try:
        if options.verb == "anomaly":
            card = anomaly(options)
        elif options.verb == "activate":
            card = activate(options.model)
        else:
            card = load(options.model)[0]
    except (ModelError, CsvError, OSError, msgspec.ValidationError) as error:
        print(f"forewarn train: {error}", file=sys.stderr)
        return 1
    print(written(card).decode() if options.json else summary(card))
    return 0
