"""The examples of the reference page are read by the codec."""

import json
import re
from pathlib import Path

import pytest

from models.contract import codec, topics
from models.contract.messages import Batch
from models.contract.wire import KEYS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "contract.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json (pm/\S+)\n(.*?)```", TEXT, re.DOTALL)


def test_there_is_an_example_of_every_message() -> None:
    kinds = {type(codec.decode(topics.parse(topic), text.encode())) for topic, text in EXAMPLES}
    assert len(kinds) == len(EXAMPLES) == 6


@pytest.mark.parametrize(("topic", "text"), EXAMPLES)
def test_each_example_says_what_it_means_to(topic: str, text: str) -> None:
    message = codec.decode(topics.parse(topic), text.encode())
    again = json.loads(codec.encode(message, "json"))
    assert json.loads(text).keys() <= again.keys()


def test_the_first_reading() -> None:
    match = re.search(r"mosquitto_pub -q 1 -t (\S+) -m '(.*)'", TEXT)
    assert match is not None
    batch = codec.decode(topics.parse(match[1]), match[2].encode())
    assert isinstance(batch, Batch)
    assert (batch.count, batch.guaranteed, list(batch.columns)) == (1, False, ["temp"])


def test_the_table_of_keys() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", TEXT, re.MULTILINE))
    assert len(rows) == 14
    assert {name: int(number) for name, number in rows.items()} == {n: KEYS[n] for n in rows}
