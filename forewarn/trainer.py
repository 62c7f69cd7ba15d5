"""Trains a small network on recordings of a healthy machine and exports it to ONNX.

Only this module needs scikit-learn and skl2onnx (`pip install 'forewarn[train]'`); what it makes is
run by onnxruntime alone. The same recordings, options and seed give the same files.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from forewarn.recordings import Recording
from forewarn.trials import Bench
from models.anomaly.card import Card, Feature, Metrics, ModelError, Side, Source, digest
from models.anomaly.detector import Factory
from models.anomaly.learned import INPUT_CLIP, Learned, session_of
from models.anomaly.tail import fitted
from models.profile import Profile

TRAIN, CALIBRATE = 0.5, 0.2  #: shares of each recording, in this order; the rest validates
LEAST_ROWS: Final = 200  #: to train on
MOST_ROWS: Final = 100_000  #: to train on; of more, evenly spaced ones are taken
CALIBRATION_ROWS: Final = 5_000  #: that are run one by one
LEAST_RESIDUAL: Final = 1e-3  #: standard units; a signal that others give exactly
FEW_ROWS: Final = 30_000  #: up to here the whole is fitted at once (L-BFGS), else in parts (Adam)
SPOILT: Final = 3  #: spoilt copies of each row
SAME: Final = 1e-3  #: standard units between the network and its float32 export
LONGEST_FIT: Final = 300  #: passes over the rows

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to train. `signals` empty: all that change."""

    name: str
    kind: Literal["autoencoder", "forecaster"] = "autoencoder"
    lags: int = 8
    signals: tuple[str, ...] = ()
    profile: str = "generic"
    seed: int = 0
    trials: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The two files' content, and what is to be said about the data."""

    card: Card
    model: bytes
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A recording in standard units, and where its parts end."""

    recording: Recording
    rows: Values
    trained: int
    calibrated: int


def train(
    recordings: Sequence[Recording], options: Options, profiles: Mapping[str, Profile]
) -> Trained:
    """Train, calibrate, compare; `ModelError` says what the recordings lack."""
    signals, notices = _signals(recordings, options.signals)
    centre, scale = _units(recordings, signals)
    parts = [_part(recording, signals, centre, scale) for recording in recordings]
    lags = options.lags if options.kind == "forecaster" else 0
    given, wanted = _examples([part.rows[: part.trained] for part in parts], lags)
    if len(given) < LEAST_ROWS:
        raise ModelError(f"{len(given)} complete rows are too few: at least {LEAST_ROWS} to train")
    network = _fit(given, wanted, options)
    model = _exported(network, given.shape[1])
    tested, truth = _examples([part.rows[part.trained : part.calibrated] for part in parts], lags)
    if len(tested) < LEAST_ROWS // 4:
        raise ModelError(f"{len(tested)} complete rows are too few to calibrate")
    residual = np.maximum(_rms(truth - _predicted(network, tested)), LEAST_RESIDUAL)
    card = Card(
        name=options.name,
        kind=options.kind,
        lags=lags,
        features=tuple(
            Feature(signal=s, centre=float(c), scale=float(d), residual=float(r))
            for s, c, d, r in zip(signals, centre, scale, residual, strict=True)
        ),
        tail=fitted([0.0, 1.0]),
        metrics=_metrics(network, parts, lags, given, wanted),
        sources=tuple(_source(recording) for recording in recordings),
        seed=options.seed,
        program=f"forewarn {version('forewarn')}, scikit-learn {version('scikit-learn')}",
        model_sha256=digest(model),
    )
    _same(network, session_of(model, card), tested)
    card = _calibrated(card, model, parts)
    return Trained(
        card=_compared(card, model, parts, options, profiles), model=model, notices=notices
    )


def _signals(
    recordings: Sequence[Recording], wanted: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the signals that every recording has and that change, and what was left out why."""
    if missing := [s for s in wanted if not any(s in r.signals for r in recordings)]:
        raise ModelError(f"no recording has the signal {', '.join(map(repr, missing))}")
    found, notices = [], []
    for name in wanted or dict.fromkeys(s for r in recordings for s in r.signals):
        values = np.concatenate([r.columns([name])[:, 0] for r in recordings])
        known = values[np.isfinite(values)]
        if len(known) < len(values) / 2:
            notices.append(f"{name}: left out, more than half of its values are missing")
        elif np.ptp(known) == 0.0:
            notices.append(f"{name}: left out, it never changes")
        else:
            found.append(name)
    if not found:
        raise ModelError("no signal is left to train on: " + "; ".join(notices))
    return tuple(found), tuple(notices)


