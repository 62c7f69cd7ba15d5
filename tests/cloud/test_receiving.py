"""paho on a socket that is read ahead: the same messages, however the bytes are cut."""

import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from cloud.link import COMMANDS, Client, Link
from cloud.receiving import Buffered, Plain
from cloud.settings import BrokerSettings
from forewarn.broker import embedded, find_mosquitto, find_nats
from models.contract.messages import Receipt


def test_small_reads_get_every_byte_in_order_and_the_end() -> None:
    far, near = socket.socketpair()
    near.setblocking(False)
    read = Buffered(near)
    with far, near:
        with pytest.raises(BlockingIOError):
            read.recv(1)
        far.sendall(b"abcdefgh")
        assert read.recv(1) == b"a"
        assert read.pending() == 7
        far.sendall(b"ij")
        got = b""
        while len(got) < 9:
            got += read.recv(3)
        assert got == b"bcdefghij"
        assert read.pending() == 0
        far.close()
        assert read.recv(1) == b""
        assert read.fileno() == near.fileno()


def packet(topic: bytes, payload: bytes, mid: int, qos: int, properties: bytes) -> bytes:
    """Return a PUBLISH; `properties` begin with their length, b"" before MQTT 5."""
    number = mid.to_bytes(2) if qos else b""
    body = len(topic).to_bytes(2) + topic + number + properties + payload
    size, left = bytearray(), len(body)
    while True:
        left, low = left >> 7, left & 127
        size.append(low | (128 if left else 0))
        if not left:
            return bytes((0x30 | qos << 1,)) + bytes(size) + body


def ahead(piece: bytes) -> Buffered:
    """Return a socket that has read these bytes ahead."""
    far, near = socket.socketpair()
    with far, near:
        far.sendall(piece)
        read = Buffered(near)
        assert read.recv(0) == b""
    return read


@given(
    topic=st.binary(max_size=200),
    payload=st.binary(max_size=20_000) | st.sampled_from([b"", bytes(16_500)]),
    mid=st.integers(1, 65_535),
    qos=st.integers(0, 3),
    five=st.booleans(),
    cut=st.integers(0, 300),
)
def test_a_plain_message_is_taken_whole_or_left_to_paho(
    topic: bytes, payload: bytes, mid: int, qos: int, five: bool, cut: int
) -> None:
    sent = packet(topic, payload, mid, qos, b"\0" if five else b"")
    read = ahead(sent + b"\x40")
    found = read.plains(9, properties=five)
    if qos > 1 or not topic:
        assert found == []
        return
    assert found == [(topic, payload, mid if qos else 0, qos)]
    assert (read.pending(), read.plains(9, properties=five)) == (1, [])
    assert ahead(sent[: -1 - cut % len(sent)] or b"\0").plains(9, properties=five) == []
    marked = packet(topic, payload, mid, qos, b"\2\1\1")
    assert ahead(marked).plains(9, properties=True) == []


@given(
    sizes=st.lists(st.integers(0, 300), min_size=1, max_size=20),
    most=st.integers(1, 30),
    cut=st.integers(0, 20),
    other=st.booleans(),
)
def test_plain_messages_are_taken_together_up_to_the_first_other_one(
    sizes: list[int], most: int, cut: int, other: bool
) -> None:
    packets = [packet(b"t", bytes(size), mid, 1, b"\0") for mid, size in enumerate(sizes, 1)]
    sent = b"".join(packets[:cut]) + (b"\xc0\0" if other else b"") + b"".join(packets[cut:])
    read = ahead(sent)
    told = [(b"t", bytes(size), mid, 1) for mid, size in enumerate(sizes, 1)]
    upto = told[:cut] if other else told
    assert read.plains(most, properties=True) == upto[:most]
    if other and len(upto) <= most:
        assert read.recv(2) == b"\xc0\0"
        assert read.plains(30, properties=True) == told[cut:]


@pytest.mark.parametrize("behind", [b"", b"\x40\2"])
def test_a_plain_message_in_two_pieces_is_taken_once_the_rest_is_there(behind: bytes) -> None:
    sent = packet(b"topic", bytes(9_000), 7, 1, b"\0")
    far, near = socket.socketpair()
    near.setblocking(False)
    with far, near:
        read = Buffered(near)
        far.sendall(sent[:5_000])
        assert read.fill()
        assert read.plains(9, properties=True) == []
        far.sendall(sent[5_000:] + behind)
        assert read.plains(9, properties=True) == [(b"topic", bytes(9_000), 7, 1)]
        assert read.pending() == len(behind)


