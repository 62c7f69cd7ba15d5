"""The published form of the contract: JSON Schemas and an AsyncAPI document, from the wire classes.

`python -m models.contract.schema` writes them anew; a test compares them with the code.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from models.contract.wire import (
    KEYS,
    AnswerWire,
    BatchWire,
    BirthWire,
    CommandWire,
    EventWire,
    GapWire,
    ReceiptWire,
    StateWire,
)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FOLDER: Final = Path(__file__).with_name("schema")
ID: Final = "[a-z0-9][a-z0-9-]{0,30}"


class Kind(NamedTuple):
    """One kind of message: its topic below the identity, its shape, how it is published."""

    name: str
    suffix: str
    shape: type[msgspec.Struct]
    retained: bool
    summary: str


KINDS: Final[Sequence[Kind]] = (
    Kind("birth", "up/birth", BirthWire, True, "What a device says of itself when it starts."),
    Kind("state", "up/state", StateWire, True, "Whether a device is there; also its last will."),
    Kind("batch", "up/t/{stream}", BatchWire, False, "Samples of one stream, column by column."),
    Kind("event", "up/e/{type}", EventWire, False, "Something a device reports in words."),
    Kind("gap", "up/e/gap", GapWire, False, "Samples that the device no longer has."),
    Kind("receipt", "down/ack", ReceiptWire, False, "What is stored; the device may forget it."),
    Kind("command", "down/cmd/{op}/{id}", CommandWire, False, "What a device is asked to do."),
    Kind("answer", "up/cmd/{op}/{id}", AnswerWire, False, "How far a device is with a command."),
)
_PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "identity": {"description": f"tenant.device, each {ID}: user name, client id, common name"},
    "stream": {"enum": ["alarm", "live", "bulk", "backfill"], "description": "priority class"},
    "op": {"description": "one of the `capabilities` of the birth, e.g. snapshot"},
    "id": {"description": "UUID of the command; the answers carry the same"},
    "type": {"description": "what happened, [a-z0-9][a-z0-9-]{0,62}, e.g. fault"},
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each kind of message, by its name."""
    return {kind.name: _schema(kind) for kind in KINDS}


def _schema(kind: Kind) -> dict[str, Any]:
    (top,), parts = msgspec.json.schema_components([kind.shape], ref_template="#/$defs/{name}")
    name = str(top["$ref"]).rpartition("/")[2]
    body = dict(parts.pop(name))
    keys = {key: KEYS[key] for key in body["properties"]}
    schema = {
        "$schema": DIALECT,
        "$id": f"urn:forewarn:pm:1:{kind.name}",
        **body,
        "title": kind.name,
        "description": kind.summary,
        "x-cbor-keys": keys,
    }
    return schema | ({"$defs": parts} if parts else {})


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document: a channel, a message and an operation for each kind."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "forewarn device contract",
            "version": "1.0.0",
            "description": "Seen from the device. MQTT 5 or 3.1.1, QoS 1. Payloads are JSON, or "
            "CBOR with the integer keys of `x-cbor-keys` and columns as typed arrays (RFC 8746).",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {kind.name: _channel(kind) for kind in KINDS},
        "operations": {
            ("send" if kind.suffix.startswith("up/") else "receive") + kind.name.title(): {
                "action": "send" if kind.suffix.startswith("up/") else "receive",
                "channel": {"$ref": f"#/channels/{kind.name}"},
                "summary": kind.summary,
                "bindings": {"mqtt": {"qos": 1, "retain": kind.retained}},
            }
            for kind in KINDS
        },
        "components": {"messages": {kind.name: _message(kind) for kind in KINDS}},
    }


def _channel(kind: Kind) -> dict[str, Any]:
    address = f"pm/1/{{identity}}/{kind.suffix}"
    parameters = {
        name: parameter for name, parameter in _PARAMETERS.items() if f"{{{name}}}" in address
    }
    return {
        "address": address,
        "messages": {kind.name: {"$ref": f"#/components/messages/{kind.name}"}},
        "parameters": parameters,
    }


def _message(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.name,
        "summary": kind.summary,
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./{kind.name}.json"},
        },
    }


def documents() -> dict[str, bytes]:
    """Return every published file by its name."""
    files = {f"{name}.json": schema for name, schema in schemas().items()}
    files["asyncapi.json"] = asyncapi()
    return {
        name: msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n"
        for name, body in files.items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in documents().items():
        (FOLDER / file).write_bytes(text)
        sys.stdout.write(f"{FOLDER / file}\n")
