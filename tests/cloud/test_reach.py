"""Beyond this computer: only with an account and TLS."""

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.accounts import certificates
from cloud.accounts.desk import blank
from cloud.accounts.values import Role
from cloud.app import App, build, now_ns
from cloud.errors import SettingsError
from cloud.ledger import open_ledger
from cloud.settings import ApiSettings, BrokerSettings, CloudSettings
from forewarn.broker import free_port


def settings(folder: Path, **api: Any) -> CloudSettings:
    # Port 1 of loopback: nobody listens there; the link keeps trying and the rest works.
    return CloudSettings(
        data=str(folder), broker=BrokerSettings(port=1), api=ApiSettings(port=free_port(), **api)
    )


@pytest.mark.parametrize(
    ("api", "said"),
    [
        ({"host": "0.0.0.0"}, "public_url"),
        ({"host": "0.0.0.0", "public_url": "http://pm.example.org"}, "without TLS"),
        ({"public_url": "http://pm.example.org"}, "without TLS"),
        ({"public_url": "pm.example.org"}, "write https://host"),
        ({"public_url": "https://pm.example.org/path"}, "write https://host"),
        ({"cert_file": "a.pem"}, "belong together"),
    ],
)
def test_settings_that_would_expose_it_are_refused(api: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ApiSettings(**api)


@pytest.mark.parametrize(
    "api",
    [
        {"host": "0.0.0.0", "public_url": "https://pm.example.org"},
        {"public_url": "https://pm.example.org"},  # a proxy stands in front of loopback
    ],
)
def test_without_an_account_it_does_not_start_where_others_reach_it(
    tmp_path: Path, api: dict[str, str]
) -> None:
    with pytest.raises(SettingsError, match="forewarn user add"):
        build(settings(tmp_path, **api))


def test_the_demo_never_does(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="other machines would reach"):
        build(settings(tmp_path, public_url="https://pm.example.org"), demo=True)


async def test_with_an_account_and_tls_it_does(tmp_path: Path) -> None:
    issuer = certificates.authority(now_ns())
    made = certificates.broker(issuer, ["127.0.0.1"], now_ns())
    for name, content in (("ca", issuer.pem()), ("it", made.pem()), ("key", made.key_pem())):
        (tmp_path / f"{name}.pem").write_bytes(content)
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", now_ns)
    ledger.account_add(blank("chen", Role.ADMINISTRATOR), None, actor="test")
    ledger.close()
    chosen = settings(
        tmp_path,
        host="0.0.0.0",
        public_url="https://pm.example.org",
        cert_file=str(tmp_path / "it.pem"),
        key_file=str(tmp_path / "key.pem"),
    )
    app: App = build(chosen)
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    base = f"https://127.0.0.1:{chosen.api.port}"
    async with app.running(), httpx.AsyncClient(base_url=base, verify=trust) as client:
        assert app.setup_link() is None
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/api/v1/machines")).status_code == 401
        assert (await client.get("/metrics")).status_code == 401
        other = await client.get("/livez", headers={"Host": "evil.example"})
        assert other.status_code == 421
        public = {"Host": "pm.example.org"}
        assert (await client.get("/sign-in", headers=public)).status_code == 200


async def test_the_first_start_gives_a_link_until_it_is_used(tmp_path: Path) -> None:
    app: App = build(settings(tmp_path))
    async with app.running():
        link = app.setup_link()
        assert link is not None
        async with httpx.AsyncClient() as client:
            base = link.partition("/setup/")[0]
            assert (await client.get(f"{base}/api/v1/machines")).status_code == 200
            form = {"name": "chen", "password": "correct horse battery", "again": ""}
            form["again"] = form["password"]
            assert (await client.post(link, data=form)).status_code == 303
            assert (await client.get(f"{base}/api/v1/machines")).status_code == 200  # its cookie
        async with httpx.AsyncClient() as other:
            assert (await other.get(f"{base}/api/v1/machines")).status_code == 401
        assert app.setup_link() is None


def test_the_demo_gives_no_link(tmp_path: Path) -> None:
    app = build(settings(tmp_path), demo=True)
    try:
        assert app.setup_link() is None
    finally:
        app.close()
