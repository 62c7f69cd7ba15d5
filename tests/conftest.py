"""What holds for all tests: no clock decides, one failure stays one, whoever stops cleans up."""

import gc
import os
import signal
import sys
import threading
import warnings
from collections.abc import Generator
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the computer is. In CI the examples are the same each time
settings.register_profile(
    "patient",
    settings.get_profile("ci" if os.environ.get("CI") else "default"),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C does: a loop that runs ends its task, anything else is broken off."""
    handler = signal.getsignal(signal.SIGINT)
    (handler if callable(handler) else signal.default_int_handler)(number, frame)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """End at SIGTERM as at Ctrl-C: what fixtures have started is stopped, not left behind.

    Each time anew, for an event loop that has handled signals leaves the default in their place.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let what a failed test left open be closed now: the next one must not be blamed for it."""
    before = item.session.testsfailed
    done = yield
    if item.session.testsfailed > before:
        for name in ("last_exc", "last_value", "last_traceback"):  # they hold what the test had
            setattr(sys, name, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
    return done
