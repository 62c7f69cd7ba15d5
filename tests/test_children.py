"""A child that ends before it is killed proves nothing, and must not pass."""

import os
import signal
from contextlib import closing

import pytest

from tests.children import Child


def _ends(out: int) -> None:
    os.write(out, b"o")


def _goes_on(out: int) -> None:
    while True:
        os.write(out, b"o")


def test_what_ends_by_itself_is_noticed_by_who_reads_and_by_who_kills() -> None:
    with closing(Child(_ends)) as child:
        assert child.read(1) == b"o"
        with pytest.raises(EOFError, match="by itself"):
            child.read(1)
        with pytest.raises(AssertionError, match="by itself, with 0"):
            child.kill()


def test_what_is_killed_has_a_rest() -> None:
    with closing(Child(_goes_on)) as child:
        assert child.read(1) == b"o"
        child.kill()
        assert set(child.rest()) <= set(b"o")
        assert child.ended() == -signal.SIGKILL
