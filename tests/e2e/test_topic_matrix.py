"""Each device reaches its own topics and nothing else, on a real Mosquitto with our files."""

import contextlib
import os
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud.accounts import mosquitto
from forewarn.broker import find_mosquitto
from tests.e2e.parts import Part
from tests.e2e.site import OBSERVER, PASSWORD, Site

pytestmark = pytest.mark.broker
WAIT_S = 90
DEVICES = ("acme.pump1", "acme.pump2", "beta.pump1")
UP = ("birth", "state", "t/live", "t/alarm", "e/gap", "w/1/0", "cmd/snapshot/1", "cfg", "art")
DOWN = ("ack", "e/reject", "cmd/snapshot/1", "cfg", "art", "time")
TOPICS = [
    *(f"pm/1/{d}/up/{c}" for d in DEVICES for c in UP),
    *(f"pm/1/{d}/down/{c}" for d in DEVICES for c in DOWN),
    *(f"pm/1/{d}" for d in DEVICES),
    "pm/1/acme.pump1/UP/t/live",
    "pm/1/acme.pump1/upper/t",
    "pm/1/acme/up/t/live",
    "pm/1/ghost.device/up/t/live",
    "pm/1/%u/up/t/live",
    "pm/2/acme.pump1/up/t/live",
    "pm/1",
    "/pm/1/acme.pump1/up/t/live",
    "homeassistant/status",
    "$SYS/broker/version",
    "$CONTROL/dynamic-security/v1",
]
WILDCARDS = [
    "#",
    "+/#",
    "pm/#",
    "pm/1/+/up/#",
    "pm/1/+/down/#",
    "pm/+/acme.pump2/down/ack",
    "$SYS/#",
    "$CONTROL/#",
    "$share/all/#",
    "$share/all/pm/1/+/up/#",
    "$share/all/pm/1/acme.pump2/down/#",
    "$share/all/pm/1/beta.pump1/down/ack",
]
NOT_AUTHORISED = 0x87


