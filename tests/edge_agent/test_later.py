"""Modules that wait until they are asked for something."""

import json
import subprocess
import sys

import pytest

from edge_agent.later import later

SHOW = """
import json, sys
from edge_agent.later import later
later("urllib.request")
from edge_agent.agent import Agent
before = "email" in sys.modules
import urllib.request
proxies = urllib.request.getproxies()
print(json.dumps([before, "email" in sys.modules, proxies]))
"""


def test_the_agent_runs_without_it_and_it_works_when_asked() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW],
        capture_output=True,
        text=True,
        check=True,
        env={"mqtt_proxy": "http://gate:1080", "PYTHONPATH": ":".join(sys.path)},
    ).stdout
    assert json.loads(shown) == [False, True, {"mqtt": "http://gate:1080"}]


def test_what_is_loaded_stays() -> None:
    loaded = sys.modules["json"]
    later("json")
    assert sys.modules["json"] is loaded


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        later("nothing_of_this_name")
