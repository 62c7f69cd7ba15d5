"""A learned model's two files on disk: `NAME.onnx` and, beside it, `NAME.json`."""

from pathlib import Path

from models.anomaly.card import MAX_CARD, MAX_MODEL, Card, ModelError, read


def card_of(model: Path) -> Path:
    """Return where the card of a model file is."""
    return model.with_suffix(".json")


def contents(model: Path) -> tuple[bytes, bytes]:
    """Return the card's text and the model; `ModelError` names a file that cannot be read."""
    return _content(card_of(model), MAX_CARD), _content(model, MAX_MODEL)


def load_card(model: Path) -> Card:
    """Return the card once both files are known to belong together; nothing is run."""
    return read(*contents(model), str(model))


def _content(path: Path, most: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > most:
            raise ModelError(f"{path}: has {size} bytes, more than {most}: not one of ours")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