class Peer:
    """One connection, told in events."""

    def __init__(
        self,
        port: int,
        ca: Path,
        user: str | None,
        password: str | None,
        client_id: str = "",
        will: tuple[str, str] | None = None,
    ) -> None:
        self.heard: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
        self._acks: dict[int, Any] = {}
        self._changed = threading.Condition()
        self._connected: queue.Queue[int] = queue.Queue()
        self.gone = threading.Event()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5
        )
        self.client.tls_set(ca_certs=str(ca), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        if user is not None:
            self.client.username_pw_set(user, password)
        if will is not None:
            self.client.will_set(will[0], will[1], qos=1)
        self.client.on_disconnect = lambda *_: self.gone.set()
        self.client.on_connect = lambda *a: self._connected.put(a[3].value)
        self.client.on_message = lambda _c, _d, m: self.heard.put(
            (m.topic, bytes(m.payload), m.retain)
        )
        self.client.on_publish = lambda _c, _d, mid, reason, _p: self._ack(mid, reason.value)
        self.client.on_subscribe = lambda _c, _d, mid, reasons, _p: self._ack(mid, reasons)
        self.client.connect("127.0.0.1", port, keepalive=60)
        self.client.loop_start()
        self.reason = self._connected.get(timeout=WAIT_S)

    def _ack(self, mid: int, what: Any) -> None:
        with self._changed:
            self._acks[mid] = what
            self._changed.notify_all()

    def _await(self, mid: int | None) -> Any:
        assert mid is not None
        with self._changed:
            assert self._changed.wait_for(lambda: mid in self._acks, WAIT_S)
            return self._acks.pop(mid)

    def publish(self, topic: str, payload: str, retain: bool = False) -> int:
        """Publish at QoS 1 and return the reason of the acknowledgement."""
        return int(self._await(self.client.publish(topic, payload, 1, retain).mid))

    def subscribe(self, *filters: str) -> None:
        """Subscribe; whether it is granted says nothing (see docs/how-to/second-computer.md)."""
        for one in filters:
            _, mid = self.client.subscribe(one, options=SubscribeOptions(qos=1))
            self._await(mid)

    def until(self, marker: str) -> list[tuple[str, bytes, bool]]:
        """Return what was heard before a message with this payload."""
        found: list[tuple[str, bytes, bool]] = []
        while True:
            one = self.heard.get(timeout=WAIT_S)
            if one[1] == marker.encode():
                return found
            found.append(one)

    def drop(self) -> None:
        """Cut the connection without a goodbye."""
        sock = self.client.socket()
        ending = threading.Thread(target=self.client.loop_stop)  # so that it does not reconnect
        ending.start()
        if isinstance(sock, socket.socket):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        ending.join()

    def close(self) -> None:
        """Say goodbye."""
        self.client.disconnect()
        self.client.loop_stop()


class Ground:
    """A running broker with three devices, the service and an observer."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._open: list[Peer] = []

    def device(self, device: str, **more: Any) -> Peer:
        return self._peer(self.site.port, device, self.site.passwords[device], **more)

    def service(self) -> Peer:
        password = (self.site.folder / "service.password").read_text()
        return self._peer(self.site.service_port, mosquitto.SERVICE, password)

    def observer(self) -> Peer:
        return self._peer(self.site.service_port, OBSERVER, PASSWORD)

    def _peer(self, port: int, user: str | None, password: str | None, **more: Any) -> Peer:
        peer = Peer(port, self.site.ca, user, password, **more)
        self._open.append(peer)
        return peer

    def close(self) -> None:
        for peer in self._open:
            peer.close()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if find_mosquitto() is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is not installed")
        pytest.skip("mosquitto is not installed (Debian: apt install mosquitto)")
    site = Site(tmp_path_factory.mktemp("site"))
    for device in DEVICES:
        site.add(device)
    site.watched()
    part: Part = site.broker()
    part.start()
    yield site
    part.stop()


@pytest.fixture
def ground(broker: Site) -> Iterator[Ground]:
    made = Ground(broker)
    yield made
    made.close()


def may_write(who: str, topic: str) -> bool:
    """Say what the access lists are meant to allow."""
    if who == mosquitto.SERVICE:
        parts = topic.split("/")
        return parts[:2] == ["pm", "1"] and len(parts) > 4 and parts[3] == "down"
    return topic.startswith(f"pm/1/{who}/up/")


def may_read(who: str, topic: str) -> bool:
    if who == mosquitto.SERVICE:
        parts = topic.split("/")
        return parts[:2] == ["pm", "1"] and len(parts) > 4 and parts[3] == "up"
    return topic.startswith(f"pm/1/{who}/down/")


WHO = (*DEVICES, mosquitto.SERVICE)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("retain", [False, True], ids=["", "retained"])
def test_publishing(ground: Ground, who: str, retain: bool) -> None:
    observer = ground.observer()
    observer.subscribe("#", "$SYS/broker/version", "$CONTROL/#")
    peer = ground.service() if who == mosquitto.SERVICE else ground.device(who)
    reasons = {
        topic: peer.publish(topic, f"{who} {retain} {i}", retain) for i, topic in enumerate(TOPICS)
    }
    observer.publish("marker", f"published by {who} {retain}")
    heard = {
        t
        for t, p, _ in observer.until(f"published by {who} {retain}")
        if p.startswith(who.encode())
    }
    allowed = {topic for topic in TOPICS if may_write(who, topic)}
    assert heard == allowed
    assert {t for t, reason in reasons.items() if reason == NOT_AUTHORISED} == set(TOPICS) - allowed
    if retain:
        late = ground.observer()
        late.subscribe("#")
        late.publish("marker", f"kept of {who}")
        kept = {
            t for t, p, old in late.until(f"kept of {who}") if old and p.startswith(who.encode())
        }
        assert kept == allowed
        for topic in allowed:
            observer.publish(topic, "", retain=True)


@pytest.mark.parametrize(
    "who", [DEVICES[0], *(pytest.param(who, marks=pytest.mark.long) for who in DEVICES[1:])]
)
def test_a_last_will(ground: Ground, who: str) -> None:
    observer = ground.observer()
    observer.subscribe("#", "$SYS/broker/version", "$CONTROL/#")
    for i, topic in enumerate(TOPICS):
        peer = ground.device(who, will=(topic, f"will of {who} {i}"))
        peer.drop()
    again = ground.device(who)  # takes the name over: the last will is out before it is let in
    assert again.publish(f"pm/1/{who}/up/e/marker", f"wills of {who}") == 0
    heard = {t for t, p, _ in observer.until(f"wills of {who}") if p.startswith(b"will of")}
    assert heard == {topic for topic in TOPICS if may_write(who, topic)}
    again.close()


@pytest.mark.parametrize("who", WHO)
def test_subscribing(ground: Ground, who: str) -> None:
    observer = ground.observer()
    peer = ground.service() if who == mosquitto.SERVICE else ground.device(who)
    peer.subscribe(*TOPICS, *WILDCARDS)
    own = f"pm/1/{'ghost.device/up' if who == mosquitto.SERVICE else f'{who}/down'}/marker"
    for topic in TOPICS:
        observer.publish(topic, f"for {topic}")
    observer.publish(own, f"all for {who}")
    heard = {topic for topic, _, _ in peer.until(f"all for {who}")}
    assert heard == {topic for topic in TOPICS if may_read(who, topic)}
    peer.close()


def test_nobody_takes_anothers_name(ground: Ground) -> None:
    victim = ground.device("acme.pump1")
    thief = ground.device("acme.pump2", client_id="acme.pump1")
    assert thief.publish("pm/1/acme.pump2/up/t/live", "x") in (0, 0x10)
    assert thief.publish("pm/1/acme.pump1/up/t/live", "x") == NOT_AUTHORISED
    assert not victim.gone.is_set()
    assert victim.publish("pm/1/acme.pump1/up/t/live", "x") in (0, 0x10)


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (None, None),
        ("acme.pump1", None),
        ("acme.pump1", ""),
        ("acme.pump1", "wrong"),
        ("ghost.device", "wrong"),
        ("#", "wrong"),
        (mosquitto.SERVICE, "the password of the service's own listener"),
    ],
)
@pytest.mark.parametrize("listener", ["devices", "service"])
def test_nobody_without_a_password(
    broker: Site, user: str | None, password: str | None, listener: str
) -> None:
    port = broker.port if listener == "devices" else broker.service_port
    peer = Peer(port, broker.ca, user, password)
    assert peer.reason in (0x86, NOT_AUTHORISED)
    peer.drop()


def test_devices_and_service_do_not_share_a_door(broker: Site) -> None:
    service = (broker.folder / "service.password").read_text()
    for port, user, password in (
        (broker.port, mosquitto.SERVICE, service),
        (broker.service_port, "acme.pump1", broker.passwords["acme.pump1"]),
    ):
        peer = Peer(port, broker.ca, user, password)
        assert peer.reason in (0x86, NOT_AUTHORISED)
        peer.drop()


def test_both_doors_speak_tls_only(broker: Site) -> None:
    connect = bytes.fromhex("101000044d5154540502003c0000036162 63".replace(" ", ""))
    for port in (broker.port, broker.service_port):
        with socket.create_connection(("127.0.0.1", port), WAIT_S) as plain:
            plain.sendall(connect)
            with contextlib.suppress(ConnectionResetError):
                assert b"\x20" not in plain.recv(16)[:1]  # no CONNACK
        context = ssl.create_default_context()  # knows other authorities
        with (
            socket.create_connection(("127.0.0.1", port), WAIT_S) as raw,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            context.wrap_socket(raw, server_hostname="127.0.0.1")


def test_the_files_in_deploy_are_what_setup_writes() -> None:
    deploy = Path("deploy/mosquitto")
    assert (deploy / "mosquitto.conf").read_text() == mosquitto.configuration(
        "/etc/forewarn/broker"
    )
    assert (deploy / "devices.acl").read_text() == mosquitto.DEVICES_ACL
    assert (deploy / "service.acl").read_text() == mosquitto.SERVICE_ACL
