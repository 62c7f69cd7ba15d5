import json
from typing import Any

import jsonschema
import msgspec
import pytest

from models.contract import codec, schema, topics
from models.contract.errors import BadPayload
from models.contract.wire import KEYS
from tests.models.contract.corpus import BOOT, MESSAGES
from tests.models.contract.reader_bytes import KEYS as READERS_KEYS

KIND = {"steady": "batch", "will": "state"}


def test_the_published_files_are_those_of_the_code() -> None:
    written = {path.name: path.read_bytes() for path in schema.FOLDER.iterdir()}
    assert written == schema.documents(), "run: python -m models.contract.schema"


@pytest.mark.parametrize("name", schema.schemas())
def test_each_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema.schemas()[name])


@pytest.mark.parametrize("name", MESSAGES)
def test_what_the_codec_writes_follows_the_schema(name: str) -> None:
    _, message = MESSAGES[name]
    body = json.loads(codec.encode(message, "json"))
    validator(KIND.get(name, name)).validate(body)


def validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema.schemas()[kind])


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("batch", {}),
        ("batch", {"d": {}}),
        ("batch", {"d": {"a": 1}, "b": "short"}),
        ("batch", {"d": {"a": 1}, "b": "aaaaaaaa\n"}),
        ("batch", {"d": {"a": 1}, "s": -1}),
        ("batch", {"d": {"a": 1}, "n": 0}),
        ("batch", {"d": {"a": 1}, "h": 1}),
        ("batch", {"d": {"a": 1}, "t0": 1.5}),
        ("birth", {"boot": BOOT}),
        ("birth", {"boot": BOOT, "metrics": [{"name": ""}]}),
        ("birth", {"boot": BOOT, "metrics": [{"name": "a", "type": "text"}]}),
        ("birth", {"boot": BOOT, "metrics": [], "machines": {"A": {}}}),
        ("state", {"boot": BOOT}),
        ("gap", {"boot": BOOT, "stream": "live", "ranges": [], "reason": "x"}),
        ("gap", {"boot": BOOT, "stream": "other", "ranges": [[1, 2]], "reason": "x"}),
        ("receipt", {"boot": BOOT, "stream": "live", "hwm": -2}),
    ],
)
def test_codec_and_schema_refuse_alike(kind: str, body: dict[str, Any]) -> None:
    suffix = next(k.suffix for k in schema.KINDS if k.name == kind).replace("{stream}", "live")
    topic = topics.parse(f"pm/1/acme.gw1/{suffix}")
    assert not validator(kind).is_valid(body)
    with pytest.raises(BadPayload):
        codec.decode(topic, msgspec.json.encode(body))


def test_every_channel_is_one_that_the_codec_reads() -> None:
    for channel in schema.asyncapi()["channels"].values():
        address = channel["address"].replace("{identity}", "acme.gw1")
        topic = topics.parse(
            address.replace("{stream}", "live")
            .replace("{type}", "fault")
            .replace("{op}", "log")
            .replace("{id}", "7")
        )
        with pytest.raises(BadPayload):  # and not BadTopic
            codec.decode(topic, b"")


def test_references_lead_somewhere() -> None:
    document = schema.asyncapi()
    for channel in document["channels"].values():
        for message in channel["messages"].values():
            assert message["$ref"].removeprefix("#/components/messages/") in schema.schemas()
    for operation in document["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in document["channels"]


def test_cbor_keys_are_never_renumbered() -> None:
    assert tuple(KEYS) == READERS_KEYS
    assert list(KEYS.values()) == list(range(len(KEYS)))
