"""A learned model's two files on disk: `NAME.onnx` and, beside it, `NAME.json`."""

from collections.abc import Callable
from pathlib import Path

from models.anomaly.card import MAX_CARD, MAX_MODEL, Card, ModelError, read
from models.anomaly.learned import Drift, Learned, learned


def card_of(model: Path) -> Path:
    """Return where the card of a model file is."""
    return model.with_suffix(".json")


def load(
    model: Path, drift: Callable[[], Drift] | None = None
) -> tuple[Card, Callable[[], Learned]]:
    """Return the card and what makes detectors; `ModelError` says what is wrong with a file."""
    text, content = _content(card_of(model), MAX_CARD), _content(model, MAX_MODEL)
    return learned(text, content, str(model), drift)


def load_card(model: Path) -> Card:
    """Return the card alone, after the same checks; nothing is run."""
    return read(_content(card_of(model), MAX_CARD), _content(model, MAX_MODEL), str(model))


def _content(path: Path, most: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > most:
            raise ModelError(f"{path}: has {size} bytes, more than {most}: not one of ours")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