def _units(recordings: Sequence[Recording], signals: Sequence[str]) -> tuple[Values, Values]:
    """Return median and standard deviation (k,) of the training parts."""
    values = np.concatenate([r.columns(signals)[: int(TRAIN * len(r))] for r in recordings])
    centre, scale = np.nanmedian(values, axis=0), np.nanstd(values, axis=0)
    if not np.all(np.isfinite(centre)) or np.any(scale <= 0.0):
        bad = [s for s, d in zip(signals, scale, strict=True) if not d > 0.0]
        raise ModelError(f"{', '.join(bad)}: does not change in the training part: leave it out "
                         "with --signals")  # fmt: skip
    return centre, scale


def _part(recording: Recording, signals: Sequence[str], centre: Values, scale: Values) -> _Part:
    n = len(recording)
    return _Part(
        recording=recording,
        rows=(recording.columns(signals) - centre) / scale,
        trained=int(TRAIN * n),
        calibrated=int((TRAIN + CALIBRATE) * n),
    )


def _examples(runs: Sequence[Values], lags: int) -> tuple[Values, Values]:
    """Return (given, wanted) from complete rows: a row itself, or the `lags` rows before it."""
    given, wanted = [], []
    for rows in runs:
        if len(rows) <= lags:
            continue
        before = [rows[k : len(rows) - lags + k] for k in range(lags)] or [rows]
        put, out = np.concatenate(before, axis=1), rows[lags:]
        whole = np.isfinite(put).all(axis=1) & np.isfinite(out).all(axis=1)
        given.append(np.clip(put[whole], -INPUT_CLIP, INPUT_CLIP))
        wanted.append(out[whole])
    if not given:
        return np.zeros((0, 1)), np.zeros((0, 1))
    return np.concatenate(given), np.concatenate(wanted)


