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


WAITING = """
import edge_agent.__main__, sys
from edge_agent.agent import Agent
import edge_agent.drivers.host
waiting = [sys.modules[name] for name in ("ipaddress", "stringprep", "tokenize")]
assert "gate".encode("idna") == b"gate"
print([type(one).__name__ for one in waiting], "gä.te".encode("idna"))
"""


def test_what_the_command_makes_wait_is_not_loaded_and_works_when_asked() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", WAITING], capture_output=True, text=True, check=True
    ).stdout
    assert shown == "['_Later', '_Later', '_Later'] b'xn--g-0fa.te'\n"


TLS = """
import edge_agent.__main__, socket, ssl, sys
from edge_agent.agent import Agent
import edge_agent.drivers.host
empty, other = socket.socketpair()
empty.setblocking(False)
try:
    empty.recv(1)
except ssl.SSLWantReadError:
    raise
except BlockingIOError:
    print("_ssl" in sys.modules)
ssl.create_default_context()
import asyncio.sslproto
import paho.mqtt.client as paho
real = sys.modules["ssl"].SSLWantReadError
known = (ssl.SSLWantReadError, paho.ssl.SSLWantReadError, asyncio.sslproto.SSLAgainErrors[0])
print(type(sys.modules["ssl"]).__name__, [one is real for one in known])
"""


def test_tls_is_not_loaded_by_a_socket_that_has_nothing_to_give_and_works_when_asked() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", TLS], capture_output=True, text=True, check=True
    ).stdout
    assert shown == "False\nmodule [True, True, True]\n"


def test_what_is_loaded_stays() -> None:
    loaded = sys.modules["json"]
    later("json")
    assert sys.modules["json"] is loaded


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        later("nothing_of_this_name")
