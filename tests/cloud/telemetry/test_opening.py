"""Opening the store that the settings name."""

from pathlib import Path

import pytest

from cloud.errors import SettingsError
from cloud.settings import TelemetrySettings
from cloud.telemetry.checks import EVER, MANY, T0
from cloud.telemetry.influx.log import ShipmentLog
from cloud.telemetry.influx.server import Influxd
from cloud.telemetry.influx.setup import Buckets, Retention, make_buckets
from cloud.telemetry.influx.shipment import Shipment
from cloud.telemetry.opening import REFUSED, RefusedLine, open_copy, open_telemetry
from cloud.telemetry.sqlite import SqliteTelemetry


def test_the_file_is_the_default(tmp_path: Path) -> None:
    store = open_telemetry(TelemetrySettings(), tmp_path, lambda: 0, lambda _: None)
    assert isinstance(store, SqliteTelemetry)
    assert store.trouble() is None
    store.close()


@pytest.mark.parametrize(("raw", "minute"), [(0, 730), (90, 30)])
def test_minutes_stay_as_long_as_raw_readings(raw: int, minute: int) -> None:
    with pytest.raises(ValueError, match="minute_days"):
        TelemetrySettings(raw_days=raw, minute_days=minute)
    assert TelemetrySettings(raw_days=raw, minute_days=0).minute_days == 0


def test_influx_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="token_file or token_env"):
        open_telemetry(TelemetrySettings(store="influx"), tmp_path, lambda: 0, lambda _: None)


@pytest.mark.parametrize("wrong", ["tök", "one\ntwo", ""])
@pytest.mark.parametrize("kind", ["file", "env"])
def test_a_token_that_cannot_be_sent_is_told_by_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, wrong: str
) -> None:
    (tmp_path / "token").write_text(wrong, "utf-8")
    monkeypatch.setenv("INFLUX_TOKEN", wrong)
    settings = TelemetrySettings(
        store="influx",
        token_env="INFLUX_TOKEN" if kind == "env" else None,
        token_file=str(tmp_path / "token") if kind == "file" else None,
    )
    with pytest.raises(SettingsError, match=rf"telemetry\.token_.*{kind}"):
        open_telemetry(settings, tmp_path, lambda: 0, lambda _: None)
    with pytest.raises(SettingsError, match=rf"telemetry\.token_.*{kind}"):
        open_copy(settings, tmp_path)


def test_a_token_has_no_white_space_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUX_TOKEN", " secret\n")
    assert TelemetrySettings(token_env="INFLUX_TOKEN").token() == "secret"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1",
        "http://",
        "http://[::1",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:abc",
        "http://127.0.0.1:0",
        "https://influx..example",
        "http://127.0.0.1:8086/数据",
        "http://127.0.0.1:8086/a b",
    ],
)
def test_an_address_that_cannot_be_reached_is_told(url: str) -> None:
    with pytest.raises(ValueError, match=r"url: .* address"):
        TelemetrySettings(url=url)


@pytest.mark.parametrize("url", ["http://[::1]/influx", "https://bücher.example", "https://db:1"])
def test_an_address_may_have_path_port_and_letters(url: str) -> None:
    assert TelemetrySettings(url=url).url == url


def test_a_refused_line_is_set_aside_under_its_device(influxd: Influxd, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(influxd.token)
    prefix = "opening-refused"
    make_buckets(influxd.server, Buckets.of(prefix), Retention(raw_days=0))
    settings = TelemetrySettings(
        store="influx",
        url=influxd.server.url,
        org=influxd.server.org,
        bucket=prefix,
        token_file=str(token),
    )
    series = "reading,machine=acme.gw1:pump2,stream=live"
    lines = [f"{series} f.temp=1 {T0}", f"{series} f.temp=oops {T0 + 1}"]
    (tmp_path / "influx").mkdir()
    body = "\n".join(lines).encode() + b"\n"
    ShipmentLog(tmp_path / "influx").note(Shipment(4, [(Buckets.of(prefix).raw, body)]))
    aside: list[RefusedLine] = []
    store = open_telemetry(settings, tmp_path, lambda: 77, aside.extend)
    assert len(store.series("acme.gw1:pump2", "temp", *EVER, MANY).times_ns) == 1
    assert aside == [
        RefusedLine(
            n=4,
            at_ns=77,
            topic="pm/1/acme.gw1/up/t/live",
            reason=REFUSED,
            detail=aside[0].detail,
            payload=lines[1].encode(),
        )
    ]
    assert "unable to parse" in aside[0].detail
    store.close()