def _fit(given: Values, wanted: Values, options: Options) -> Any:
    """Return a network of one hidden layer; an autoencoder learns to mend spoilt rows."""
    try:
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415  only to train
        from sklearn.neural_network import MLPRegressor  # noqa: PLC0415
    except ImportError as error:
        raise ModelError("training needs scikit-learn: pip install 'forewarn[train]'") from error
    copies = SPOILT if options.kind == "autoencoder" else 0
    step = -(-len(given) * (1 + copies) // MOST_ROWS)
    put, target = given[::step], np.clip(wanted[::step], -INPUT_CLIP, INPUT_CLIP)
    rng = np.random.default_rng(options.seed)
    put = np.concatenate([put, *(_spoilt(put, rng) for _ in range(copies))])
    target = np.concatenate([target] * (1 + copies))
    network = MLPRegressor(
        hidden_layer_sizes=(min(max(4 * target.shape[1], 8), 64),),
        activation="tanh",
        solver="lbfgs" if len(put) <= FEW_ROWS else "adam",
        early_stopping=len(put) > FEW_ROWS,
        alpha=1e-3,
        max_iter=LONGEST_FIT,
        random_state=options.seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(put, target if target.shape[1] > 1 else target[:, 0])
    return network


def _spoilt(rows: Values, rng: np.random.Generator) -> Values:
    """Return the rows, in each one signal missing (its mean) or taken from another row.

    So the network learns each signal from the others (Vincent et al., ICML 2008, denoising
    autoencoders), and a row with a missing signal is no surprise.
    """
    found = rows.copy()
    line, signal = np.arange(len(rows)), rng.integers(rows.shape[1], size=len(rows))
    other = rows[rng.permutation(len(rows)), signal]
    found[line, signal] = np.where(rng.random(len(rows)) < 0.5, 0.0, other)
    return found


def _predicted(network: Any, given: Values) -> Values:
    return np.asarray(network.predict(given), np.float64).reshape(len(given), -1)


def _exported(network: Any, width: int) -> bytes:
    """Return the network as ONNX, float32, once it is known to say the same."""
    try:
        from onnx import numpy_helper  # noqa: PLC0415  only to train
        from skl2onnx import to_onnx  # noqa: PLC0415
        from skl2onnx.common.data_types import FloatTensorType  # noqa: PLC0415
    except ImportError as error:
        raise ModelError("training needs skl2onnx: pip install 'forewarn[train]'") from error
    made: Any = to_onnx(
        network, initial_types=[("x", FloatTensorType([None, width]))], target_opset=17
    )
    # skl2onnx 1.20 ends every network with a reshape to one column, also one with several outputs
    [reshape] = [node for node in made.graph.node if node.op_type == "Reshape"]
    [shape] = [i for i in made.graph.initializer if i.name == reshape.input[1]]
    wide = np.array([-1, network.n_outputs_], np.int64)
    shape.CopyFrom(numpy_helper.from_array(wide, shape.name))
    made.graph.output[0].type.tensor_type.shape.dim[1].dim_value = network.n_outputs_
    content: bytes = made.SerializeToString()
    return content


def _same(network: Any, session: Any, given: Values) -> None:
    """Raise `ModelError` unless the export says what the network says."""
    rows = given[:CALIBRATION_ROWS]
    [said] = session.run(None, {session.get_inputs()[0].name: rows.astype(np.float32)})
    away = float(np.max(np.abs(said - _predicted(network, rows))))
    if away > SAME:
        raise ModelError(f"the exported model is {away:.2g} off the trained one: not written")


def _rms(residuals: Values) -> Values:
    return np.asarray(np.sqrt(np.mean(residuals**2, axis=0)))


def _metrics(
    network: Any, parts: Sequence[_Part], lags: int, given: Values, wanted: Values
) -> Metrics:
    tested, truth = _examples([part.rows[part.calibrated :] for part in parts], lags)
    if not len(tested):
        raise ModelError("no complete row is left to validate")
    return Metrics(
        train_rows=len(given),
        validation_rows=len(tested),
        train_error=float(np.sqrt(np.mean((wanted - _predicted(network, given)) ** 2))),
        validation_error=float(np.sqrt(np.mean((truth - _predicted(network, tested)) ** 2))),
        trials=0,
        learned=Side(caught=0, false_onsets=0),
        default=Side(caught=0, false_onsets=0),
    )


def _calibrated(card: Card, model: bytes, parts: Sequence[_Part]) -> Card:
    """Return the card with the errors of the calibration parts, run as they will be run."""
    session = session_of(model, card)
    errors = []
    for part in parts:
        detector = Learned(card, session)
        rows = part.recording.columns(card.signals)[part.trained : part.calibrated]
        for row in rows[:CALIBRATION_ROWS].tolist():
            x = {s: v for s, v in zip(card.signals, row, strict=True) if np.isfinite(v)}
            if (error := detector.error_one(x)) is not None:
                errors.append(error)
            detector.learn_one(x)
    return msgspec.structs.replace(card, tail=fitted(errors))


def _compared(
    card: Card,
    model: bytes,
    parts: Sequence[_Part],
    options: Options,
    profiles: Mapping[str, Profile],
) -> Card:
    """Return the card with what both detectors caught on the validation parts."""
    session = session_of(model, card)
    factory: Factory = lambda: Learned(card, session)  # noqa: E731  the fleet wants a factory
    rng = np.random.default_rng(options.seed)
    sides = [
        Bench(
            part.recording,
            card.signals,
            part.calibrated,
            profile=options.profile,
            profiles=profiles,
            detectors={card.name: factory},
        ).compare(-(-options.trials // len(parts)), rng)
        for part in parts
    ]
    metrics = msgspec.structs.replace(
        card.metrics,
        trials=-(-options.trials // len(parts)) * len(parts),
        learned=_sum([learned for learned, _ in sides]),
        default=_sum([default for _, default in sides]),
    )
    return msgspec.structs.replace(card, metrics=metrics)


def _sum(sides: Sequence[Side]) -> Side:
    return Side(
        caught=sum(side.caught for side in sides),
        false_onsets=sum(side.false_onsets for side in sides),
    )


def _source(recording: Recording) -> Source:
    return Source(file=recording.path.name, sha256=recording.sha256, rows=len(recording))
