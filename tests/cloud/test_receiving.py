"""paho on a socket that is read ahead: the same messages, however the bytes are cut."""

import socket
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cloud.link import Client
from cloud.receiving import Buffered
from forewarn.broker import BrokerError, embedded


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


def test_thousands_of_messages_of_all_sizes_arrive_once_and_in_order(tmp_path: Path) -> None:
    count = 3_000
    got: list[bytes] = []
    done, subscribed = threading.Event(), threading.Event()
    try:
        with embedded(tmp_path / "broker") as broker:
            reader = Client(CallbackAPIVersion.VERSION2, client_id="reader")
            reader.on_subscribe = lambda *_: subscribed.set()

            def take(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
                got.append(bytes(message.payload))
                if len(got) == count:
                    done.set()

            reader.on_message = take
            reader.connect("127.0.0.1", broker.port)
            reader.loop_start()
            reader.subscribe("x", qos=1)
            assert subscribed.wait(20)
            sender = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="sender")
            sender.connect("127.0.0.1", broker.port)
            sender.loop_start()
            sent = [b"%d:" % i + bytes(i * 37 % 9_000) for i in range(count)]
            for payload in sent:
                sender.publish("x", payload, qos=1)
            assert done.wait(60)
            for client in (reader, sender):
                client.disconnect()
                client.loop_stop()
    except BrokerError as error:
        pytest.skip(str(error))
    assert got == sent
