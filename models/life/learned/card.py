"""What a fitted model says of itself, and the one file that holds it.

The file is a ZIP of `card.json` and `model.onnx`. Its comment is the SHA-256 digest of every byte
before it: a file that was changed or cut anywhere is refused, and the digest is what gets signed.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from models.life.learned.bands import Bands
from models.life.learned.conditions import Conditions
from models.life.learned.health import Health
from models.life.learned.renewal import Renewal
from models.life.learned.survival import Survival

FORMAT: Final = 5
CARD, MODEL = "card.json", "model.onnx"
DIGEST: Final = 64  #: characters
LARGEST: Final = 1 << 28  #: bytes of a part: no file may claim more


class BadArtefact(ValueError):
    """The file is no model, was changed since it was fitted, or is of another version."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How well left-out units were forecast, in the unit of time; rows of failed units."""

    rmse: float
    mae: float
    coverage: float
    width: float
    rows: int
    units: int


class PastUnit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that was fitted on: what was forecast while it was left out, and what it did.

    `forecast[i]` stood at `time[i]`; the unit's last row was at `end`.
    """

    unit: str
    failed: bool
    end: float
    time: list[float]
    forecast: list[float]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but the graph: data, features, calibration, measured quality.

    Attributes:
        format: version of this layout.
        data_sha256: digest of the file that was fitted.
        signals: the signals the model takes, in its order.
        weights: share of each signal in what the trees explain, (s,).
        top: the largest remaining life that was learned, in the unit of time.
        typical: a typical life, in the unit of time.
        blend: part of the trees in the forecast; the surface has the rest.
        score: measured on units that were left out, per fold.
        renewed: parts that were renewed in mid-run; each counts as a unit of its own.
    """

    format: int
    data_sha256: str
    seed: int
    cap: float | None
    units: int
    failures: int
    rows: int
    folds: int
    signals: list[str]
    ignored: list[str]
    weights: list[float]
    features: list[str]
    typical: float
    top: float
    conditions: Conditions
    health: Health
    blend: float
    survival: Survival
    bands: Bands
    score: Score
    past: list[PastUnit]
    renewed: list[Renewal]


def packed(card: Card, model: bytes) -> bytes:
    """Return the file; the same card and model give the same bytes.

    Raises:
        BadArtefact: the card could not be read again, as when a number of it is not finite.
    """
    text = msgspec.json.encode(card)
    try:
        _read(text)
    except BadArtefact as error:
        raise BadArtefact(f"these runs give no model that could be kept: {error}") from error
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as box:
        for name, content in ((CARD, text), (MODEL, model)):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            box.writestr(entry, content)
        box.comment = b"0" * DIGEST
    body = whole.getvalue()[:-DIGEST]
    return body + hashlib.sha256(body).hexdigest().encode()


def unpacked(content: bytes) -> tuple[Card, bytes]:
    """Return card and graph of a file; raise BadArtefact if it is not as it was fitted."""
    if not content.startswith(b"PK"):
        raise BadArtefact("this is not a model file; `forewarn life fit` writes one")
    body, digest = content[:-DIGEST], content[-DIGEST:]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise BadArtefact(
            "the file was changed or cut since it was fitted (its digest differs); fit again or "
            "copy it again"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as box:
            sizes = {entry.filename: entry.file_size for entry in box.infolist()}
            if set(sizes) != {CARD, MODEL} or max(sizes.values()) > LARGEST:
                raise BadArtefact(f"a model file holds {CARD} and {MODEL}, this one {list(sizes)}")
            text, model = box.read(CARD), box.read(MODEL)
        version = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get("format")
        if version is None or bytes(version) != str(FORMAT).encode():
            raise BadArtefact(f"format {FORMAT} is understood; fit again with this version")
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,  # of parts that are encrypted or packed in a way of their own
        msgspec.DecodeError,
        UnicodeDecodeError,
    ) as error:
        raise BadArtefact(f"the model file cannot be read: {error}") from error
    return _read(text), model


def _read(text: bytes) -> Card:
    try:
        card = msgspec.json.decode(text, type=Card)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArtefact(f"the card cannot be read: {error}") from error
    for part, sound in _sound(card):
        if not sound:
            raise BadArtefact(f"the card's {part} cannot be those of a model")
    return card


def _sound(card: Card) -> list[tuple[str, bool]]:
    """Return parts of a card and whether their lengths and ranges belong together."""
    s, seen, bands, health = len(card.signals), card.conditions, card.bands, card.health
    levels = max(len(seen.centres), 1)
    return [
        ("signals", len(set(card.signals)) == s),
        ("weights", len(card.weights) == s),
        ("typical lives", card.typical > 0.0),
        ("largest lives", card.top > 0.0 and bands.top > 0.0),
        ("shares of trees", 0.0 <= card.blend <= 1.0),
        ("scales", len(seen.middle) == len(seen.spread) == s and all(seen.spread)),
        ("conditions", bool(seen.telling) == bool(seen.centres) and _within(seen.telling, s - 1)),
        ("centres", all(len(row) == len(seen.telling) for row in seen.centres)),
        ("means", len(seen.means) == levels and all(len(row) == s for row in seen.means)),
        ("spreads", len(seen.spreads) == levels and all(len(row) == s for row in seen.spreads)),
        ("slopes", len(health.slopes) == s and health.renewal > 0.0),
        ("levels", _alike(health.reaching, health.edges, health.levels, health.near)),
        ("reaches", _within(health.reaching, s) and all(near > 0.0 for near in health.near)),
        (
            "survivors",
            _alike(card.survival.times, card.survival.alive) and card.survival.rate > 0.0,
        ),
        ("bands", _whole(bands)),
        ("deaths", _grows(card.survival.times)),
        ("past units", all(_alike(past.time, past.forecast) for past in card.past)),
    ]


def _whole(bands: Bands) -> bool:
    """Return whether both edges have a number for each forecast and age, two at least of each."""
    rows = (*bands.low, *bands.high)
    return (
        min(len(bands.grid), len(bands.ages)) > 1
        and _alike(bands.grid, bands.low, bands.high)
        and all(len(row) == len(bands.ages) for row in rows)
        and _grows(bands.grid)
        and _grows(bands.ages)
    )


def _alike(*parts: Sequence[object]) -> bool:
    return len(parts[0]) > 0 and len({len(part) for part in parts}) == 1


def _grows(values: list[float]) -> bool:
    return bool((np.diff(values) > 0.0).all())


def _within(places: list[int], most: int) -> bool:
    return all(0 <= place <= most for place in places)
