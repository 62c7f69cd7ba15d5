"""The processes that the InfluxDB benchmark compares, each reading one broker, into one server.

`forewarn serve` as it is; Telegraf (mqtt_consumer → influxdb_v2), which only stores; and the naive
pipeline: paho, `json.loads` of row dictionaries, one river HalfSpaceTrees(25, height 8) a device
(score, then learn), influxdb-client's batching `write_api` with one `Point` a row.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import urllib3
from numpy.typing import NDArray

from benchmarks.pipeline import messages
from cloud.telemetry.influx.http import Server

NAIVE_BUCKET = "naive"
TELEGRAF_BUCKET = "telegraf"
MEASUREMENT = "plant"
DEVICES = 50
READY_S = 300.0  #: the models may have to be compiled first


def telegraf_program() -> Path | None:
    """Return where `make telegraf` puts Telegraf, if it is there."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "forewarn" / "telegraf"
    return path if path.is_file() else None


@contextlib.contextmanager
def process(words: list[str], log: Path, **environment: str) -> Iterator[psutil.Process]:
    """Run a program; its output goes to `log`."""
    with log.open("wb") as out:
        child = subprocess.Popen(
            words, stdout=out, stderr=out, env={**os.environ, **environment, "OMP_NUM_THREADS": "1"}
        )
        try:
            yield psutil.Process(child.pid)
        finally:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def await_text(log: Path, text: str) -> None:
    """Wait until a program's log says something."""
    ends = time.monotonic() + READY_S
    while text not in log.read_text("utf-8", "replace"):
        if time.monotonic() > ends:
            raise TimeoutError(f"{log}: '{text}' never came: {log.read_text()[-2000:]}")
        time.sleep(0.1)


def _await_ready(url: str) -> None:
    """Wait until the service says that it takes readings: it has subscribed by then."""
    ends = time.monotonic() + READY_S
    while time.monotonic() < ends:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if urllib3.request("GET", url, retries=False, timeout=2.0).status == 200:
                return
        time.sleep(0.1)
    raise TimeoutError(f"{url} is not ready")


@contextlib.contextmanager
def forewarn(
    folder: Path, port: int, api: int, server: Server
) -> Iterator[tuple[psutil.Process, ...]]:
    """Run `forewarn serve` with quotas off."""
    token = folder / "token"
    token.write_text(server.token)
    token.chmod(0o600)
    config = folder / "cloud.toml"
    config.write_text(
        f'data = "{folder}/cloud"\n'
        f"[broker]\nport = {port}\n[api]\nport = {api}\n"
        f'[telemetry]\nstore = "influx"\nurl = "{server.url}"\norg = "{server.org}"\n'
        f'token_file = "{token}"\n'
        "[limits]\ndevice_messages_per_s = 0\ndevice_values_per_s = 0\ntenant_values_per_s = 0\n"
    )
    log = folder / "serve.log"
    words = [sys.executable, "-m", "benchmarks.named", "serve", str(config)]
    with process(words, log) as child:
        _await_ready(f"http://127.0.0.1:{api}/readyz")
        yield (child,)


@contextlib.contextmanager
def telegraf(
    folder: Path, port: int, _api: int, server: Server
) -> Iterator[tuple[psutil.Process, ...]]:
    """Run Telegraf with batches as its documentation advises for this load."""
    program = telegraf_program()
    assert program is not None
    config = folder / "telegraf.conf"
    config.write_text(
        '[agent]\n  interval = "1s"\n  flush_interval = "1s"\n  metric_batch_size = 5000\n'
        "  metric_buffer_limit = 1000000\n  omit_hostname = true\n"
        f'[[inputs.mqtt_consumer]]\n  servers = ["tcp://127.0.0.1:{port}"]\n'
        '  topics = ["plant/#"]\n  qos = 1\n  topic_tag = ""\n  data_format = "influx"\n'
        "  max_undelivered_messages = 1000\n"
        f'[[outputs.influxdb_v2]]\n  urls = ["{server.url}"]\n  token = "$TELEGRAF_TOKEN"\n'
        f'  organization = "{server.org}"\n  bucket = "{TELEGRAF_BUCKET}"\n'
        '  content_encoding = "identity"\n'
    )
    log = folder / "telegraf.log"
    words = [str(program), "--config", str(config)]
    with process(words, log, TELEGRAF_TOKEN=server.token) as child:
        await_text(log, "Connected")
        yield (child,)


@contextlib.contextmanager
def naive(
    folder: Path, port: int, _api: int, server: Server, processes: int = 1
) -> Iterator[tuple[psutil.Process, ...]]:
    """Run the naive pipeline; of several processes each takes its share of the devices."""
    with contextlib.ExitStack() as stack:
        children = []
        for part in range(processes):
            log = folder / f"naive-{part}.log"
            words = [sys.executable, "-m", "benchmarks.naive_influx", str(port), server.url]
            words += [server.org, str(part), str(processes)]
            children.append(stack.enter_context(process(words, log, NAIVE_TOKEN=server.token)))
            await_text(log, "ready")
        yield tuple(children)


naive_crowd = partial(naive, processes=os.cpu_count() or 1)


def native(values: NDArray[np.float64], samples: int) -> list[tuple[str, bytes]]:
    """Return binary batches as devices send them."""
    return [m for part in messages(values, samples, "cbor") for m in part]


def row_dictionaries(values: NDArray[np.float64], samples: int) -> list[tuple[str, bytes]]:
    """Return JSON row dictionaries."""
    return [
        (f"plant/{topic.split('/')[2]}", body)
        for part in messages(values, samples, "rows")
        for topic, body in part
    ]


def line_protocol(values: NDArray[np.float64], samples: int) -> list[tuple[str, bytes]]:
    """Return line protocol, one line a row."""
    out = []
    for topic, body in row_dictionaries(values, samples):
        device = topic.rpartition("/")[2]
        lines = []
        for row in json.loads(body):
            at = row.pop("t")
            fields = ",".join(f"{name}={value!r}" for name, value in row.items())
            lines.append(f"{MEASUREMENT},device={device} {fields} {at}")
        out.append((topic, "\n".join(lines).encode()))
    return out
