"""Memory and start time of both programs, as an operating system counts them."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
from paho.mqtt import publish

from benchmarks.report import Figure
from forewarn.broker import embedded, free_port

FIRST_S = 900.0


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB (Linux: VmRSS)."""
    if sys.platform == "linux":
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    shown = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True
    )
    return int(shown.stdout) / 1024


def service(
    folder: Path, port: int, version: int, *, more: str = "", **environment: str
) -> tuple[subprocess.Popen[bytes], str]:
    """Start the service, with `more` settings; return its process and the address of its API."""
    api = free_port()
    settings = folder / "cloud.toml"
    settings.write_text(
        f'data = "{folder}/data"\n[broker]\nport = {port}\nversion = {version}\n'
        f"[api]\nport = {api}\n{more}"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "forewarn", "serve", str(settings)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | environment,
    )
    return process, f"http://127.0.0.1:{api}"


def await_ready(
    url: str, process: subprocess.Popen[bytes], look: Callable[[], object] = lambda: None
) -> float:
    """Wait for /readyz, with a `look` between two questions; return the seconds it took."""
    begin = time.perf_counter()
    while process.poll() is None:
        look()
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=1).read()
            return time.perf_counter() - begin
        except OSError:
            time.sleep(0.01)
    raise RuntimeError("the service did not start")


def peak_mb(pid: int) -> float:
    """Return the most memory that a process has had resident, in MB (Linux: VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def cold() -> list[Figure]:
    """Start the service without compiled kernels: it compiles them before it is ready."""
    with tempfile.TemporaryDirectory() as name, embedded(Path(name) / "broker") as broker:
        cache = str(Path(name) / "numba")
        cloud, url = service(Path(name), broker.port, broker.version, NUMBA_CACHE_DIR=cache)
        try:
            process, seen = psutil.Process(cloud.pid), [0.0]
            started = await_ready(url, cloud, lambda: seen.append(_family_mb(process)))
            spent = cpu_s(process)
            reading(broker.port, url)
            return [
                Figure("service, start to ready with a cold compile", started, "s"),
                Figure("  CPU until then, its child's included", spent, "CPU-s"),
                Figure("  most resident meanwhile, its child's included", max(seen), "MB"),
                Figure("  the service itself once it is ready", peak_mb(cloud.pid), "MB"),
            ]
        finally:
            cloud.terminate()
            cloud.wait()


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and of its children that have ended."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _family_mb(process: psutil.Process) -> float:
    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            total += one.memory_info().rss
    return total / (1 << 20)


def reading(port: int, url: str) -> None:
    """Publish one reading and wait until its machine is known."""
    publish.single("pm/1/bench.first/up/t/live", b'{"d":{"x":1.5}}', qos=1, port=port)
    ends = time.monotonic() + FIRST_S
    while time.monotonic() < ends:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/api/v1/machines/bench.first", timeout=5).read()
            return
        time.sleep(0.1)
    raise TimeoutError("the first reading never came through")


def run(seconds: float = 10.0) -> list[Figure]:
    """Run service and agent (host driver) on a broker and look at them after some seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with embedded(folder / "broker") as broker:
            cloud, url = service(folder, broker.port, broker.version)
            try:
                started = await_ready(url, cloud)
                settings = folder / "edge.toml"
                settings.write_text(
                    f'tenant = "bench"\ndevice = "host"\n[broker]\nport = {broker.port}\n'
                    f"version = {broker.version}\n[outbox]\n"
                    f'path = "{folder}/outbox.db"\n[[sources]]\ndriver = "host"\n'
                )
                words = [sys.executable, "-m", "edge_agent", "run", str(settings)]
                agent = subprocess.Popen(words, stderr=subprocess.DEVNULL)
                try:
                    time.sleep(seconds)
                    figures = [
                        Figure("agent (host driver), resident", resident_mb(agent.pid), "MB"),
                        Figure("service, idle with one machine", resident_mb(cloud.pid), "MB"),
                        Figure("service, start to ready", started, "s"),
                    ]
                finally:
                    agent.terminate()
                    agent.wait()
            finally:
                cloud.terminate()
                cloud.wait()
    bare = [sys.executable, "-X", "importtime", "-c", "import edge_agent.agent"]
    shown = subprocess.run(bare, capture_output=True, text=True, check=True).stderr
    total = int(shown.strip().splitlines()[-1].split("|")[1]) / 1e6
    return [*figures, Figure("agent, time to import", total, "s"), *cold()]


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for figure in run():
        print(figure)
