"""Numbers with their words."""

import pytest

from models.counts import counted


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 batches"), (1, "1 batch"), (2, "2 batches"), (1200, "1,200 batches")]
)
def test_one_is_one(count: int, said: str) -> None:
    assert counted(count, "batch", "batches") == said


def test_most_words_take_an_s() -> None:
    assert [counted(1, "minute"), counted(2, "minute")] == ["1 minute", "2 minutes"]
