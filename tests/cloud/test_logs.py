import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from cloud import logs
from models.contract.ids import uuid7


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is written; afterwards the root logger is as it was."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = before
    root.setLevel(level)


CANARY = "Xk3-canary+9"
LOOKS = (
    f"mqtt://ingest:{CANARY}@broker:1883 refused",
    f"postgresql+pg8000://forewarn:{CANARY}@10.0.0.1/forewarn",
    f'{{"password": "{CANARY}"}}',
    f"password={CANARY}&x=1",
    f"Authorization: Bearer {CANARY}",
    f"authorization='Basic {CANARY}'",
    f"broker_password = {CANARY}",
    f"api-key: {CANARY}",
    f"token fw_abc{CANARY.replace('+', '')} refused",
    f"open http://127.0.0.1:8470/setup/{CANARY.replace('+', '')}",
)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("text", LOOKS)
def test_what_looks_like_a_secret_is_masked(stream: io.StringIO, form: str, text: str) -> None:
    logs.configure(form=form, level="info", stream=stream)  # type: ignore[arg-type]
    logging.getLogger("x").info("said %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("x").exception("it failed: %s", text)
    said = stream.getvalue()
    assert "canary" not in said
    assert said.count("***") == 3  # the message twice, and the traceback
    assert "ValueError" in said


@pytest.mark.parametrize("form", ["text", "json"])
def test_known_secrets_are_masked_wherever_they_stand(stream: io.StringIO, form: str) -> None:
    known = ["swordfish", "sword", "wecombot://k3y", "abc"]
    logs.configure(form=form, level="info", known=known, stream=stream)  # type: ignore[arg-type]
    logging.getLogger("x").info("got %r and wecombot://k3y of abc", {"a": ["swordfish!"]})
    said = stream.getvalue()
    assert not any(word in said for word in known[:3])
    assert "of abc" in said  # too short to be told from a word


def test_ordinary_words_stay(stream: io.StringIO) -> None:
    logs.configure(form="text", level="info", stream=stream)
    text = f"device acme.pump1 boot {uuid7(10**18, bytes(10))} at 12:30:00: 3 of 5 stored in /a/b"
    logging.getLogger("x").info(text)
    assert text in stream.getvalue()


def test_a_pool_does_not_tell_of_each_connection_that_is_gone(stream: io.StringIO) -> None:
    logs.configure(form="text", level="info", stream=stream)
    logging.getLogger("sqlalchemy.pool.impl.QueuePool").error("Exception terminating connection")
    assert stream.getvalue() == ""


def test_json_is_one_object_a_line(stream: io.StringIO) -> None:
    logs.configure(form="json", level="info", stream=stream)
    with logs.traced("0af7651916cd43dd8448eb211c80319c"):
        logging.getLogger("cloud.x").warning("two\nlines %s", "“ä”")
    logging.getLogger("cloud.x").debug("too quiet")
    logging.getLogger("alembic").info("of no interest")
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    time = found.pop("time")
    assert time.endswith("Z")
    assert "T" in time
    assert found == {
        "level": "warning",
        "logger": "cloud.x",
        "message": "two\nlines “ä”",
        "thread": threading.current_thread().name,
        "trace": "0af7651916cd43dd8448eb211c80319c",
    }


def test_a_trace_ends_with_what_it_names(stream: io.StringIO) -> None:
    logs.configure(form="text", level="info", stream=stream)
    with logs.traced() as outer:
        with logs.traced() as inner:
            logging.info("in")
        logging.info("between")
    logging.info("out")
    first, second, third = stream.getvalue().splitlines()
    assert outer != inner
    assert first.endswith(f"in [{inner}]")
    assert second.endswith(f"between [{outer}]")
    assert third.endswith("out")


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", "a" * 32),
        (f"00-{'0' * 32}-{'b' * 16}-01", None),
        (f"00-{'A' * 32}-{'b' * 16}-01", None),
        (f"00-{'a' * 32}-{'b' * 16}-01\nevil", None),
        ("", None),
        (None, None),
    ],
)
def test_a_trace_id_is_taken_from_a_w3c_header_only(header: str | None, trace: str | None) -> None:
    assert logs.trace_of(header) == trace