class Dribble(socket.socket):
    """A socket that gives few bytes at a time, as small TLS records come."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__()
        self.left = memoryview(data)
        self.most = most

    def recv_into(self, room: Any, _bytes: int = 0, _flags: int = 0) -> int:
        part, self.left = self.left[: self.most], self.left[self.most :]
        memoryview(room)[: len(part)] = part
        return len(part)


def test_a_plain_message_in_thousands_of_pieces_is_taken_whole() -> None:
    sent = packet(b"topic", bytes(40_000), 7, 1, b"\0")
    with Dribble(sent, 16) as near:
        read = Buffered(near)
        assert read.fill()
        assert read.plains(9, properties=True) == [(b"topic", bytes(40_000), 7, 1)]
        assert read.pending() == 0


@given(st.binary(min_size=1, max_size=40), st.booleans())
def test_what_is_no_plain_message_is_left_to_paho(piece: bytes, five: bool) -> None:
    piece = bytes((0x30 | piece[0] & 15,)) + piece[1:]
    read = ahead(piece)
    if found := read.plains(1, properties=five):
        again = packet(*found[0], b"\0" if five else b"")
        assert piece[: len(piece) - read.pending()].endswith(again[2:])


@pytest.mark.skipif(not (find_mosquitto() or find_nats()), reason="no broker on this computer")
@pytest.mark.parametrize("plain", [True, False])
def test_thousands_of_messages_of_all_sizes_arrive_once_and_in_order(
    tmp_path: Path, plain: bool
) -> None:
    count = 3_000
    got: list[bytes] = []
    done, subscribed = threading.Event(), threading.Event()
    with embedded(tmp_path / "broker") as broker:
        reader = Client(CallbackAPIVersion.VERSION2, client_id="reader")
        reader.on_subscribe = lambda *_: subscribed.set()

        def take(payload: bytes) -> None:
            got.append(payload)
            if len(got) == count:
                done.set()

        def take_plain(messages: Sequence[Plain]) -> None:
            reader.acknowledge([mid for _, _, mid, _ in messages])
            for _, payload, _, _ in messages:
                take(payload)

        reader.on_message = lambda _client, _data, message: take(bytes(message.payload))
        if plain:
            reader.on_plain = take_plain
        reader.connect("127.0.0.1", broker.port)
        reader.loop_start()
        reader.subscribe("x", qos=1)
        assert subscribed.wait(120)
        sender = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="sender")
        sender.connect("127.0.0.1", broker.port)
        sender.loop_start()
        sent = [b"%d:" % i + bytes(i * 37 % 9_000) for i in range(count)]
        for payload in sent:
            sender.publish("x", payload, qos=1)
        assert done.wait(120)
        for client in (reader, sender):
            client.disconnect()
            client.loop_stop()
    assert got == sent


@given(
    mids=st.lists(st.integers(1, 65_535), min_size=1, max_size=9, unique=True),
    reason=st.binary(max_size=3),
    cut=st.integers(1, 7),
    known=st.integers(0, 9),
)
def test_acknowledgements_are_taken_whole_or_left_to_paho(
    mids: list[int], reason: bytes, cut: int, known: int
) -> None:
    each = [bytes((0x40, 2 + len(reason))) + mid.to_bytes(2) + reason for mid in mids]
    sent = b"".join(each)
    for piece, taken in ((sent + b"\x30", len(mids)), (sent[: -min(cut, 3)], len(mids) - 1)):
        read, told = ahead(piece), set(mids[:known])
        count = min(taken, known)
        assert read.acks(told) == count
        assert told == set(mids[count:known])
        assert read.pending() == len(piece) - len(b"".join(each[:count]))
    assert ahead(b"\x50" + sent[1:]).acks(set(mids)) == 0


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_an_acknowledgement_in_two_pieces_frees_its_number(cut: int) -> None:
    far, near = socket.socketpair()
    near.setblocking(False)
    with far, near:
        client = Client(CallbackAPIVersion.VERSION2, client_id="x", protocol=mqtt.MQTTv5)
        client._sock = Buffered(near)
        client.tell([(b"t", b"p")])
        far.sendall(b"\x40\x02\x00\x01"[:cut])
        client.loop_read()
        far.sendall(b"\x40\x02\x00\x01"[cut:])
        client.loop_read()
        assert not client._told
        client._last_mid = 0  # all the other numbers later
        command = client.publish("t", b"p", qos=1)
        far.sendall(b"\x40\x02\x00\x01")
        client.loop_read()
        assert command.is_published()


@pytest.mark.skipif(not (find_mosquitto() or find_nats()), reason="no broker on this computer")
@pytest.mark.parametrize("version", [mqtt.MQTTv311, mqtt.MQTTv5])
def test_what_is_told_arrives_once_and_is_acknowledged(
    tmp_path: Path, version: MQTTProtocolVersion
) -> None:
    count = 1_000
    got: list[bytes] = []
    done, subscribed, connected = threading.Event(), threading.Event(), threading.Event()
    with embedded(tmp_path / "broker") as broker:
        if version == mqtt.MQTTv5 and broker.version != 5:
            pytest.skip("this broker has no MQTT 5")
        reader = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="reader")
        reader.on_subscribe = lambda *_: subscribed.set()

        def take(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
            got.append(bytes(message.payload))
            if len(got) == count:
                done.set()

        reader.on_message = take
        reader.connect("127.0.0.1", broker.port)
        reader.loop_start()
        reader.subscribe("x/y", qos=1)
        assert subscribed.wait(120)
        teller = Client(CallbackAPIVersion.VERSION2, client_id="teller", protocol=version)
        teller.on_connect = lambda *_: connected.set()
        teller.connect("127.0.0.1", broker.port)
        teller.loop_start()
        assert connected.wait(120)
        told = [b"%d:" % i + bytes(i * 37 % 20_000) for i in range(count)]
        for first in range(0, count, 100):
            teller.tell([(b"x/y", payload) for payload in told[first : first + 100]])
        assert done.wait(120)
        info = teller.publish("x/z", b"paho's own", qos=1)
        info.wait_for_publish(120)  # acknowledgements come in order: all of the others are here
        assert not teller._told
        for client in (reader, teller):
            client.disconnect()
            client.loop_stop()
    assert got == told


@pytest.mark.parametrize("most", [5, 20])
def test_no_more_is_told_at_once_than_the_broker_takes(most: int) -> None:
    far, near = socket.socketpair()
    near.setblocking(False)
    told = b""
    with far, near:
        client = Client(CallbackAPIVersion.VERSION2, client_id="x", protocol=mqtt.MQTTv5)
        client._sock = Buffered(near)
        client.max_inflight_messages_set(COMMANDS)
        client.begin(most)
        client.tell([(b"t", b"%02d" % n) for n in range(50)])
        command = [client.publish("t", b"own", qos=1) for _ in range(20)]
        while len(told) < 50 * 2:
            seen = ahead(far.recv(4096))
            mids = []
            for _, payload, mid, _ in seen.plains(100, properties=True):
                mids.append(mid)
                told += payload if payload != b"own" else b""
            assert seen.pending() == 0
            assert 0 < len(mids) <= most
            far.sendall(b"".join(b"\x40\x02" + mid.to_bytes(2) for mid in mids))
            client.loop_read()
        assert told == b"".join(b"%02d" % n for n in range(50))
        assert command[0].is_published()


def test_the_link_tells_no_more_at_once_than_its_broker_said() -> None:
    receipts = [(f"acme.d{n}", Receipt(boot="b", stream="live", hwm=n)) for n in range(20)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = Link(BrokerSettings(port=server.getsockname()[1], version=5), time.time_ns)
        link.start()
        try:
            broker, _ = server.accept()
            with broker:
                broker.settimeout(120)
                broker.recv(4096)  # CONNECT
                broker.sendall(b"\x20\x06\0\0\x03\x21\0\x09")  # CONNACK: Receive Maximum 9
                mid = broker.recv(4096)[2:4]  # of SUBSCRIBE
                broker.sendall(b"\x90\x04" + mid + b"\0\x01")
                assert link.connected.wait(120)
                link.send(receipts)
                told = 0
                while told < len(receipts):
                    seen = ahead(broker.recv(1 << 16))
                    mids = [mid for _, _, mid, _ in seen.plains(100, properties=True)]
                    assert 0 < len(mids) <= 9 - COMMANDS
                    told += len(mids)
                    broker.sendall(b"".join(b"\x40\x02" + mid.to_bytes(2) for mid in mids))
        finally:
            link.stop()


def test_packets_may_be_added_while_paho_goes_through_them() -> None:
    client = Client(CallbackAPIVersion.VERSION2, client_id="x")
    client.acknowledge([1])
    client.acknowledge([2])
    for packet in client._out_packet:
        client._out_packet.append(packet)
    assert len(client._out_packet) == 4


def test_what_came_on_a_lost_connection_is_acknowledged_no_more() -> None:
    link = Link(BrokerSettings(port=1), time.time_ns)
    link._take([(b"fw/v1/acme.pump1/up/t/live", b"x", 7, 1)])
    group = link.group()
    assert group
    link._on_disconnect(link._client, None, None, "lost")
    link.acknowledge(group)
    assert not link._client._out_packet
