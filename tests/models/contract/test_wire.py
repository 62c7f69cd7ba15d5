"""Golden messages: what was once read must be read alike for ever. See tests/wire/v1/README.md."""

import json
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.contract import codec, topics
from models.contract.messages import Batch, Column

FOLDER = Path(__file__).parents[2] / "wire" / "v1"
EXPECTED = sorted(FOLDER.glob("*.expected"))


def plain(message: codec.Message) -> dict[str, Any]:
    """Return a message as JSON can show it; columns as type and values, null = missing."""
    if not isinstance(message, Batch):
        return {"kind": type(message).__name__, **msgspec.to_builtins(message)}
    steps = message.offsets_ns
    body = msgspec.to_builtins(
        msgspec.structs.replace(message, columns={}, quality={}, offsets_ns=0, broken=())
    )
    return {
        "kind": "Batch",
        **body,
        "offsets_ns": steps if isinstance(steps, int) else list(steps),
        "columns": {name: cells(column) for name, column in message.columns.items()},
        "quality": {name: list(marks) for name, marks in message.quality.items()},
        "broken": {part.name: part.reason for part in message.broken},
    }


def cells(column: Column) -> dict[str, Any]:
    values = struct.unpack(f"<{len(column)}{column.type}", column.data)
    gone = column.missing or bytes(len(column))
    shown = [None if hole or v != v else v for v, hole in zip(values, gone, strict=True)]
    return {"type": column.type, "values": shown}


def test_there_are_golden_messages() -> None:
    assert len(EXPECTED) >= 20
    payloads = {path for path in FOLDER.iterdir() if path.suffix in {".json", ".cbor"}}
    assert payloads == {path.with_suffix("") for path in EXPECTED}


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.stem)
def test_a_golden_message_is_read_as_ever(path: Path) -> None:
    expected = json.loads(path.read_bytes())
    payload = path.with_suffix("").read_bytes()
    message = codec.decode(topics.parse(expected["topic"]), payload)
    assert json.loads(json.dumps(plain(message))) == expected["message"]
    if expected["ours"]:
        form: codec.Format = "json" if path.stem.endswith(".json") else "cbor"
        assert codec.encode(message, form) == payload
