"""What stands at the ticks of an axis."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.ui.plant import need

WEB = Path(__file__).parents[2] / "cloud" / "ui" / "web"
SAID = """
const { figure } = await import(process.argv[1]);
const [language, step, values] = JSON.parse(process.argv[2]);
console.log(JSON.stringify(values.map((one) => figure(one, language, step))));
"""


@pytest.mark.parametrize(
    ("language", "step", "values", "said"),
    [
        ("en", 10, [101_300, 101_310, 101_320], ["101.3K", "101.31K", "101.32K"]),
        ("en", 500, [1_500_000, 1_500_500, 1_501_000], ["1.5M", "1.5005M", "1.501M"]),
        ("en", 50_000, [50_000, 100_000, 150_000], ["50,000", "100K", "150K"]),
        ("zh-CN", 50_000, [1_000_000, 1_050_000], ["100万", "105万"]),
        ("en", 1e-7, [0, 1e-7, 2e-7, 3.0000000000000004e-7], ["0", "1E-7", "2E-7", "3E-7"]),
        ("en", 1e-7, [1, 1.0000001], ["1", "1.0000001"]),
        ("en", 0.5, [-0.5, 0, 0.5], ["-0.5", "0", "0.5"]),
        ("en", 0, [123_456, 1234.5, 12.345, 0.12345], ["123.5K", "1,235", "12.3", "0.123"]),
    ],
)
def test_ticks_that_differ_do_not_say_the_same(
    tmp_path: Path, language: str, step: float, values: Sequence[float], said: Sequence[str]
) -> None:
    bundler = WEB / "node_modules" / ".bin" / "rolldown"
    need(shutil.which("node") and bundler.exists(), "the pages are not built: make setup")
    made = tmp_path / "figure.mjs"
    source = WEB / "src" / "parts" / "figure.ts"
    bundling = [str(bundler), str(source), "--file", str(made), "--format", "esm"]
    subprocess.run(bundling, check=True, capture_output=True)
    asked = json.dumps([language, step, values])
    words = ["node", "--input-type=module", "--eval", SAID, made.as_uri(), asked]
    answer = subprocess.run(words, check=True, capture_output=True, text=True)
    assert json.loads(answer.stdout) == said
