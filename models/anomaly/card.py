"""A learned model's card: what it was trained on, how good it was, and the hash of its file.

A learned model is two files, `NAME.onnx` and `NAME.json`; never a pickle. Neither is run when it is
not the one that the card describes.
"""

from typing import Annotated, Final, Literal

import msgspec

from models.anomaly.tail import Tail

SCHEMA: Final = 1
MAX_MODEL: Final = 64 * 1024 * 1024  #: bytes of a model file; larger is refused
MAX_CARD: Final = 1024 * 1024  #: bytes of a card


class ModelError(ValueError):
    """A learned model cannot be used; the message says why and what to do."""


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Source(_Strict, frozen=True, kw_only=True):
    """A recording that the model was trained on."""

    file: str  #: name without its folder
    sha256: str
    rows: int


class Feature(_Strict, frozen=True, kw_only=True):
    """A signal that the model reads, in its unit, with what brings it to standard units."""

    signal: str
    centre: float  #: median of the training part
    scale: Annotated[float, msgspec.Meta(gt=0)]  #: its standard deviation
    residual: Annotated[float, msgspec.Meta(gt=0)]  #: RMS error of the model, in standard units


class Side(_Strict, frozen=True, kw_only=True):
    """One detector on the validation part."""

    caught: int  #: of the trials with a fault put in
    false_onsets: int  #: on the same rows as they were recorded


class Metrics(_Strict, frozen=True, kw_only=True):
    """How the model did. Errors are RMS in standard units: 1 is as good as saying the mean."""

    train_rows: int
    validation_rows: int
    train_error: float
    validation_error: float
    trials: int
    learned: Side
    default: Side

    @property
    def worse(self) -> bool:
        """Whether the default detector caught more, or raised fewer false onsets."""
        return (
            self.learned.caught < self.default.caught
            or self.learned.false_onsets > self.default.false_onsets
        )


class Card(_Strict, frozen=True, kw_only=True):
    """What is known of one learned model."""

    schema: int = SCHEMA
    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]{0,62}$")]
    kind: Literal["autoencoder", "forecaster"]
    state: Literal["shadow", "active"] = "shadow"
    lags: Annotated[int, msgspec.Meta(ge=0, le=256)] = 0  #: rows before that a forecaster reads
    features: Annotated[tuple[Feature, ...], msgspec.Meta(min_length=1, max_length=256)]
    tail: Tail  #: calibration: the errors on the calibration part
    metrics: Metrics
    sources: tuple[Source, ...]
    seed: int
    program: str  #: what trained it, with its version
    model_sha256: str
    seal: str = ""  #: SHA-256 of the card itself without the seal

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that the model reads, in its order."""
        return tuple(feature.signal for feature in self.features)


def digest(content: bytes) -> str:
    """Return the SHA-256 in hex digits."""
    # a device without models never needs it, and it is 0.7 MB there
    from hashlib import sha256  # noqa: PLC0415

    return sha256(content).hexdigest()


def sealed(card: Card) -> Card:
    """Return the card with the seal that fits what it says."""
    bare = msgspec.structs.replace(card, seal="")
    return msgspec.structs.replace(bare, seal=digest(msgspec.json.encode(bare)))


def written(card: Card) -> bytes:
    """Return the card as the text of its file, sealed."""
    return msgspec.json.format(msgspec.json.encode(sealed(card)), indent=2) + b"\n"


def read(text: bytes, model: bytes, origin: str = "model") -> Card:
    """Return the card of a model's two files; `ModelError` when one of them was changed."""
    if len(text) > MAX_CARD:
        raise ModelError(f"{origin}: the card has {len(text)} bytes, more than {MAX_CARD}")
    if len(model) > MAX_MODEL:
        raise ModelError(f"{origin}: the model has {len(model)} bytes, more than {MAX_MODEL}")
    try:
        card = msgspec.json.decode(text, type=Card)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"{origin}: the card cannot be read: {error}") from None
    if card.schema != SCHEMA:
        raise ModelError(f"{origin}: schema {card.schema} is not {SCHEMA}: train the model again")
    if sealed(card).seal != card.seal:
        raise ModelError(f"{origin}: the card was changed after training: train the model again")
    if digest(model) != card.model_sha256:
        raise ModelError(
            f"{origin}: the model is not the one that its card describes (SHA-256 "
            f"{digest(model)[:12]}…, the card says {card.model_sha256[:12]}…): "
            "put back both files of the same training"
        )
    if card.state == "active" and card.metrics.worse:
        raise ModelError(
            f"{origin}: active although worse than the default detector: leave it in the shadow"
        )
    return card
