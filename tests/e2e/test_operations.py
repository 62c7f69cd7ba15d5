"""Probes, metrics, log and doctor of a running service, with its broker gone and back."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.parts import ANSWER_S, Part, Service, eventually

pytestmark = pytest.mark.broker
CANARY = "Xk3-canary-9"


def _status(one: Service, path: str) -> int:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{one.port}{path}", timeout=ANSWER_S
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _metrics(one: Service) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{one.port}/metrics", timeout=ANSWER_S) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _found(folder: Path) -> set[str]:
    words = [sys.executable, "-m", "forewarn", "doctor", str(folder / "cloud.toml"), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return {one["code"] for one in json.loads(done.stdout)}


def test_what_an_operator_sees(running: Service, broker: Part, tmp_path: Path) -> None:
    running.part.stop()
    settings = tmp_path / "cloud.toml"
    secret = tmp_path / "secret"
    secret.write_text(CANARY)
    secret.chmod(0o600)
    text = settings.read_text().replace(
        "[broker]\n", f'[broker]\ndevices = "any"\nusername = "u"\npassword_file = "{secret}"\n'
    )
    settings.write_text(text + '[log]\nformat = "json"\nlevel = "debug"\n')
    running.part.start()
    begin = len((tmp_path / "service.log").read_text().split('{"time"')[0])

    words = [sys.executable, "-m", "tests.e2e.devices", str(broker.port), str(tmp_path)]
    with Part([*words, "3", "0", "receipt"], tmp_path / "devices.log", "started"):
        eventually(lambda: _metrics(running)[("forewarn_samples_total",)] > 30 or None)
        assert _status(running, "/readyz") == 200
        found = _metrics(running)
        handled = sum(v for k, v in found.items() if k[0] == "forewarn_messages_handled_total")
        waiting = found["forewarn_batches_waiting", "order"]
        assert found[("forewarn_messages_total",)] - handled - waiting <= 256  # a group under way
        assert found["forewarn_up", "broker"] == 1
        assert not _found(tmp_path) & {"FW111", "FW125", "FW126"}
        broker.kill()
        eventually(lambda: _status(running, "/readyz") == 503 or None)
        assert _status(running, "/livez") == 200
        assert _metrics(running)["forewarn_up", "broker"] == 0
        assert {"FW111", "FW126"} <= _found(tmp_path)
        broker.start()
        eventually(lambda: _status(running, "/readyz") == 200 or None)
    running.part.stop()
    said = (tmp_path / "service.log").read_text()[begin:]
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert any(line["logger"] == "cloud.api.metrics" and line["trace"] for line in lines)
    assert {line["level"] for line in lines} >= {"info", "debug"}
    assert CANARY not in said
